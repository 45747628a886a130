# client_package: the C++ client as others take it, with find_package(muster) and muster::client.
#
#   cmake --build --preset client
#   cmake --install build/release --component client --prefix PREFIX
#
# puts include/muster/, lib/libmuster.a and lib/cmake/muster/ below PREFIX. The archive holds the
# objects of all our libraries that the client needs; what others have made (protobuf and the like)
# stays outside, for a program wants one of each: musterConfig.cmake.in names it. It is made only
# when asked for.
include(CMakePackageConfigHelpers)

# Adds to `result` the target and all static libraries of ours that it needs.
function(muster_own_archives target result)
    set(found ${${result}})
    get_target_property(aliased ${target} ALIASED_TARGET)
    get_target_property(imported ${target} IMPORTED)
    if(aliased)
        set(target ${aliased})
    endif()
    if(imported OR target IN_LIST found)
        return()
    endif()
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "STATIC_LIBRARY")
        list(APPEND found ${target})
    endif()
    get_target_property(needed ${target} INTERFACE_LINK_LIBRARIES)
    foreach(other IN LISTS needed)
        if(TARGET "${other}")  # Else a flag, or the $<LINK_ONLY:…> of one.
            muster_own_archives(${other} found)
        endif()
    endforeach()
    set(${result} ${found} PARENT_SCOPE)
endfunction()

set(archives)
muster_own_archives(muster_client archives)
set(objects)
foreach(archive IN LISTS archives)
    list(APPEND objects $<TARGET_OBJECTS:${archive}>)
endforeach()

set(package "${PROJECT_BINARY_DIR}/package")
add_library(client_package STATIC EXCLUDE_FROM_ALL ${objects})
set_target_properties(client_package PROPERTIES
    LINKER_LANGUAGE CXX
    OUTPUT_NAME muster
    ARCHIVE_OUTPUT_DIRECTORY "${package}")

# Who links an archive with sanitizers needs them, too.
set(MUSTER_PACKAGE_FLAGS)
if(MUSTER_SANITIZERS)
    set(MUSTER_PACKAGE_FLAGS "-fsanitize=${MUSTER_SANITIZERS}")
endif()
configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/musterConfig.cmake.in" "${package}/musterConfig.cmake"
    INSTALL_DESTINATION lib/cmake/muster
    NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${package}/musterConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)

install(DIRECTORY include/muster DESTINATION include COMPONENT client EXCLUDE_FROM_ALL)
install(FILES "$<TARGET_FILE:client_package>" DESTINATION lib COMPONENT client EXCLUDE_FROM_ALL)
install(FILES "${package}/musterConfig.cmake" "${package}/musterConfigVersion.cmake"
    DESTINATION lib/cmake/muster COMPONENT client EXCLUDE_FROM_ALL)
