// Parameters of an ONNX file that lie in another file beside it, as PyTorch's exporter leaves them.
#ifndef PLC_IO_ONNX_EXTERNAL_H
#define PLC_IO_ONNX_EXTERNAL_H

#include <onnx.pb-c.h>
#include <base/status.h>

// Puts the bytes of each such parameter into `model`, which was read from `path`, as if they had stood there. Not unless the context allows
// it. Nothing is trusted: the other file must be a regular one in the same folder, no link, and together parameters may claim
// no more than it has. Fails with PLEACH_EIO, PLEACH_EINPUT and PLEACH_ENOMEM: text names parameter and file.
pleach_status plc_onnx_read_external(pleach_ctx *ctx, const char *path, Onnx__ModelProto *model);

#endif
