// Picture files made in memory through libjpeg and libpng.
#include <picture_files.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <png.h>

enum { MAX_SCRIPT = 3 + 3 * 63 };

int plc_made_value(int seed, int x, int c)
{
    return 40 * (seed % 5) + 20 * c + x % 32;
}

// DC of all components, then each of the 63 other coefficients of each component alone.
static int make_script(jpeg_scan_info *script)
{
    int n = 0;

    script[n++] = (jpeg_scan_info){3, {0, 1, 2}, 0, 0, 0, 0};
    for (int c = 0; c < 3; c++)
        for (int k = 1; k < 64; k++)
            script[n++] = (jpeg_scan_info){1, {c}, k, k, 0, 0};
    return n;
}

uint8_t *plc_make_jpeg(const plc_made_jpeg *made, size_t *size)
{
    static jpeg_scan_info script[MAX_SCRIPT];
    struct jpeg_compress_struct jpeg = {0};
    struct jpeg_error_mgr errors;
    const int n = made->components;
    unsigned char *bytes = NULL;
    unsigned long n_bytes = 0;
    uint8_t *row = malloc((size_t)made->width * 4);

    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &n_bytes);
    jpeg.image_width = (JDIMENSION)made->width;
    jpeg.image_height = (JDIMENSION)made->height;
    jpeg.input_components = n;
    jpeg.in_color_space = n == 1 ? JCS_GRAYSCALE : n == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    if (made->progressive)
        jpeg_simple_progression(&jpeg);
    if (made->many_scans) {
        jpeg.num_scans = make_script(script);
        jpeg.scan_info = script;
    }
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < made->height; y++) {
        JSAMPROW rows = row;

        // CMYK with no black is 255 - ink, and Adobe stores 255 - ink: the colour itself.
        for (int x = 0; x < made->width; x++)
            for (int c = 0; c < n; c++)
                row[x * n + c] = (uint8_t)(c == 3 ? 255 : plc_made_value(made->seed, x, c));
        jpeg_write_scanlines(&jpeg, &rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    *size = n_bytes;
    return bytes;
}

typedef struct growing {
    uint8_t *bytes;
    size_t size;
} growing;

static void append(png_structp png, png_bytep data, size_t n)
{
    growing *file = png_get_io_ptr(png);

    file->bytes = realloc(file->bytes, file->size + n);
    memcpy(file->bytes + file->size, data, n);
    file->size += n;
}

// Samples of 8 and 16 bits as they are; grey of less keeps its highest bits; a palette has 2^depth greys.
static void make_row(const plc_made_png *made, int channels, uint8_t *row)
{
    memset(row, 0, (size_t)made->width * 8);
    for (int x = 0; x < made->width; x++)
        for (int c = 0; c < channels; c++) {
            const int value = plc_made_value(made->seed, x, c);
            const int i = x * channels + c;

            if (made->depth == 16)
                row[2 * i] = row[2 * i + 1] = (uint8_t)value;
            else if (made->depth == 8)
                row[i] = (uint8_t)value;
            else
                row[i * made->depth / 8] |= (uint8_t)((value >> (8 - made->depth))
                                                      << (8 - made->depth - i * made->depth % 8));
        }
}

static void set_palette(png_structp png, png_infop info, int depth)
{
    png_color palette[256];
    png_byte alpha = 100;
    const int n = 1 << depth;

    for (int i = 0; i < n; i++) {
        const png_byte grey = (png_byte)(i * 255 / (n - 1));

        palette[i] = (png_color){grey, grey, grey};
    }
    png_set_PLTE(png, info, palette, n);
    png_set_tRNS(png, info, &alpha, 1, NULL);
}

uint8_t *plc_make_png(const plc_made_png *made, size_t *size)
{
    growing file = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t *row = malloc((size_t)made->width * 8);
    const int channels = made->colour_type == PNG_COLOR_TYPE_RGB          ? 3
                         : made->colour_type == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
                         : made->colour_type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                                          : 1;

    png_set_write_fn(png, &file, append, NULL);
    png_set_IHDR(png, info, (png_uint_32)made->width, (png_uint_32)made->height, made->depth,
                 made->colour_type, made->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (made->colour_type == PNG_COLOR_TYPE_PALETTE)
        set_palette(png, info, made->depth);
    png_write_info(png, info);
    make_row(made, channels, row);
    for (int pass = png_set_interlace_handling(png); pass > 0; pass--)
        for (int y = 0; y < made->height; y++)
            png_write_row(png, row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(row);
    *size = file.size;
    return file.bytes;
}
