// The progress line. The program's parts are in no library: its source is part of this test.
#include <cli/progress.c>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void the_progress_line_fits_the_terminal(void **state)
{
    const pleach_progress now = {.device = "a device with a long name",
                                 .network = "",
                                 .phase = "prune",
                                 .epoch = 3,
                                 .n_epochs = 12,
                                 .step = 21,
                                 .n_steps = 468,
                                 .images_per_second = 12345,
                                 .loss = 0.41,
                                 .accuracy = 0.873,
                                 .macs_kept = 0.62,
                                 .params_kept = 0.7,
                                 .seconds_left = 95};
    char text[256];

    (void)state;
    for (int width = 1; width < 140; width++) {
        plc_progress_format(&now, width, text, sizeof text);
        assert_true((int)strlen(text) <= width);
    }
    assert_string_equal(
        text,
        "prune 3/12    4 %  loss 0.410  accuracy 87.3 %  12345 images/s  1m35s left  MACs 62.0 %  "
        "a device with a long name");
}

// Runs what writes to stderr and returns what it wrote.
static const char *stderr_of(plc_progress_mode mode, double told_before)
{
    static char text[512];
    plc_progress progress = {.mode = mode, .told = told_before};
    const int kept = dup(STDERR_FILENO);
    FILE *file = tmpfile();

    assert_true(kept >= 0 && file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    plc_progress_show_device(&progress, "building kernels", 12, 31);
    plc_progress_show_device(&progress, "timing kernels", 3, 0);
    plc_progress_show_device(&progress, NULL, 0, 0);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void building_kernels_is_told_where_someone_waits(void **state)
{
    (void)state;
    const double long_ago = plc_clock_seconds() - 60.0;

    assert_string_equal(stderr_of(PLC_PROGRESS_PLAIN, long_ago), "building kernels 12/31\n");
    assert_string_equal(stderr_of(PLC_PROGRESS_PLAIN, 0.0), ""); // nothing that is over at once
    assert_string_equal(stderr_of(PLC_PROGRESS_NONE, long_ago), "");
    assert_string_equal(stderr_of(PLC_PROGRESS_BAR, 0.0),
                        "building kernels 12/31\r\033[Ktiming kernels 3\r\033[K");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_progress_line_fits_the_terminal),
        cmocka_unit_test(building_kernels_is_told_where_someone_waits),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
