// PNG through libpng. Its errors and warnings jump out of the library to one place.
#include <data/decode.h>

#ifdef PLEACH_PNG

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <png.h>
#include <base/memory.h>

// Deflate makes at most 1032 bytes of one, and a byte has at most 8 pixels.
enum { MOST_BYTES_PER_BYTE = 1032, MOST_PIXELS_PER_BYTE = 8 * MOST_BYTES_PER_BYTE };
enum { MAX_CHUNK_BYTES = PLC_MAX_PICTURE_FILE_MIB << 20, MAX_REASON = 128 };

typedef struct reader {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t size, at;
    jmp_buf escape;
    char reason[MAX_REASON];
} reader;

static void give_up(png_structp png, png_const_charp text)
{
    reader *r = png_get_error_ptr(png);

    snprintf(r->reason, sizeof r->reason, "%s", text);
    longjmp(r->escape, 1);
}

static void read_bytes(png_structp png, png_bytep data, size_t n)
{
    reader *r = png_get_io_ptr(png);

    if (n > r->size - r->at)
        png_error(png, "the file ends early");
    memcpy(data, r->bytes + r->at, n);
    r->at += n;
}

// Texts, times and colour profiles are not for us: they are skipped unread at any length, and what is wrong in
// them does not matter.
static void skip_ancillary_chunks(png_structp png)
{
    static const png_byte names[] = "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0pHYs\0sBIT\0"
                                    "sPLT\0sRGB\0tEXt\0tIME\0zTXt";

    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, sizeof names / 5);
    png_set_chunk_malloc_max(png, MAX_CHUNK_BYTES);
    png_set_user_limits(png, PLC_MAX_PICTURE_SIDE, PLC_MAX_PICTURE_SIDE);
}

static void choose_output(reader *r)
{
    png_set_scale_16(r->png);
    if (png_get_color_type(r->png, r->info) == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(r->png);
    else
        png_set_expand_gray_1_2_4_to_8(r->png);
    png_set_strip_alpha(r->png);
}

static pleach_status read_pixels(pleach_ctx *ctx, reader *r, plc_picture *picture)
{
    pleach_status status = PLEACH_OK;
    const int n_passes = png_set_interlace_handling(r->png);

    png_read_update_info(r->png, r->info);
    const size_t stride = png_get_rowbytes(r->png, r->info);
    picture->width = picture->file_width;
    picture->height = picture->file_height;
    picture->channels = png_get_channels(r->png, r->info);
    if (picture->channels != 1 && picture->channels != 3)
        png_error(r->png, "its pixels are neither grey nor RGB");
    TRY(plc_grow(ctx, &picture->pixels, &picture->capacity, stride * (size_t)picture->height));
    for (int pass = 0; pass < n_passes; pass++)
        for (int y = 0; y < picture->height; y++)
            png_read_row(r->png, picture->pixels + (size_t)y * stride, NULL);
    png_read_end(r->png, NULL);
done:
    return status;
}

// libpng would say no more than "invalid IHDR" of a size above its limits, so we look before it does. The
// first chunk is IHDR: length, name, width, height.
static pleach_status check_claim(pleach_ctx *ctx, const char *name, const reader *r,
                                 plc_picture *picture)
{
    enum { AT_NAME = 12, AT_WIDTH = 16, HEADER_BYTES = 24 };
    unsigned long sides[2] = {0};

    if (r->size < HEADER_BYTES || memcmp(r->bytes + AT_NAME, "IHDR", 4) != 0)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: bad PNG: no IHDR behind its first bytes", name);
    for (int i = 0; i < 8; i++)
        sides[i / 4] = sides[i / 4] << 8 | r->bytes[AT_WIDTH + i];
    return plc_picture_claim(ctx, name, sides[0], sides[1], r->size, MOST_PIXELS_PER_BYTE, picture);
}

// The same with the bits of a pixel known.
static void check_bytes(reader *r)
{
    const double bytes =
        (double)png_get_rowbytes(r->png, r->info) * png_get_image_height(r->png, r->info);

    if (bytes > (double)r->size * MOST_BYTES_PER_BYTE)
        png_error(r->png, "claims more pixels than its bytes can hold");
}

// Where the library's errors land. *r is the caller's, so that it is defined after a jump.
static pleach_status decode(pleach_ctx *ctx, const char *name, reader *r, plc_picture *picture)
{
    if (setjmp(r->escape))
        return plc_fail(ctx, PLEACH_EINPUT, "%s: bad PNG: %s", name, r->reason);
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, give_up, give_up);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    if (!r->info)
        return plc_fail(ctx, PLEACH_ENOMEM, "%s: no memory to read a PNG", name);
    png_set_read_fn(r->png, r, read_bytes);
    skip_ancillary_chunks(r->png);
    png_read_info(r->png, r->info);
    check_bytes(r);
    choose_output(r);
    return read_pixels(ctx, r, picture);
}

pleach_status plc_png_decode(pleach_ctx *ctx, const char *name, const uint8_t *bytes, size_t size,
                             plc_picture *picture)
{
    pleach_status status = PLEACH_OK;
    reader r = {.bytes = bytes, .size = size};

    TRY(check_claim(ctx, name, &r, picture));
    TRY(decode(ctx, name, &r, picture));
done:
    png_destroy_read_struct(&r.png, &r.info, NULL);
    return status;
}

#else

pleach_status plc_png_decode(pleach_ctx *ctx, const char *name, const uint8_t *bytes, size_t size,
                             plc_picture *picture)
{
    (void)bytes, (void)size, (void)picture;
    return plc_fail(ctx, PLEACH_EINPUT,
                    "%s: is a PNG file, and this pleach was built without libpng "
                    "(cmake -DPLEACH_PNG=ON)",
                    name);
}

#endif
