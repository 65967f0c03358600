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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_progress_line_fits_the_terminal),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
