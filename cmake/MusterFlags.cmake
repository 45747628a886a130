# Language, warnings, sanitizers, launcher and linker. Everything of ours links muster_flags.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # The client library is also linked into shared ones.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
    add_link_options(-fuse-ld=mold)
endif()

add_library(muster_flags INTERFACE)
target_compile_options(muster_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>)
if(MUSTER_WERROR)
    target_compile_options(muster_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
target_include_directories(muster_flags INTERFACE
    "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}")

# The standard library checks indices, empty optionals and iterators for us, in every build.
add_compile_definitions(_GLIBCXX_ASSERTIONS)

# Sanitizers hold for all code that we compile, generated code included.
if(MUSTER_SANITIZERS)
    add_compile_options(-fsanitize=${MUSTER_SANITIZERS} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${MUSTER_SANITIZERS})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # Its checks in a std::variant make g++ 12 see reads of the alternative that is not there.
        add_compile_options(-Wno-maybe-uninitialized)
    endif()
endif()
if(MUSTER_SANITIZERS MATCHES "thread")
    # ThreadSanitizer does not model fences, and g++ refuses them then. Our io_contexts have one
    # thread each, so Asio's fences order nothing there.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()
if(MUSTER_FUZZER)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(MUSTER_STATIC)
    add_link_options(-static-libgcc -static-libstdc++)
endif()

if(MUSTER_TIDY)
    find_program(CLANG_TIDY_PROGRAM NAMES clang-tidy-19 REQUIRED)
    # Each folder sets it for its own targets, so that generated code is left alone.
    set(MUSTER_CLANG_TIDY "${CLANG_TIDY_PROGRAM}" --quiet --warnings-as-errors=*)
endif()

# Gives a target of ours the house's flags, and clang-tidy where the preset asks for it. With TEST,
# without those checks that the very point of a test may offend (it looks at what was moved from, it
# copies to compare).
function(muster_apply_flags target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "TEST" "" "")
    target_link_libraries(${target} PRIVATE muster_flags)
    if(MUSTER_TIDY)
        set(tidy "${MUSTER_CLANG_TIDY}")
        if(arg_TEST)
            string(JOIN "," off -clang-analyzer-* -bugprone-use-after-move
                -bugprone-exception-escape
                -performance-unnecessary-copy-initialization
                -performance-inefficient-vector-operation)
            list(APPEND tidy "--checks=${off}")
        endif()
        set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY "${tidy}")
    endif()
endfunction()
