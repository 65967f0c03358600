# The schema of ONNX files as C: onnx.proto, as the ONNX project publishes it (Debian: libonnx-dev), through
# protobuf-c's compiler. Sets onnx_schema_source and onnx_schema_folder, where <onnx.pb-c.h> lies.
find_program(PROTOC_C protoc-c)
find_path(ONNX_PROTO_DIR onnx/onnx.proto)
if(NOT PROTOC_C OR NOT ONNX_PROTO_DIR)
  message(FATAL_ERROR "ONNX files need protoc-c (${PROTOC_C}) and onnx/onnx.proto (${ONNX_PROTO_DIR}); "
                      "Debian has them in protobuf-c-compiler and libonnx-dev, tools/setup installs them")
endif()
set(onnx_schema_folder ${CMAKE_CURRENT_BINARY_DIR}/onnx)
set(onnx_schema_source ${onnx_schema_folder}/onnx.pb-c.c)
file(MAKE_DIRECTORY ${onnx_schema_folder})
add_custom_command(OUTPUT ${onnx_schema_source} ${onnx_schema_folder}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --proto_path=${ONNX_PROTO_DIR}/onnx --c_out=${onnx_schema_folder} onnx.proto
  DEPENDS ${ONNX_PROTO_DIR}/onnx/onnx.proto VERBATIM)
# What the compiler writes is not ours to keep free of warnings.
set_source_files_properties(${onnx_schema_source} PROPERTIES COMPILE_OPTIONS "-w")
