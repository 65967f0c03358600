# Installation: libraries, headers, the CMake package `pleach` (targets pleach::shared and
# pleach::static) and pleach.pc. All paths are relative, so that the tree may be moved.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pleach)
install(TARGETS pleach_shared pleach_static EXPORT pleachTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/pleach DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT pleachTargets NAMESPACE pleach:: DESTINATION ${package_dir})

configure_package_config_file(cmake/pleachConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/pleachConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change what is public.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/pleachConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pleachConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/pleachConfigVersion.cmake DESTINATION ${package_dir})

file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/pleach.pc.in ${CMAKE_CURRENT_BINARY_DIR}/pleach.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/pleach.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
