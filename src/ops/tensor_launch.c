// Tensor launches: coarse groups where one costs a microsecond, fine ones where thousands must run at once.
#include <ops/tensor_launch.h>

// Pixels (all lanes of each) that one group handles. On a CPU 64 KiB, long enough to hide the start of a
// group, short enough for its cache; on a GPU the loads that one work-item keeps in flight.
enum { VECTOR_PIXELS = 1024, WORK_ITEM_PIXELS = 16 };

pleach_status plc_append_tensor_launch(plc_launch_list *list, const char *file, const char *kernel,
                                       plc_buffer *const *buffers, int n_buffers,
                                       const void *params, size_t params_bytes, plc_launch **launch)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_launch_add(list, file, kernel, "", launch));
    for (int i = 0; i < n_buffers; i++)
        plc_launch_arg_buffer(*launch, buffers[i]);
    plc_launch_arg_value(*launch, params, params_bytes);
done:
    return status;
}

static int at_least_one(int n)
{
    return n < 1 ? 1 : n;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static size_t parts(int n, int part)
{
    return ((size_t)n + (size_t)part - 1) / (size_t)part;
}

plc_tile plc_tile_planes(const pleach_device *device, int n_channels, int n_items, int item_pixels)
{
    const int budget =
        at_least_one((device->vector_lanes ? VECTOR_PIXELS : WORK_ITEM_PIXELS) / item_pixels);
    const int items = smaller(budget, n_items);
    const int channels = smaller(at_least_one(budget / n_items), n_channels);

    return (plc_tile){channels, items, parts(n_channels, channels), parts(n_items, items)};
}

plc_tile plc_tile_pixels(const pleach_device *device, int n)
{
    return plc_tile_planes(device, 1, n, 1);
}
