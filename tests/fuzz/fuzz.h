// What fuzz targets share. Each target reads one format from bytes that nobody vouches for; it must neither
// crash nor hang nor take much memory, whatever they are.
#ifndef PLC_TESTS_FUZZ_H
#define PLC_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <base/status.h>

// The entry point that libFuzzer and AFL++ call; replay.c calls it with the files of the corpus. Returns 0.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The process's context; aborts without memory.
pleach_ctx *plc_fuzz_ctx(void);

// A folder of the process's own, removed with its files at its end, for formats that are read by their path.
const char *plc_fuzz_folder(void);
// Writes a file into it, without waiting for a disk. Aborts when it cannot.
void plc_fuzz_put(const char *name, const void *data, size_t size);
// Its path; valid until the next call.
const char *plc_fuzz_path(const char *name);

#endif
