// What tests of ONNX files share: a file of the test's own, and a model written as it is. After context.h.
#ifndef PLC_TESTS_ONNX_PATH_H
#define PLC_TESTS_ONNX_PATH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <onnx.pb-c.h>

static char path[] = "/tmp/pleach-test-onnx-XXXXXX.onnx";

// Group setup and teardown of cmocka.
static inline int make_path(void **state)
{
    const int file = mkstemps(path, 5);

    if (file >= 0)
        close(file);
    return file < 0 || make_fixture(state) ? -1 : 0;
}

static inline int drop_path(void **state)
{
    unlink(path);
    return drop_fixture(state);
}

static inline void write_bytes(const char *to, const void *bytes, size_t size)
{
    FILE *stream = fopen(to, "wb"); // not atomic: no flush to the disk thousands of times

    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    fclose(stream);
}

static inline void write_model(const char *to, const Onnx__ModelProto *model)
{
    const size_t size = onnx__model_proto__get_packed_size(model);
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    onnx__model_proto__pack(model, bytes);
    write_bytes(to, bytes, size);
    free(bytes);
}

#endif
