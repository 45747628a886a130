# One folder is one library. muster_library(FOLDER DEPENDS ...) looks into a folder and makes:
#
#   *.cc             the library: src/core/ring -> muster_core_ring, client -> muster_client
#                    (without any .cc: an INTERFACE library, headers only)
#   *_test.cc        one doctest program, in CTest under the folder's path
#   *_fuzz.cc        one fuzz target each, whose corpus is FOLDER/corpus/NAME_fuzz/: with libFuzzer
#                    in the preset `fuzz`; elsewhere a program that only runs the corpus, in CTest
#                    as fuzz_corpus.NAME
#   *_bench.cc       one Google Benchmark program, in the target `benchmarks`
#   *.h              checked to compile alone, by the library itself where it is the own header of
#                    a .cc (architecture sees to that), by a generated file where it is not
#
# TEST_DEPENDS takes what the folder's tests alone need: peers to be compared with (deps::NAME).
# main.cc belongs to no library: it is the file of a muster_program(). DEPENDS takes folders as they
# are written in the tree, `proto`, `web`, and deps::NAME. A folder that does not exist yet is an
# empty library that hands its dependencies on.

add_custom_target(fuzzers)     # All libFuzzer programs.
add_custom_target(benchmarks)  # All *_bench.cc programs, and what `make bench` runs besides.
add_custom_target(product)     # What a release hands out.

# src/core/ring -> muster_core_ring
function(muster_target_name folder result)
    string(REGEX REPLACE "^src/" "" name "${folder}")
    string(REPLACE "/" "_" name "${name}")
    set(${result} "muster_${name}" PARENT_SCOPE)
endfunction()

# A DEPENDS list as target names. A name that stands further down in the list of folders is an
# error: the arrows point one way.
function(muster_resolve result)
    set(targets)
    foreach(dependency IN LISTS ARGN)
        if(dependency MATCHES "^deps::")
            set(target ${dependency})
        elseif(dependency STREQUAL "web")
            set(target muster_web_assets)
        else()
            muster_target_name(${dependency} target)
        endif()
        if(NOT TARGET ${target})
            message(FATAL_ERROR "DEPENDS ${dependency}: there is no such folder or library above")
        endif()
        list(APPEND targets ${target})
    endforeach()
    set(${result} ${targets} PARENT_SCOPE)
endfunction()

function(muster_library folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;TEST_DEPENDS")
    set(path "${PROJECT_SOURCE_DIR}/${folder}")
    file(GLOB all CONFIGURE_DEPENDS "${path}/*.cc")
    file(GLOB headers CONFIGURE_DEPENDS "${path}/*.h")
    muster_target_name(${folder} target)
    muster_resolve(depends ${arg_DEPENDS})

    set(sources ${all})
    list(FILTER sources EXCLUDE REGEX "/main\\.cc$|_(test|fuzz|bench)\\.cc$")
    if(sources)
        add_library(${target} STATIC ${sources})
        target_link_libraries(${target} PUBLIC ${depends})
        muster_apply_flags(${target})
    else()
        add_library(${target} INTERFACE)
        target_link_libraries(${target} INTERFACE ${depends})
    endif()

    set(tests ${all})
    list(FILTER tests INCLUDE REGEX "_test\\.cc$")
    if(tests AND MUSTER_UNIT_TESTS)
        add_executable(${target}_test ${tests} $<TARGET_OBJECTS:muster_doctest_main>)
        target_link_libraries(${target}_test PRIVATE
            ${target} ${arg_TEST_DEPENDS} deps::doctest deps::rapidcheck)
        muster_apply_flags(${target}_test TEST)
        # Tests read their samples by paths from the top of the tree.
        add_test(NAME ${folder} COMMAND ${target}_test WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
        set_tests_properties(${folder} PROPERTIES LABELS unit)
    endif()

    set(fuzzers ${all})
    list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
    foreach(fuzzer IN LISTS fuzzers)
        muster_fuzzer(${folder} ${target} ${fuzzer})
    endforeach()

    set(benches ${all})
    list(FILTER benches INCLUDE REGEX "_bench\\.cc$")
    if(benches AND TARGET deps::benchmark)
        add_executable(${target}_bench EXCLUDE_FROM_ALL ${benches})
        target_link_libraries(${target}_bench PRIVATE ${target} deps::benchmark)
        muster_apply_flags(${target}_bench TEST)
        add_dependencies(benchmarks ${target}_bench)
    endif()

    if(MUSTER_HEADER_CHECK)
        muster_header_check(${folder} ${target} "${headers}" "${sources}")
    endif()
endfunction()

function(muster_fuzzer folder library source)
    cmake_path(GET source STEM name)
    set(corpus "${PROJECT_SOURCE_DIR}/${folder}/corpus/${name}")
    string(REGEX REPLACE "_fuzz$" "" short "${name}")
    if(MUSTER_FUZZER)
        add_executable(${name} EXCLUDE_FROM_ALL ${source})
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        set_target_properties(${name} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzzers")
        # scripts/fuzz runs what stands here: a program and its corpus.
        file(WRITE "${PROJECT_BINARY_DIR}/fuzzers/${name}.corpus" "${folder}/corpus/${name}\n")
        add_dependencies(fuzzers ${name})
    elseif(MUSTER_UNIT_TESTS)
        add_executable(${name} ${source} $<TARGET_OBJECTS:muster_fuzz_corpus_main>)
        add_test(NAME fuzz_corpus.${short} COMMAND ${name} "${corpus}")
        set_tests_properties(fuzz_corpus.${short} PROPERTIES LABELS fuzz)
    else()
        return()
    endif()
    target_link_libraries(${name} PRIVATE ${library})
    muster_apply_flags(${name})
endfunction()

# A header that is the own header of a .cc is its first include, so the library already proves that
# it compiles alone. The others get a file that holds nothing but the include.
function(muster_header_check folder library headers sources)
    set(checks)
    foreach(header IN LISTS headers)
        string(REGEX REPLACE "\\.h$" ".cc" own "${header}")
        if(own IN_LIST sources)
            continue()
        endif()
        cmake_path(RELATIVE_PATH header BASE_DIRECTORY "${PROJECT_SOURCE_DIR}"
            OUTPUT_VARIABLE shown)
        string(REGEX REPLACE "^(src|include)/" "" shown "${shown}")
        set(check "${PROJECT_BINARY_DIR}/header_check/${shown}.cc")
        file(CONFIGURE OUTPUT "${check}" CONTENT "#include \"${shown}\"\n")
        list(APPEND checks "${check}")
    endforeach()
    if(checks)
        add_library(${library}_headers OBJECT ${checks})
        target_link_libraries(${library}_headers PRIVATE ${library})
        target_compile_options(${library}_headers PRIVATE -O0 -g0 -fno-sanitize=all)
        muster_apply_flags(${library}_headers)
    endif()
endfunction()

# muster_program(NAME SOURCES ... | FOLDER folder  DEPENDS ...)
# A program at the top of the binary folder, such as build/release/muster.
function(muster_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER" "SOURCES;DEPENDS")
    set(sources)
    foreach(source IN LISTS arg_SOURCES)
        file(GLOB found CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${source}")
        list(APPEND sources ${found})
    endforeach()
    if(arg_FOLDER)
        file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${arg_FOLDER}/*.cc")
    endif()
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
    muster_resolve(depends ${arg_DEPENDS})
    target_link_libraries(${name} PRIVATE ${depends})
    muster_apply_flags(${name})
endfunction()

# Each folder of `folder` that has .cc files is one small program of a user.
function(muster_examples folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS")
    muster_resolve(depends ${arg_DEPENDS})
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*/*.cc")
    foreach(source IN LISTS sources)
        cmake_path(GET source PARENT_PATH parent)
        cmake_path(GET parent FILENAME name)
        if(NOT TARGET example_${name})
            add_executable(example_${name})
            target_link_libraries(example_${name} PRIVATE ${depends})
            muster_apply_flags(example_${name})
        endif()
        target_sources(example_${name} PRIVATE "${source}")
    endforeach()
endfunction()

if(MUSTER_UNIT_TESTS)
    add_library(muster_doctest_main OBJECT "${PROJECT_SOURCE_DIR}/tests/doctest_main.cc")
    target_link_libraries(muster_doctest_main PRIVATE deps::doctest)
    muster_apply_flags(muster_doctest_main)
    add_library(muster_fuzz_corpus_main OBJECT "${PROJECT_SOURCE_DIR}/tests/fuzz_corpus_main.cc")
    muster_apply_flags(muster_fuzz_corpus_main)
endif()
