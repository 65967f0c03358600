// Tests of decoding, resampling and views: every kind of file, hostile files, sums that must hold.
#include <context.h>
#include <picture_files.h>

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/random.h>
#include <data/decode.h>
#include <data/view.h>

#define assert_error_has(text)                                                                     \
    do {                                                                                           \
        if (!strstr(pleach_error(ctx), text))                                                      \
            fail_msg("'%s' is not in the error '%s'", text, pleach_error(ctx));                    \
    } while (0)

static plc_picture picture; // of the last decoding; reused, as a thread does

static pleach_status decode(const uint8_t *bytes, size_t size, int least_side)
{
    // A copy of just this size: memory checkers then see a read behind the end.
    uint8_t *exact = malloc(size ? size : 1);

    if (size)
        memcpy(exact, bytes, size);
    const pleach_status status = plc_picture_decode(ctx, "file", exact, size, least_side, &picture);
    free(exact);
    return status;
}

static void assert_refused(const uint8_t *bytes, size_t size, const char *text)
{
    const double limit_seconds = 2.0;
    const double started = plc_clock_seconds();

    assert_int_equal(decode(bytes, size, 64), PLEACH_EINPUT);
    assert_error_has(text);
    assert_int_equal(strncmp(pleach_error(ctx), "file: ", 6), 0);
    assert_true(plc_clock_seconds() - started < limit_seconds);
}

static void assert_pixels(int seed, int tolerance, const char *what)
{
    for (int y = 0; y < picture.height; y += 7)
        for (int x = 0; x < picture.width; x++)
            for (int c = 0; c < picture.channels; c++) {
                const int expected = plc_made_value(seed, x, c);
                const int found = picture.pixels[(y * picture.width + x) * picture.channels + c];

                if (abs(found - expected) > tolerance)
                    fail_msg("%s: (%d, %d) channel %d is %d, expected %d", what, x, y, c, found,
                             expected);
            }
}

static void jpegs_of_every_kind_become_grey_or_rgb(void **state)
{
    const plc_made_jpeg cases[] = {{37, 29, 1, 1, false, false}, {37, 29, 2, 3, false, false},
                                   {37, 29, 3, 4, false, false}, {37, 29, 1, 1, true, false},
                                   {37, 29, 2, 3, true, false},  {1, 1, 0, 3, false, false}};
    // Chroma has half the resolution, so the saw's edge of colour pictures is blurred.
    enum { GREY_TOLERANCE = 10, COLOUR_TOLERANCE = 30 };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = 0;
        uint8_t *bytes = plc_make_jpeg(&cases[i], &size);

        assert_ok(decode(bytes, size, 0));
        assert_int_equal(picture.width, cases[i].width);
        assert_int_equal(picture.height, cases[i].height);
        assert_int_equal(picture.channels, cases[i].components == 1 ? 1 : 3);
        assert_pixels(cases[i].seed, cases[i].components == 1 ? GREY_TOLERANCE : COLOUR_TOLERANCE,
                      "JPEG");
        free(bytes);
    }
}

static void pngs_of_every_kind_become_grey_or_rgb(void **state)
{
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA, PNG_COLOR_TYPE_PALETTE};
    int n = 0;

    (void)state;
    for (int t = 0; t < 5; t++)
        for (int depth = 1; depth <= 16; depth *= 2)
            for (int interlaced = 0; interlaced < 2; interlaced++) {
                const plc_made_png made = {37, 29, t, types[t], depth, interlaced};
                const bool grey = types[t] == PNG_COLOR_TYPE_GRAY,
                           palette = types[t] == PNG_COLOR_TYPE_PALETTE;
                char what[64];
                size_t size = 0;

                if ((depth < 8 && !grey && !palette) || (depth == 16 && palette))
                    continue;
                uint8_t *bytes = plc_make_png(&made, &size);
                assert_ok(decode(bytes, size, 0));
                assert_int_equal(picture.width, 37);
                assert_int_equal(picture.height, 29);
                assert_int_equal(picture.channels,
                                 grey || types[t] == PNG_COLOR_TYPE_GRAY_ALPHA ? 1 : 3);
                snprintf(what, sizeof what, "PNG type %d depth %d interlaced %d", types[t], depth,
                         interlaced);
                if (!palette) // depth bits of 8 are known
                    assert_pixels(t, depth < 8 ? 255 >> depth : 0, what);
                else if (depth == 8)
                    assert_int_equal(picture.pixels[3 * 5], plc_made_value(t, 5, 0));
                free(bytes);
                n++;
            }
    assert_int_equal(n, 2 * (5 + 2 + 2 + 2 + 4));
}

static void a_jpeg_is_reduced_while_its_sides_stay_long_enough(void **state)
{
    static const int cases[][2] = {{0, 300},  {301, 300}, {150, 150}, {149, 150}, {75, 75},
                                   {76, 150}, {38, 75},   {37, 38},   {1, 38}};
    const plc_made_jpeg made = {400, 300, 1, 3, false, false};
    size_t size = 0;
    uint8_t *bytes = plc_make_jpeg(&made, &size);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(decode(bytes, size, cases[i][0]));
        assert_int_equal(picture.height, cases[i][1]);
        assert_int_equal(picture.file_height, 300);
        assert_int_equal(picture.file_width, 400);
    }
    free(bytes);
}

static void store_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void what_is_no_picture_is_refused(void **state)
{
    static const uint8_t gif[] = "GIF89a\1\0\1\0",
                         png_start[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13},
                         jpeg_start[] = {0xff, 0xd8, 0xff};

    (void)state;
    assert_refused(NULL, 0, "is empty");
    assert_refused(gif, 1, "neither a JPEG nor a PNG file: it begins with 47 00 00");
    assert_refused(gif, sizeof gif, "begins with 47 49 46");
    assert_refused(png_start, sizeof png_start, "no IHDR");
    assert_refused(jpeg_start, sizeof jpeg_start, "bad JPEG: ");
}

// Width and height of a JPEG stand behind the marker SOF0 or SOF2.
static void claim_in_jpeg(uint8_t *bytes, size_t size, int width, int height)
{
    for (size_t i = 2; i + 9 < size; i++)
        if (bytes[i] == 0xff && (bytes[i + 1] == 0xc0 || bytes[i + 1] == 0xc2)) {
            bytes[i + 5] = (uint8_t)(height >> 8);
            bytes[i + 6] = (uint8_t)height;
            bytes[i + 7] = (uint8_t)(width >> 8);
            bytes[i + 8] = (uint8_t)width;
            return;
        }
    fail_msg("no SOF in the made JPEG");
}

static void absurd_sizes_are_refused_before_memory_is_taken(void **state)
{
    static const struct {
        uint32_t width, height;
        const char *text;
    } cases[] = {{60000, 60000, "claims 60000 x 60000 pixels, a side may have 1 to 16384"},
                 {16384, 16384, "claims 16384 x 16384 pixels, more than 50 million"},
                 {7000, 7000, "claims 7000 x 7000 pixels, which its "},
                 {16385, 1, "claims 16385 x 1 pixels"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const plc_made_jpeg jpeg = {16, 16, 1, 3, i % 2 == 1, false};
        const plc_made_png png = {16, 16, 1, PNG_COLOR_TYPE_RGB, 8, false};
        size_t size = 0;
        uint8_t *bytes = plc_make_jpeg(&jpeg, &size);

        claim_in_jpeg(bytes, size, (int)cases[i].width, (int)cases[i].height);
        assert_refused(bytes, size, cases[i].text);
        free(bytes);
        bytes = plc_make_png(&png, &size);
        store_u32(bytes + 16, cases[i].width);
        store_u32(bytes + 20, cases[i].height);
        assert_refused(bytes, size, cases[i].text);
        store_u32(bytes + 16, 0);
        assert_refused(bytes, size, "claims 0 x");
        store_u32(bytes + 16, 0xffffffff);
        assert_refused(bytes, size, "claims 4294967295 x");
        free(bytes);
    }
}

static void a_jpeg_of_endless_scans_is_refused(void **state)
{
    const plc_made_jpeg made = {64, 64, 1, 3, false, true};
    size_t size = 0;
    uint8_t *bytes = plc_make_jpeg(&made, &size);

    (void)state;
    assert_refused(bytes, size, "has more than 100 scans");
    free(bytes);
}

static void a_picture_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        const plc_made_jpeg jpeg = {24, 24, 1, 3, kind == 1, false};
        const plc_made_png png = {24, 24, 1, PNG_COLOR_TYPE_RGB, 8, kind == 3};
        size_t size = 0;
        uint8_t *bytes = kind < 2 ? plc_make_jpeg(&jpeg, &size) : plc_make_png(&png, &size);

        for (size_t cut = 0; cut < size; cut++)
            if (decode(bytes, cut, 0) != PLEACH_EINPUT)
                fail_msg("kind %d cut at %zu of %zu is read", kind, cut, size);
        assert_ok(decode(bytes, size, 0));
        free(bytes);
    }
}

static void damaged_pictures_never_crash(void **state)
{
    enum { N_ROUNDS = 1500 };
    int n_refused = 0;

    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        const plc_made_jpeg jpeg = {24, 24, 1, kind == 2 ? 4 : 3, kind == 1, false};
        const plc_made_png png = {
            24, 24, 1, kind == 3 ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_RGB_ALPHA, 8, kind == 4};
        size_t size = 0;
        uint8_t *bytes = kind < 3 ? plc_make_jpeg(&jpeg, &size) : plc_make_png(&png, &size);

        for (uint32_t round = 0; round < N_ROUNDS / 5; round++) {
            const plc_u32x4 draw = plc_random_u32x4(7, PLC_STREAM_TEST, (uint32_t)kind, round);
            const uint32_t at = plc_random_below(draw.x, (uint32_t)size);
            const uint8_t before = bytes[at];

            bytes[at] ^= (uint8_t)(draw.y % 255 + 1);
            n_refused += decode(bytes, size, 0) != PLEACH_OK;
            bytes[at] = before;
        }
        free(bytes);
    }
    assert_true(n_refused > N_ROUNDS / 5); // PNG has check sums
}

static void a_constant_stays_what_it_is(void **state)
{
    static const int sides[][2] = {{7, 5}, {64, 73}, {500, 64}, {1, 40}, {4096, 4}};
    plc_resampler resampler = {0};

    (void)state;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const int in = sides[i][0], side = sides[i][1];
        uint8_t *plane = malloc((size_t)in * 3), *out = malloc((size_t)side * (size_t)side);

        for (int value = 0; value <= 255; value += 51) {
            memset(plane, value, (size_t)in * 3);
            assert_ok(plc_resample(ctx, &resampler, (plc_plane){plane, 1, (size_t)in},
                                   (plc_rect){0, 0, in, 3}, out, side));
            for (int j = 0; j < side * side; j++)
                assert_int_equal(out[j], value);
        }
        free(plane);
        free(out);
    }
    plc_resampler_finish(&resampler);
}

static void reducing_uses_every_pixel_and_enlarging_is_linear(void **state)
{
    enum { IN = 64 };
    uint8_t plane[IN * IN], out[IN * IN], wide[4 * 4] = {0};
    plc_resampler resampler = {0};

    (void)state;
    for (int i = 0; i < IN * IN; i++)
        plane[i] =
            (i % IN + i / IN) % 2 ? 255 : 0; // any sampling of single pixels would show 0 or 255
    assert_ok(plc_resample(ctx, &resampler, (plc_plane){plane, 1, IN}, (plc_rect){0, 0, IN, IN},
                           out, 16));
    for (int i = 0; i < 16 * 16; i++)
        assert_in_range(out[i], 120, 135);
    assert_ok(plc_resample(ctx, &resampler, (plc_plane){plane, 1, IN},
                           (plc_rect){3, 5, IN / 2, IN / 2}, out, IN / 2));
    for (int y = 0; y < IN / 2; y++)
        assert_memory_equal(out + y * IN / 2, plane + (y + 5) * IN + 3, IN / 2);
    memcpy(plane, (uint8_t[]){0, 100}, 2);
    assert_ok(
        plc_resample(ctx, &resampler, (plc_plane){plane, 1, 2}, (plc_rect){0, 0, 2, 1}, wide, 4));
    assert_memory_equal(wide, ((uint8_t[]){0, 25, 75, 100}), 4); // pixels' centres at 1/4 and 3/4
    plc_resampler_finish(&resampler);
}

enum { VIEW_SIDE = 40, VIEW_SIZE = 32, VIEW_BYTES = 3 * VIEW_SIZE * VIEW_SIZE };

static void view_of(uint64_t seed, uint32_t epoch, uint32_t index, const plc_variety *variety,
                    uint8_t *out)
{
    uint8_t square[3 * VIEW_SIDE * VIEW_SIDE];
    plc_resampler resampler = {0};

    for (int c = 0; c < 3; c++)
        for (int i = 0; i < VIEW_SIDE * VIEW_SIDE; i++)
            square[c * VIEW_SIDE * VIEW_SIDE + i] =
                (uint8_t)(3 * (i % VIEW_SIDE) + 2 * (i / VIEW_SIDE) + 20 * c);
    assert_ok(plc_view(ctx, &resampler, square, 3, VIEW_SIDE, variety,
                       seed ? &(plc_draw){seed, epoch, index} : NULL, out, VIEW_SIZE));
    plc_resampler_finish(&resampler);
}

static void a_view_is_a_function_of_seed_epoch_and_picture(void **state)
{
    const plc_variety variety = {0.3, 0.4}, none = {1.0, 0.0};
    uint8_t a[VIEW_BYTES], b[VIEW_BYTES], centre[VIEW_BYTES];

    (void)state;
    view_of(5, 1, 2, &variety, a);
    view_of(5, 1, 2, &variety, b);
    assert_memory_equal(a, b, VIEW_BYTES);
    view_of(6, 1, 2, &variety, b);
    assert_memory_not_equal(a, b, VIEW_BYTES);
    view_of(5, 2, 2, &variety, b);
    assert_memory_not_equal(a, b, VIEW_BYTES);
    view_of(5, 1, 3, &variety, b);
    assert_memory_not_equal(a, b, VIEW_BYTES);
    view_of(0, 0, 0, &variety, centre); // evaluation
    assert_int_equal(centre[0], 3 * 4 + 2 * 4);
    view_of(5, 1, 2, &none, a);
    assert_memory_equal(a, centre, VIEW_BYTES);
}

static void views_stay_inside_and_keep_their_share(void **state)
{
    const plc_variety variety = {0.25, 0.0};
    double spread = 0;
    enum { N = 300 };

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        uint8_t a[VIEW_BYTES];

        view_of(9, 0, i, &variety, a);
        // Along a row the square rises by 3 per pixel: the view's rise tells the rectangle's width.
        const double width = (a[VIEW_SIZE - 1] - a[0]) / 3.0 / (VIEW_SIZE - 1) * VIEW_SIZE;

        assert_true(width > VIEW_SIDE * sqrt(0.25 * 0.75) - 2 && width < VIEW_SIDE + 2);
        spread += width;
    }
    assert_true(spread / N > 0.6 * VIEW_SIDE && spread / N < 0.95 * VIEW_SIDE);
}

static int drop_picture(void **state)
{
    plc_picture_finish(&picture);
    return drop_fixture(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpegs_of_every_kind_become_grey_or_rgb),
        cmocka_unit_test(pngs_of_every_kind_become_grey_or_rgb),
        cmocka_unit_test(a_jpeg_is_reduced_while_its_sides_stay_long_enough),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(absurd_sizes_are_refused_before_memory_is_taken),
        cmocka_unit_test(a_jpeg_of_endless_scans_is_refused),
        cmocka_unit_test(a_picture_cut_anywhere_is_refused),
        cmocka_unit_test(damaged_pictures_never_crash),
        cmocka_unit_test(a_constant_stays_what_it_is),
        cmocka_unit_test(reducing_uses_every_pixel_and_enlarging_is_linear),
        cmocka_unit_test(a_view_is_a_function_of_seed_epoch_and_picture),
        cmocka_unit_test(views_stay_inside_and_keep_their_share),
    };

    return cmocka_run_group_tests_name("pictures", tests, make_fixture, drop_picture);
}
