// Texts that grow, 'did you mean', and numbers for people.
#ifndef PLC_BASE_TEXT_H
#define PLC_BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <base/status.h>

// A text that works when zero. `data` is NULL until something is appended, then NUL-terminated.
typedef struct plc_text {
    char *data; // owned; plc_text_take hands it over
    size_t length, capacity;
} plc_text;

pleach_status plc_text_printf(pleach_ctx *ctx, plc_text *text, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
pleach_status plc_text_append(pleach_ctx *ctx, plc_text *text, const char *bytes, size_t n_bytes);
// The text itself, never NULL; the caller frees *taken. Leaves `text` empty.
pleach_status plc_text_take(pleach_ctx *ctx, plc_text *text, char **taken);
void plc_text_finish(plc_text *text);

// Makes each byte that is no part of UTF-8 a '?': JSON can then hold what a driver or a file says.
void plc_utf8_mend(char *text);
// Bytes of a text that are whole characters of UTF-8 and no more than `most`.
int plc_utf8_cut(const char *text, int most);

// Whichever of names[0..n) is fewest edits from `name`, or NULL when none is near enough to be meant
// (more than a third of the longer one's letters differ, or more than two where names are short).
const char *plc_nearest_name(const char *name, const char *const *names, int n);

// 1536 -> "1.5 KiB"; 40551936 -> "40.6 M"; 3725.0 -> "1h02m". Cut off at `size`.
void plc_format_bytes(unsigned long long bytes, char *text, size_t size);
void plc_format_count(unsigned long long count, char *text, size_t size);
void plc_format_seconds(double seconds, char *text, size_t size);
enum { PLC_FORMAT_MAX = 32 };

#endif
