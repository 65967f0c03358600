// The bytes of an ONNX file as protobuf's structs. Nothing in the file is trusted.
#ifndef PLC_IO_ONNX_FILE_H
#define PLC_IO_ONNX_FILE_H

#include <onnx.pb-c.h>
#include <io/model_file.h>

// Reads `path`, and what parameters it has in another file (io/onnx_external.h). Before anything is unpacked the file's messages are counted and their depth is measured, so
// that a small file can take neither all memory nor all of the stack. Fails with PLEACH_EIO and PLEACH_EINPUT.
// The caller frees *model with onnx__model_proto__free_unpacked.
pleach_status plc_onnx_file_read(pleach_ctx *ctx, const char *path, Onnx__ModelProto **model);

// The same for bytes that are at hand.
pleach_status plc_onnx_file_unpack(pleach_ctx *ctx, const unsigned char *bytes, size_t size,
                                   Onnx__ModelProto **model);

// What plc_onnx_read_as makes of a file, of structs that are at hand (onnx_read.c); but of a whole a softmax at the end
// stays, as those want it who compare outputs.
pleach_status plc_onnx_read_proto(pleach_ctx *ctx, const Onnx__ModelProto *proto, bool whole,
                                  plc_model_file *model);

#endif
