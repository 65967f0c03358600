// Texts that grow, 'did you mean', and numbers for people.
#include <base/text.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

pleach_status plc_text_append(pleach_ctx *ctx, plc_text *text, const char *bytes, size_t n_bytes)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_grow(ctx, &text->data, &text->capacity, text->length + n_bytes + 1));
    if (n_bytes)
        memcpy(text->data + text->length, bytes, n_bytes);
    text->length += n_bytes;
    text->data[text->length] = '\0';
done:
    return status;
}

pleach_status plc_text_printf(pleach_ctx *ctx, plc_text *text, const char *format, ...)
{
    pleach_status status = PLEACH_OK;
    char *piece = NULL;
    int length = 0;
    va_list args;

    va_start(args, format);
    length = vasprintf(&piece, format, args);
    va_end(args);
    if (length < 0) {
        piece = NULL;
        FAIL(ctx, PLEACH_ENOMEM, "no memory to format a text");
    }
    TRY(plc_text_append(ctx, text, piece, (size_t)length));
done:
    free(piece);
    return status;
}

pleach_status plc_text_take(pleach_ctx *ctx, plc_text *text, char **taken)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_text_append(ctx, text, "", 0));
    *taken = text->data;
    *text = (plc_text){0};
done:
    return status;
}

void plc_text_finish(plc_text *text)
{
    free(text->data);
    *text = (plc_text){0};
}

// Bytes of the character that begins at `c`, by table 3-7 of Unicode: nothing longer than it need be, no
// surrogates. 0: none begins there.
static int utf8_bytes(const unsigned char *c)
{
    const int n = *c < 0x80 ? 1 : *c < 0xc2 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : *c < 0xf5 ? 4 : 0;
    const int low = *c == 0xe0 ? 0xa0 : *c == 0xf0 ? 0x90 : 0x80;
    const int high = *c == 0xed ? 0x9f : *c == 0xf4 ? 0x8f : 0xbf;

    if (n > 1 && (c[1] < low || c[1] > high))
        return 0;
    for (int i = 2; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

void plc_utf8_mend(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c;) {
        const int n = utf8_bytes(c);

        if (n == 0)
            *c = '?';
        c += n ? n : 1;
    }
}

int plc_utf8_cut(const char *text, int most)
{
    int n = (int)strlen(text);

    if (n <= most)
        return n;
    for (n = most; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
        ;
    return n;
}

enum { NAME_MAX_COMPARED = 64 };

// Levenshtein's distance, one row at a time.
static int edit_distance(const char *a, int length_a, const char *b, int length_b)
{
    int row[NAME_MAX_COMPARED + 1];

    for (int j = 0; j <= length_b; j++)
        row[j] = j;
    for (int i = 1; i <= length_a; i++) {
        int diagonal = row[0];

        row[0] = i;
        for (int j = 1; j <= length_b; j++) {
            const int above = row[j];
            int best = diagonal + (a[i - 1] != b[j - 1]);

            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[length_b];
}

const char *plc_nearest_name(const char *name, const char *const *names, int n)
{
    const size_t length = strlen(name);
    const char *nearest = NULL;
    int nearest_distance = 0;

    if (length > NAME_MAX_COMPARED)
        return NULL;
    for (int i = 0; i < n; i++) {
        const size_t other = strlen(names[i]);
        int distance = 0, allowed = 0;

        if (other > NAME_MAX_COMPARED)
            continue;
        distance = edit_distance(name, (int)length, names[i], (int)other);
        allowed = (int)(length > other ? length : other) / 3;
        if (allowed < 2)
            allowed = 2;
        if (distance <= allowed && distance < (int)(length < other ? length : other) &&
            (!nearest || distance < nearest_distance)) {
            nearest = names[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}

// Three significant digits are enough to compare by eye. Larger units are taken from the rounded
// value, so that 1023.99 KiB reads "1 MiB" and not "1024 KiB".
static void format_scaled(double value, double step, const char *const *units, int n_units,
                          char *text, size_t size)
{
    char number[PLC_FORMAT_MAX];
    int unit = 0;

    while (unit + 1 < n_units && value >= step * (1.0 - 0.0005)) {
        value /= step;
        unit++;
    }
    if (unit == 0)
        snprintf(number, sizeof number, "%.0f", value);
    else
        snprintf(number, sizeof number, value < 99.95 ? "%.1f" : "%.0f", value);
    snprintf(text, size, *units[unit] ? "%s %s" : "%s%s", number, units[unit]);
}

void plc_format_bytes(unsigned long long bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    format_scaled((double)bytes, 1024.0, units, 7, text, size);
}

void plc_format_count(unsigned long long count, char *text, size_t size)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};

    format_scaled((double)count, 1000.0, units, 7, text, size);
}

void plc_format_seconds(double seconds, char *text, size_t size)
{
    const double longest = 1e9; // three decades: more is a mistake, and must not overflow a long

    if (!(seconds >= 0.0) || seconds > longest)
        snprintf(text, size, "?");
    else if (seconds < 1e-3)
        snprintf(text, size, "%.1f us", seconds * 1e6);
    else if (seconds < 1.0)
        snprintf(text, size, "%.1f ms", seconds * 1e3);
    else if (seconds < 59.95)
        snprintf(text, size, "%.1f s", seconds);
    else if (lround(seconds) < 3600)
        snprintf(text, size, "%ldm%02lds", lround(seconds) / 60, lround(seconds) % 60);
    else
        snprintf(text, size, "%ldh%02ldm", lround(seconds) / 3600, lround(seconds) / 60 % 60);
}
