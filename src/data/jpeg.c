// JPEG through libjpeg. Its errors, and its warnings of damaged data, jump out of the library to one place.
#include <data/decode.h>

#ifdef PLEACH_JPEG

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>
#include <base/memory.h>

// A block of 8 x 8 pixels takes at least a bit in some scan, halved for chroma that is sampled less.
#define MOST_PIXELS_PER_BYTE 1024.0

// Progressive files may repeat scans over all pixels as often as they like; real ones have about ten.
enum { MAX_SCANS = 100, MAX_SCANNED_PIXELS = 1000 * 1000000 };

typedef struct reader {
    struct jpeg_decompress_struct jpeg; // first, so that the library's pointer to it is one to us
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    char reason[JMSG_LENGTH_MAX];
} reader;

static void give_up(j_common_ptr jpeg)
{
    reader *r = (reader *)jpeg;

    jpeg->err->format_message(jpeg, r->reason);
    longjmp(r->escape, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    if (level < 0) // a warning: the data is damaged
        give_up(jpeg);
}

static void limit_scans(j_common_ptr jpeg)
{
    reader *r = (reader *)jpeg;
    const double pixels = (double)r->jpeg.image_width * r->jpeg.image_height;

    if (r->jpeg.input_scan_number > MAX_SCANS ||
        r->jpeg.input_scan_number * pixels > MAX_SCANNED_PIXELS) {
        snprintf(r->reason, sizeof r->reason, "has more than %d scans over its pixels",
                 r->jpeg.input_scan_number - 1);
        longjmp(r->escape, 1);
    }
}

// The largest reduction that leaves both sides at least `least_side` long.
static unsigned reduction(const reader *r, int least_side)
{
    unsigned denominator = 1;

    if (least_side < 1)
        return 1;
    while (denominator < 8 && r->jpeg.image_width / (2 * denominator) >= (unsigned)least_side &&
           r->jpeg.image_height / (2 * denominator) >= (unsigned)least_side)
        denominator *= 2;
    return denominator;
}

static void choose_output(reader *r, int least_side)
{
    r->jpeg.scale_num = 1;
    r->jpeg.scale_denom = reduction(r, least_side);
    r->jpeg.dct_method = JDCT_ISLOW;
    switch (r->jpeg.jpeg_color_space) {
    case JCS_GRAYSCALE:
        r->jpeg.out_color_space = JCS_GRAYSCALE;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        r->jpeg.out_color_space = JCS_CMYK;
        break;
    default:
        r->jpeg.out_color_space = JCS_RGB;
    }
}

// Four values to three in place. Adobe's programs store inks inverted, as nearly all such files are.
static void cmyk_to_rgb(uint8_t *row, int width, bool inverted)
{
    for (int x = 0; x < width; x++)
        for (int c = 0; c < 3; c++) {
            const int ink = row[4 * x + c], black = row[4 * x + 3];
            const int light = inverted ? ink * black : (255 - ink) * (255 - black);

            row[3 * x + c] = (uint8_t)((light + 127) / 255);
        }
}

static pleach_status read_pixels(pleach_ctx *ctx, reader *r, plc_picture *picture)
{
    pleach_status status = PLEACH_OK;
    const bool cmyk = r->jpeg.out_color_space == JCS_CMYK;
    const size_t width = r->jpeg.output_width, height = r->jpeg.output_height;
    const size_t stride = width * (cmyk ? 3 : (size_t)r->jpeg.output_components);

    // CMYK rows are wider while they are read: room for the last one.
    TRY(plc_grow(ctx, &picture->pixels, &picture->capacity, stride * height + width));
    while (r->jpeg.output_scanline < height) {
        JSAMPROW row = picture->pixels + r->jpeg.output_scanline * stride;

        jpeg_read_scanlines(&r->jpeg, &row, 1);
        if (cmyk)
            cmyk_to_rgb(row, (int)width, r->jpeg.saw_Adobe_marker);
    }
    picture->width = (int)width;
    picture->height = (int)height;
    picture->channels = (int)(stride / width);
done:
    return status;
}

// Where the library's errors land. *r is the caller's, so that it is defined after a jump.
static pleach_status decode(pleach_ctx *ctx, const char *name, reader *r, const uint8_t *bytes,
                            size_t size, int least_side, plc_picture *picture)
{
    pleach_status status = PLEACH_OK;

    if (setjmp(r->escape))
        return plc_fail(ctx, PLEACH_EINPUT, "%s: bad JPEG: %s", name, r->reason);
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.progress = &r->progress;
    jpeg_mem_src(&r->jpeg, bytes, size);
    jpeg_read_header(&r->jpeg, TRUE);
    TRY(plc_picture_claim(ctx, name, r->jpeg.image_width, r->jpeg.image_height, size,
                          MOST_PIXELS_PER_BYTE, picture));
    choose_output(r, least_side);
    jpeg_start_decompress(&r->jpeg);
    TRY(read_pixels(ctx, r, picture));
    jpeg_finish_decompress(&r->jpeg);
done:
    return status;
}

pleach_status plc_jpeg_decode(pleach_ctx *ctx, const char *name, const uint8_t *bytes, size_t size,
                              int least_side, plc_picture *picture)
{
    pleach_status status = PLEACH_OK;
    reader r = {0};

    r.jpeg.err = jpeg_std_error(&r.errors);
    r.errors.error_exit = give_up;
    r.errors.emit_message = on_message;
    r.progress.progress_monitor = limit_scans;
    status = decode(ctx, name, &r, bytes, size, least_side, picture);
    jpeg_destroy_decompress(&r.jpeg);
    return status;
}

#else

pleach_status plc_jpeg_decode(pleach_ctx *ctx, const char *name, const uint8_t *bytes, size_t size,
                              int least_side, plc_picture *picture)
{
    (void)bytes, (void)size, (void)least_side, (void)picture;
    return plc_fail(ctx, PLEACH_EINPUT,
                    "%s: is a JPEG file, and this pleach was built without libjpeg "
                    "(cmake -DPLEACH_JPEG=ON)",
                    name);
}

#endif
