# What a preset may set. The defaults suit a plain `cmake -B build`.
option(MUSTER_UNIT_TESTS "Build the *_test.cc of every folder" ON)
option(MUSTER_HEADER_CHECK "Compile every header alone" OFF)
option(MUSTER_FUZZER "Build *_fuzz.cc with libFuzzer; needs clang" OFF)
option(MUSTER_TIDY "Run clang-tidy on every file that is compiled" OFF)
option(MUSTER_STATIC "Link all but libc and libm statically" OFF)
option(MUSTER_WEB "Build the web pages with npm and embed them" ON)
option(MUSTER_WERROR "Treat warnings as errors" ON)
set(MUSTER_SANITIZERS "" CACHE STRING "Value for -fsanitize=, such as address,undefined")

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
