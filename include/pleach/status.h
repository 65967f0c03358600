// Status codes, the context that carries error texts, and the log callback.
#ifndef PLEACH_STATUS_H
#define PLEACH_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

// Every code and what it means stands here once: X(name, exit code of the program, text).
#define PLEACH_STATUS_LIST(X)                                                                      \
    X(PLEACH_OK, 0, "done")                                                                        \
    X(PLEACH_EFAILED, 1, "failed")                                                                 \
    X(PLEACH_EUSAGE, 2, "wrong usage")                                                             \
    X(PLEACH_EINPUT, 3, "bad input")                                                               \
    X(PLEACH_EIO, 3, "file cannot be read or written")                                             \
    X(PLEACH_EGRAPH, 3, "graph is not valid")                                                      \
    X(PLEACH_EDEVICE, 4, "device error")                                                           \
    X(PLEACH_EBUILD, 4, "kernel does not build")                                                   \
    X(PLEACH_ENOMEM, 4, "out of memory")                                                           \
    X(PLEACH_EDIVERGED, 5, "training diverged")                                                    \
    X(PLEACH_EINTERRUPTED, 130, "interrupted after saving")

typedef enum pleach_status {
#define X(name, exit_code, text) name,
    PLEACH_STATUS_LIST(X)
#undef X
} pleach_status;

// The exit code of the program for a status, and the status's own short text.
int pleach_status_exit_code(pleach_status status);
const char *pleach_status_text(pleach_status status);

// A context carries the text of the last error and the log callback. One thread at a time.
typedef struct pleach_ctx pleach_ctx;

typedef enum pleach_log_level {
    PLEACH_LOG_DEBUG,
    PLEACH_LOG_INFO,
    PLEACH_LOG_WARNING
} pleach_log_level;

typedef void pleach_log_fn(void *user, pleach_log_level level, const char *text);

// Fails with PLEACH_ENOMEM. The caller owns *ctx.
pleach_status pleach_ctx_create(pleach_ctx **ctx);
void pleach_ctx_destroy(pleach_ctx **ctx);

// Without a callback the library is silent. `user` is borrowed.
void pleach_ctx_set_log(pleach_ctx *ctx, pleach_log_fn *log, void *user);

// Whether ONNX files may have parameters in another file of the same folder, as PyTorch's exporter leaves them
// (`model.onnx.data`). Not unless it is allowed here.
void pleach_ctx_allow_external_data(pleach_ctx *ctx, int allow);

// Text of the last error of this context: what, which, how many, what to do next. Never NULL.
const char *pleach_error(const pleach_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif
