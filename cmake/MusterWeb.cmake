# muster_web_assets: the pages of web/dist inside the binary, gzipped, behind web/assets.h.
# npm builds sdk/js and then web; cmake/embed_assets.py turns the result into an assembler file with
# .incbin and a table in C++. Without web/, or with MUSTER_WEB=OFF, the table is empty.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

set(MUSTER_NPM_PROJECT "${PROJECT_SOURCE_DIR}/scripts/npm_project")  # npm ci if stale, npm run X.

# Makes a stamp file that is newer than the sources of the npm project once `npm run build` is done.
function(muster_npm_build folder stamp)
    set(path "${PROJECT_SOURCE_DIR}/${folder}")
    file(GLOB sources CONFIGURE_DEPENDS LIST_DIRECTORIES false "${path}/*")
    file(GLOB_RECURSE deeper CONFIGURE_DEPENDS LIST_DIRECTORIES false
        "${path}/src/*" "${path}/public/*" "${path}/scripts/*")
    list(APPEND sources ${deeper})
    list(FILTER sources EXCLUDE REGEX "/(gen|generated|node_modules|dist)/|/\\.[^/]*$")
    add_custom_command(
        OUTPUT "${stamp}"
        COMMAND "${MUSTER_NPM_PROJECT}" "${folder}" build
        COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
        DEPENDS ${sources} ${ARGN} "${MUSTER_NPM_PROJECT}"
        COMMENT "npm run build in ${folder}"
        USES_TERMINAL VERBATIM)
endfunction()

set(web_folder "${PROJECT_BINARY_DIR}/web")
file(MAKE_DIRECTORY "${web_folder}")
file(GLOB web_protos CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/proto/muster/*.proto")
set(web_stamps)
set(web_dist)
if(MUSTER_WEB AND EXISTS "${PROJECT_SOURCE_DIR}/sdk/js/package.json")
    muster_npm_build(sdk/js "${web_folder}/sdk.stamp" ${web_protos})
    list(APPEND web_stamps "${web_folder}/sdk.stamp")
endif()
if(MUSTER_WEB AND EXISTS "${PROJECT_SOURCE_DIR}/web/package.json")
    muster_npm_build(web "${web_folder}/web.stamp" ${web_stamps})
    list(APPEND web_stamps "${web_folder}/web.stamp")
    set(web_dist "${PROJECT_SOURCE_DIR}/web/dist")
endif()
add_custom_target(web ALL DEPENDS ${web_stamps})

add_custom_command(
    OUTPUT "${web_folder}/assets_data.S" "${web_folder}/assets.cc"
    COMMAND Python3::Interpreter "${PROJECT_SOURCE_DIR}/cmake/embed_assets.py"
            --out "${web_folder}" ${web_dist}
    DEPENDS "${PROJECT_SOURCE_DIR}/cmake/embed_assets.py" ${web_stamps}
    COMMENT "Embedding the web pages"
    VERBATIM)
add_library(muster_web_assets STATIC "${web_folder}/assets_data.S" "${web_folder}/assets.cc")
muster_apply_flags(muster_web_assets)
