# muster_proto: the one schema, proto/muster/*.proto, as C++. Includes look like "muster/x.pb.h".
# It is generated code: warnings are off in it, and its headers are system headers to others.
file(GLOB protos CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/proto/muster/*.proto")
if(NOT protos)
    add_library(muster_proto INTERFACE)
    return()
endif()

set(generated "${PROJECT_BINARY_DIR}/proto")
file(MAKE_DIRECTORY "${generated}/muster")
set(outputs)
foreach(proto IN LISTS protos)
    cmake_path(GET proto STEM name)
    set(output "${generated}/muster/${name}.pb")
    add_custom_command(
        OUTPUT "${output}.cc" "${output}.h"
        COMMAND protobuf::protoc "--cpp_out=${generated}" -I "${PROJECT_SOURCE_DIR}/proto"
                "muster/${name}.proto"
        DEPENDS ${protos}  # A schema may import its neighbours.
        WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}/proto"
        COMMENT "Generating muster/${name}.pb.h"
        VERBATIM)
    list(APPEND outputs "${output}.cc" "${output}.h")
endforeach()

add_library(muster_proto STATIC ${outputs})
target_include_directories(muster_proto SYSTEM PUBLIC "${generated}")
target_link_libraries(muster_proto PUBLIC deps::protobuf)
target_compile_options(muster_proto PRIVATE -w)
