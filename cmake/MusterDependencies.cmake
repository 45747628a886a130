# What Muster is built on, as targets deps::NAME. Every one comes from a Debian package, and every
# library is taken as a static archive, so that the program needs only libc and libm to run.
# docs/decisions says why each was chosen; scripts/setup installs them.

# muster_archive(NAME FILE HEADER): deps::NAME from one archive and the folder of its header.
function(muster_archive name file header)
    find_library(DEPS_${name}_ARCHIVE NAMES ${file} REQUIRED)
    find_path(DEPS_${name}_INCLUDE NAMES ${header} REQUIRED)
    add_library(deps::${name} STATIC IMPORTED GLOBAL)
    set_target_properties(deps::${name} PROPERTIES
        IMPORTED_LOCATION "${DEPS_${name}_ARCHIVE}"
        INTERFACE_INCLUDE_DIRECTORIES "${DEPS_${name}_INCLUDE}")
endfunction()

# muster_headers(NAME HEADER): deps::NAME, headers only.
function(muster_headers name header)
    find_path(DEPS_${name}_INCLUDE NAMES ${header} REQUIRED)
    add_library(deps::${name} INTERFACE IMPORTED GLOBAL)
    set_target_properties(deps::${name} PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${DEPS_${name}_INCLUDE}")
endfunction()

find_package(Threads REQUIRED)
add_library(deps::threads ALIAS Threads::Threads)

muster_headers(expected tl/expected.hpp)
muster_headers(toml11 toml.hpp)
muster_headers(cli11 CLI/CLI.hpp)

muster_archive(highwayhash libhighwayhash.a highwayhash/sip_hash.h)
muster_archive(xxhash libxxhash.a xxhash.h)
muster_archive(utf8proc libutf8proc.a utf8proc.h)
muster_archive(zlib libz.a zlib.h)
muster_archive(sqlite libsqlite3.a sqlite3.h)
set_property(TARGET deps::sqlite APPEND PROPERTY
    INTERFACE_LINK_LIBRARIES deps::threads ${CMAKE_DL_LIBS} m)

# The program's allocator. Sanitizers bring their own.
if(MUSTER_SANITIZERS)
    add_library(deps::jemalloc INTERFACE IMPORTED GLOBAL)
else()
    muster_archive(jemalloc libjemalloc_pic.a jemalloc/jemalloc.h)
    set_property(TARGET deps::jemalloc APPEND PROPERTY
        INTERFACE_LINK_LIBRARIES deps::threads ${CMAKE_DL_LIBS} m)
endif()

set(OPENSSL_USE_STATIC_LIBS ON)
find_package(OpenSSL 3.0 REQUIRED)
add_library(deps::crypto ALIAS OpenSSL::Crypto)
add_library(deps::ssl ALIAS OpenSSL::SSL)

set(Protobuf_USE_STATIC_LIBS ON)
find_package(Protobuf 3.21 REQUIRED)
add_library(deps::protobuf ALIAS protobuf::libprotobuf)

set(Boost_USE_STATIC_LIBS ON)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
add_library(deps::json ALIAS Boost::json)
add_library(deps::boost ALIAS Boost::headers)

# Debian has fmt as a shared library only. Its whole source is in its headers, so that one file
# of ours makes the archive.
find_path(DEPS_fmt_INCLUDE NAMES fmt/format-inl.h REQUIRED)
add_library(muster_fmt STATIC "${CMAKE_CURRENT_LIST_DIR}/fmt.cc")
target_include_directories(muster_fmt SYSTEM PUBLIC "${DEPS_fmt_INCLUDE}")
add_library(deps::fmt ALIAS muster_fmt)

if(MUSTER_UNIT_TESTS)
    muster_headers(doctest doctest/doctest.h)
    muster_archive(rapidcheck librapidcheck.a rapidcheck.h)

    # A peer that tests compare our tokens with. It brings a shared OpenSSL of its own, which must
    # not find the symbols of the static one that we link.
    find_library(DEPS_jwt_LIBRARY NAMES jwt REQUIRED)
    find_path(DEPS_jwt_INCLUDE NAMES jwt.h REQUIRED)
    add_library(deps::jwt SHARED IMPORTED GLOBAL)
    set_target_properties(deps::jwt PROPERTIES
        IMPORTED_LOCATION "${DEPS_jwt_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${DEPS_jwt_INCLUDE}"
        INTERFACE_LINK_OPTIONS "-Wl,--exclude-libs,ALL")
endif()
# Only *_bench.cc need it, so it may be missing.
find_package(benchmark QUIET)
if(benchmark_FOUND)
    add_library(deps::benchmark ALIAS benchmark::benchmark_main)
endif()
