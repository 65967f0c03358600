// Which format a picture is, and the caps that hold for all of them.
#include <data/decode.h>

#include <stdlib.h>
#include <string.h>

pleach_status plc_picture_claim(pleach_ctx *ctx, const char *name, unsigned long width,
                                unsigned long height, size_t size, double most_per_byte,
                                plc_picture *picture)
{
    if (width < 1 || height < 1 || width > PLC_MAX_PICTURE_SIDE || height > PLC_MAX_PICTURE_SIDE)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: claims %lu x %lu pixels, a side may have 1 to %d",
                        name, width, height, PLC_MAX_PICTURE_SIDE);
    if (width * height > PLC_MAX_PICTURE_PIXELS)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: claims %lu x %lu pixels, more than %d million",
                        name, width, height, PLC_MAX_PICTURE_PIXELS / 1000000);
    if ((double)(width * height) > (double)size * most_per_byte)
        return plc_fail(ctx, PLEACH_EINPUT,
                        "%s: claims %lu x %lu pixels, which its %zu bytes cannot hold", name, width,
                        height, size);
    picture->file_width = (int)width;
    picture->file_height = (int)height;
    return PLEACH_OK;
}

pleach_status plc_picture_decode(pleach_ctx *ctx, const char *name, const uint8_t *bytes,
                                 size_t size, int least_side, plc_picture *picture)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff}, png[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10};

    if (size == 0)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: is empty (0 bytes)", name);
    if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return plc_jpeg_decode(ctx, name, bytes, size, least_side, picture);
    if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
        return plc_png_decode(ctx, name, bytes, size, picture);
    return plc_fail(ctx, PLEACH_EINPUT,
                    "%s: is neither a JPEG nor a PNG file: it begins with %02x %02x %02x", name,
                    bytes[0], size > 1 ? bytes[1] : 0, size > 2 ? bytes[2] : 0);
}

void plc_picture_finish(plc_picture *picture)
{
    free(picture->pixels);
    *picture = (plc_picture){0};
}
