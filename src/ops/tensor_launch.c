// Tensor launches: coarse groups where one costs a microsecond, fine ones where thousands must run at once.
#include <ops/tensor_launch.h>

#include <stdio.h>
#include <kernel/tuner.h>

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

// Tiles of about `pixels` pixels.
static plc_tile cut(int n_channels, int n_items, int item_pixels, int pixels)
{
    const int budget = at_least_one(pixels / item_pixels);
    const int items = smaller(budget, n_items);
    const int channels = smaller(at_least_one(budget / n_items), n_channels);

    return (plc_tile){channels, items, parts(n_channels, channels), parts(n_items, items)};
}

static int default_pixels(const pleach_device *device)
{
    return device->vector_lanes ? VECTOR_PIXELS : WORK_ITEM_PIXELS;
}

plc_tile plc_tile_planes(const pleach_device *device, int n_channels, int n_items, int item_pixels)
{
    return cut(n_channels, n_items, item_pixels, default_pixels(device));
}

// Sizes of tiles that the tuner may try, in eighths of the default one, which comes first.
static const int tile_eighths[] = {8, 1, 2, 4, 16, 32, 64};
enum {
    N_TILE_SIZES = sizeof tile_eighths / sizeof *tile_eighths,
    TILE_NAME_MAX = 24,
    CLASS_MAX = 80
};

// The tuner's view of a launch: tiles that differ, and the buffers without repetition.
typedef struct tile_choice {
    plc_lower *lower;
    const plc_tiled_launch *tiled;
    plc_tile tiles[N_TILE_SIZES];
    char texts[N_TILE_SIZES][TILE_NAME_MAX];
    const char *names[N_TILE_SIZES];
    int n_tiles;
    int places[PLC_TUNE_MAX_BUFFERS]; // argument i is buffer places[i] of the measurement
} tile_choice;

static pleach_status append_tiled(plc_launch_list *list, const plc_lower *lower,
                                  const plc_tiled_launch *tiled, plc_buffer *const *buffers,
                                  plc_tile tile, plc_launch **launch)
{
    pleach_status status = PLEACH_OK;

    *tiled->tile_items = tile.items;
    if (tiled->tile_channels)
        *tiled->tile_channels = tile.channels;
    TRY(plc_append_tensor_launch(list, tiled->file, tiled->kernel, buffers, tiled->n_buffers,
                                 tiled->params, tiled->params_bytes, launch));
    plc_launch_groups(lower->device, *launch, tile.n_item_tiles, tile.n_channel_tiles,
                      (size_t)lower->n_blocks);
    (*launch)->flops = tiled->flops;
    (*launch)->bytes = tiled->bytes;
done:
    return status;
}

// A plc_tune_append.
static pleach_status append_candidate(plc_launch_list *list, const void *user, int candidate,
                                      plc_buffer *const *buffers)
{
    const tile_choice *choice = user;
    plc_buffer *arguments[PLC_TUNE_MAX_BUFFERS];
    plc_launch *launch = NULL;

    for (int i = 0; i < choice->tiled->n_buffers; i++)
        arguments[i] = buffers[choice->places[i]];
    return append_tiled(list, choice->lower, choice->tiled, arguments, choice->tiles[candidate],
                        &launch);
}

// The default tile first; sizes that cut the planes like one before are left out.
static void list_tiles(tile_choice *choice)
{
    const plc_tiled_launch *t = choice->tiled;

    for (int i = 0; i < N_TILE_SIZES; i++) {
        const int pixels = default_pixels(choice->lower->device) * tile_eighths[i] / 8;
        const plc_tile tile = cut(t->n_channels, t->n_items, t->item_pixels, pixels);
        bool is_new = true;

        for (int j = 0; j < choice->n_tiles; j++)
            is_new = is_new && (tile.items != choice->tiles[j].items ||
                                tile.channels != choice->tiles[j].channels);
        if (!is_new)
            continue;
        snprintf(choice->texts[choice->n_tiles], TILE_NAME_MAX, "%d pixels", pixels);
        choice->names[choice->n_tiles] = choice->texts[choice->n_tiles];
        choice->tiles[choice->n_tiles++] = tile;
    }
}

// Floats of a buffer as far as this step needs it. Scratch and workspace get their sizes only after
// lowering.
static size_t count_floats(const plc_lower *lower, const plc_buffer *buffer)
{
    if (buffer == lower->scratch)
        return lower->scratch_floats;
    if (buffer == lower->workspace)
        return lower->workspace_floats;
    return buffer->bytes / sizeof(float);
}

static void list_buffers(tile_choice *choice, plc_tune_problem *problem)
{
    const plc_tiled_launch *t = choice->tiled;

    for (int i = 0; i < t->n_buffers; i++) {
        int j = 0;
        while (t->buffers[j] != t->buffers[i])
            j++;
        choice->places[i] = j < i ? choice->places[j] : problem->n_buffers;
        if (j == i)
            problem->buffer_floats[problem->n_buffers++] =
                count_floats(choice->lower, t->buffers[i]);
    }
    problem->result = choice->places[t->result];
}

pleach_status plc_append_tiled_launch(plc_lower *lower, const plc_tiled_launch *tiled,
                                      plc_launch **launch)
{
    pleach_status status = PLEACH_OK;
    tile_choice choice = {.lower = lower, .tiled = tiled};
    char shape[CLASS_MAX];
    int chosen = 0;

    list_tiles(&choice);
    snprintf(shape, sizeof shape, "items %dx%d channels %d images %d",
             plc_tune_round(tiled->n_items), tiled->item_pixels, plc_tune_round(tiled->n_channels),
             plc_tune_round(lower->n_images));
    plc_tune_problem problem = {.operation = tiled->kernel,
                                .shape = shape,
                                .names = choice.names,
                                .n_candidates = choice.n_tiles,
                                .append = append_candidate,
                                .user = &choice};
    list_buffers(&choice, &problem);
    TRY(plc_tuner_choose(lower->device, &problem, &chosen));
    TRY(append_tiled(lower->list, lower, tiled, tiled->buffers, choice.tiles[chosen], launch));
done:
    return status;
}

pleach_status plc_append_pixels_launch(plc_lower *lower, plc_tiled_launch pixels, int n_pixels)
{
    plc_launch *launch = NULL;

    pixels.result = pixels.n_buffers - 1;
    pixels.n_channels = 1;
    pixels.n_items = n_pixels;
    pixels.item_pixels = 1;
    return plc_append_tiled_launch(lower, &pixels, &launch);
}
