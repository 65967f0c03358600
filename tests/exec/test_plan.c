// The memory plan: nothing alive at the same time overlaps, nothing straddles a slab.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <exec/plan.h>

enum { N = 60, ALIGNMENT = 128, SLAB = 1 << 16 };

static void random_lifetimes(unsigned seed, plc_buffer *buffers, plc_lifetime *items)
{
    for (int i = 0; i < N; i++) {
        const plc_u32x4 draw = plc_random_u32x4(seed, PLC_STREAM_TEST, 1, (plc_u64)i);
        const int first = (int)(draw.y % 100);
        buffers[i] = (plc_buffer){.bytes = 4 + draw.x % (SLAB / 3)};
        items[i] = (plc_lifetime){
            .buffer = &buffers[i], .first = first, .last = first + (int)(draw.z % 20)};
    }
}

static void buffers_alive_together_never_overlap(void **state)
{
    plc_buffer buffers[N];
    plc_lifetime items[N];

    (void)state;
    for (unsigned seed = 0; seed < 50; seed++) {
        size_t total;
        random_lifetimes(seed, buffers, items);
        plc_lifetimes_place(items, N, ALIGNMENT, SLAB, &total);
        for (int i = 0; i < N; i++) {
            const size_t end = items[i].offset + items[i].buffer->bytes;
            assert_true(end <= total);
            assert_int_equal(items[i].offset % ALIGNMENT, 0);
            assert_int_equal(items[i].offset / SLAB, (end - 1) / SLAB);
            for (int j = 0; j < i; j++) {
                const bool together =
                    items[i].first <= items[j].last && items[j].first <= items[i].last;
                const bool apart = end <= items[j].offset ||
                                   items[j].offset + items[j].buffer->bytes <= items[i].offset;
                assert_true(!together || apart);
            }
        }
    }
}

static void buffers_that_follow_one_another_share_memory(void **state)
{
    plc_buffer buffers[N];
    plc_lifetime items[N];
    size_t total;

    (void)state;
    for (int i = 0; i < N; i++) {
        buffers[i] = (plc_buffer){.bytes = 4096};
        items[i] = (plc_lifetime){.buffer = &buffers[i], .first = 2 * i, .last = 2 * i + 1};
    }
    plc_lifetimes_place(items, N, ALIGNMENT, SLAB, &total);
    assert_int_equal(total, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_alive_together_never_overlap),
        cmocka_unit_test(buffers_that_follow_one_another_share_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
