# Tests that belong to no single folder.

# The arrows of the house, held against every #include of the tree.
if(EXISTS "${PROJECT_SOURCE_DIR}/tests/architecture/architecture.py")
    add_test(NAME architecture
        COMMAND Python3::Interpreter tests/architecture/architecture.py
        WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    add_test(NAME architecture.self_test
        COMMAND Python3::Interpreter tests/architecture/architecture_test.py
        WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    set_tests_properties(architecture architecture.self_test PROPERTIES LABELS architecture)
endif()

# What `make bench` says of its runs.
add_test(NAME bench.compare
    COMMAND Python3::Interpreter bench/compare_test.py
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
set_tests_properties(bench.compare PROPERTIES LABELS unit)

# The test script of an npm project, where it has one.
function(muster_npm_test name folder)
    set(package "${PROJECT_SOURCE_DIR}/${folder}/package.json")
    if(NOT EXISTS "${package}")
        return()
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${package}")
    file(READ "${package}" json)
    string(JSON script ERROR_VARIABLE missing GET "${json}" scripts test)
    if(missing)
        return()
    endif()
    add_test(NAME ${name} COMMAND "${MUSTER_NPM_PROJECT}" ${folder} test)
    set_tests_properties(${name} PROPERTIES ${ARGN})
endfunction()

if(MUSTER_WEB)
    if(MUSTER_UNIT_TESTS)
        # Web's tests may use the SDK's build, which `web` has made by now.
        muster_npm_test(sdk/js sdk/js LABELS unit)
        muster_npm_test(web web LABELS unit)
    endif()
    # From outside, against this preset's own program.
    if(TARGET muster)
        muster_npm_test(e2e tests/e2e
            LABELS e2e
            ENVIRONMENT "MUSTER_BINARY=${PROJECT_BINARY_DIR}/muster"
            RUN_SERIAL TRUE)
    endif()
endif()
