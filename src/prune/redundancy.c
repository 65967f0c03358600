// Correlations of feature maps: batches run forward, and behind each layer the products of its channels are added up.
#include <prune/redundancy.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <data/loader.h>
#include <kernel/kernels.h>
#include <ops/tensor_launch.h>
#include "../../cl/features_params.h"

// Batches that are looked at; a few hundred images say which maps are alike.
enum { PROBE_BATCHES = 2 };

// Parts of the image blocks; from the batch alone, so that compaction changes no bit.
enum { MOST_SPLITS = 16 };

// A layer whose channels can be pruned: its products begin at `offset`.
typedef struct layer {
    int node, offset;
    plc_launch_list list; // behind its own launches
} layer;

struct plc_redundancy {
    pleach_session *session; // borrowed
    int n_classes, n_products, n_running;
    layer *layers; // owned
    int n_layers;
    plc_buffer *means, *partial, *products; // owned, as all of these
    plc_buffer *places, *place_starts, *kept, *running;
    plc_launch_list score;
};

static int count_splits(const pleach_session *s)
{
    return s->n_blocks < MOST_SPLITS ? s->n_blocks : MOST_SPLITS;
}

static bool makes_prunable(const pleach_graph *graph, const plc_channels *channels, int node)
{
    if (!plc_graph_is(graph, node, "conv") && !plc_graph_is(graph, node, "linear"))
        return false;
    for (int c = 0; c < graph->nodes[node].shape.c; c++) {
        const int class_id = plc_channels_class(channels, node, c);
        if (!plc_channels_group(channels, plc_channels_group_of(channels, class_id))->frozen)
            return true;
    }
    return false;
}

// Kernels index the products of all layers, and a layer's in all parts of the batch, with an int.
static pleach_status check_products(const plc_redundancy *r, int node)
{
    const plc_node *of = &r->session->graph->nodes[node];
    const size_t products = (size_t)of->shape.c * (size_t)of->shape.c;
    const size_t partial = products * (size_t)count_splits(r->session);
    const size_t all = (size_t)r->n_products + products;

    if (partial <= INT_MAX && all <= INT_MAX)
        return PLEACH_OK;
    return plc_fail(r->session->ctx, PLEACH_EUSAGE,
                    "score redundancy: the %d channels of '%s' make %zu products, at most %d can "
                    "be; use --score l2",
                    of->shape.c, of->name, partial > all ? partial : all, INT_MAX);
}

static pleach_status find_layers(plc_redundancy *r, const plc_channels *channels)
{
    pleach_status status = PLEACH_OK;
    const pleach_graph *graph = r->session->graph;

    TRY(plc_alloc(r->session->ctx, (size_t)graph->n_nodes, sizeof *r->layers, &r->layers));
    for (int i = 1; i < graph->n_nodes; i++) {
        if (!makes_prunable(graph, channels, i))
            continue;
        TRY(check_products(r, i));
        r->layers[r->n_layers].node = i;
        r->layers[r->n_layers].offset = r->n_products;
        plc_launch_list_init(&r->layers[r->n_layers++].list, r->session->device);
        r->n_products += graph->nodes[i].shape.c * graph->nodes[i].shape.c;
    }
done:
    return status;
}

// The places of each class among the products, in the order of layers.
static pleach_status upload_places(plc_redundancy *r, const plc_channels *channels)
{
    pleach_status status = PLEACH_OK;
    pleach_session *s = r->session;
    features_place *places = NULL;
    int *starts = NULL, *filled = NULL, n = 0;

    TRY(plc_alloc(s->ctx, (size_t)r->n_classes + 1, sizeof *starts, &starts));
    TRY(plc_alloc(s->ctx, (size_t)r->n_classes + 1, sizeof *filled, &filled));
    for (int l = 0; l < r->n_layers; l++)
        for (int c = 0; c < s->graph->nodes[r->layers[l].node].shape.c; c++, n++)
            starts[plc_channels_class(channels, r->layers[l].node, c) + 1]++;
    for (int k = 0; k < r->n_classes; k++)
        starts[k + 1] += starts[k];
    TRY(plc_alloc(s->ctx, (size_t)n + 1, sizeof *places, &places));
    for (int l = 0; l < r->n_layers; l++) {
        const int n_channels = s->graph->nodes[r->layers[l].node].shape.c;
        for (int c = 0; c < n_channels; c++) {
            const int k = plc_channels_class(channels, r->layers[l].node, c);
            places[starts[k] + filled[k]++] = (features_place){r->layers[l].offset, n_channels, c};
        }
    }
    TRY(plc_buffer_upload(s->device, "places", places, (size_t)n * sizeof *places, &r->places));
    TRY(plc_buffer_upload(s->device, "place starts", starts,
                          ((size_t)r->n_classes + 1) * sizeof *starts, &r->place_starts));
done:
    free(places);
    free(starts);
    free(filled);
    return status;
}

static features_params params_of(const plc_redundancy *r, int node)
{
    const pleach_session *s = r->session;
    const plc_tensor x = s->train_values.items[node];

    return (features_params){.planes = x.planes,
                             .first = x.first,
                             .C = x.shape.c,
                             .size = x.shape.h * x.shape.w,
                             .n_images = s->batch,
                             .n_blocks = s->n_blocks,
                             .n_splits = count_splits(s)};
}

static pleach_status create_buffers(plc_redundancy *r)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = r->session->device;
    size_t most_means = 1, most_partial = 1;

    for (int l = 0; l < r->n_layers; l++) {
        const features_params p = params_of(r, r->layers[l].node);
        const size_t c = (size_t)p.C, partial = c * c * (size_t)p.n_splits;
        most_means = c > most_means ? c : most_means;
        most_partial = partial > most_partial ? partial : most_partial;
    }
    TRY(plc_buffer_create(device, "feature means", most_means * sizeof(float), &r->means));
    TRY(plc_buffer_create(device, "partial products", most_partial * sizeof(float), &r->partial));
    TRY(plc_buffer_create(device, "products", ((size_t)r->n_products + 1) * sizeof(float),
                          &r->products));
    TRY(plc_buffer_create(device, "kept classes", (size_t)r->n_classes, &r->kept));
    TRY(plc_buffer_create(device, "running statistics", ((size_t)r->n_running + 1) * sizeof(float),
                          &r->running));
done:
    return status;
}

static pleach_status add_products(plc_redundancy *r, layer *of)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = r->session->device;
    plc_buffer *x = r->session->train_values.items[of->node].buffer;
    const features_params p = params_of(r, of->node);
    const size_t n_tiles = ((size_t)p.C + FEATURES_TILE - 1) / FEATURES_TILE;
    plc_launch *launch = NULL;

    TRY(plc_append_tensor_launch(&of->list, "features", "feature_means", PLC_BUFFERS(x, r->means),
                                 &p, sizeof p, &launch));
    plc_launch_groups(device, launch, (size_t)p.C, 1, 1);
    TRY(plc_append_tensor_launch(&of->list, "features", "feature_products",
                                 PLC_BUFFERS(x, r->means, r->partial), &p, sizeof p, &launch));
    plc_launch_groups(device, launch, n_tiles * (n_tiles + 1) / 2, (size_t)p.n_splits, 1);
    TRY(plc_launch_add(&of->list, "features", "feature_products_add", "", &launch));
    plc_launch_arg_buffer(launch, r->partial);
    plc_launch_arg_buffer(launch, r->products);
    plc_launch_arg_int(launch, of->offset);
    plc_launch_arg_int(launch, p.C * p.C);
    plc_launch_arg_int(launch, p.n_splits);
    plc_launch_items(launch, (size_t)(p.C * p.C));
    TRY(plc_launch_list_freeze(&of->list));
done:
    return status;
}

static pleach_status add_score(plc_redundancy *r, const plc_redundancy_buffers *buffers)
{
    pleach_status status = PLEACH_OK;
    plc_buffer *const args[] = {r->products,    r->places,         r->place_starts,
                                buffers->peers, buffers->peers_of, buffers->norms,
                                r->kept,        buffers->scores};
    plc_launch *launch = NULL;

    TRY(plc_launch_add(&r->score, "features", "score_redundancy", "", &launch));
    for (size_t i = 0; i < sizeof args / sizeof *args; i++)
        plc_launch_arg_buffer(launch, args[i]);
    plc_launch_arg_int(launch, r->n_classes);
    plc_launch_items(launch, (size_t)r->n_classes);
    TRY(plc_launch_list_freeze(&r->score));
done:
    return status;
}

pleach_status plc_redundancy_create(pleach_session *session, const plc_channels *channels,
                                    const plc_redundancy_buffers *buffers, plc_redundancy **out)
{
    pleach_status status = PLEACH_OK;
    plc_redundancy *r = NULL;

    TRY(plc_alloc(session->ctx, 1, sizeof *r, &r));
    r->session = session;
    r->n_classes = plc_channels_n_classes(channels);
    r->n_running = session->layout->n_floats - session->layout->n_trainable;
    plc_launch_list_init(&r->score, session->device);
    TRY(find_layers(r, channels));
    TRY(create_buffers(r));
    TRY(upload_places(r, channels));
    for (int l = 0; l < r->n_layers; l++)
        TRY(add_products(r, &r->layers[l]));
    TRY(add_score(r, buffers));
    *out = r;
    r = NULL;
done:
    plc_redundancy_destroy(&r);
    return status;
}

void plc_redundancy_destroy(plc_redundancy **redundancy)
{
    plc_redundancy *r = *redundancy;

    if (r == NULL)
        return;
    pleach_device *device = r->session->device;
    plc_device_settle(device); // nothing may still use what goes
    for (int l = 0; l < r->n_layers; l++)
        plc_launch_list_finish(&r->layers[l].list);
    plc_launch_list_finish(&r->score);
    plc_buffer **buffers[] = {&r->means,        &r->partial, &r->products, &r->places,
                              &r->place_starts, &r->kept,    &r->running};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        plc_buffer_destroy(device, buffers[i]);
    free(r->layers);
    free(r);
    *redundancy = NULL;
}

// A plc_session_watch.
static pleach_status add_layer(void *user, int node)
{
    plc_redundancy *r = user;

    for (int l = 0; l < r->n_layers; l++)
        if (r->layers[l].node == node)
            return plc_launch_list_run(&r->layers[l].list);
    return PLEACH_OK;
}

static pleach_status add_batch(plc_redundancy *r, const plc_batch *batch, unsigned step)
{
    pleach_status status = PLEACH_OK;
    cl_event uploaded = NULL;

    TRY(plc_session_upload(r->session, batch->images, batch->labels, batch->n, &uploaded));
    TRY(plc_session_forward_watched(r->session, step, add_layer, r));
    TRY(plc_device_wait(r->session->device, &uploaded));
done:
    plc_device_drop_event(r->session->device, &uploaded);
    return status;
}

static pleach_status add_batches(plc_redundancy *r, const plc_split *images,
                                 unsigned long long seed, unsigned update)
{
    pleach_status status = PLEACH_OK;
    plc_loader *loader = NULL;
    plc_batch batch;
    const plc_loader_opts opts = {.batch = r->session->batch,
                                  .seed = seed,
                                  .shuffle = true,
                                  .drop_last = true,
                                  .epoch = (int)update,
                                  .n_epochs = 1};

    TRY(plc_loader_create(r->session->ctx, images, &opts, &loader));
    for (int i = 0; i < PROBE_BATCHES && plc_loader_next(loader, &batch); i++) {
        TRY(add_batch(r, &batch, update * PROBE_BATCHES + (unsigned)i));
        plc_loader_release(loader);
    }
    TRY(plc_loader_failure(loader, r->session->ctx));
done:
    plc_device_settle(r->session->device); // the batches' memory goes
    plc_loader_destroy(&loader);
    return status;
}

pleach_status plc_redundancy_run(plc_redundancy *r, const plc_split *images,
                                 const unsigned char *kept, unsigned long long seed,
                                 unsigned update)
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = r->session->device;
    plc_buffer *weights = r->session->weights;
    const size_t at = (size_t)r->session->layout->n_trainable * sizeof(float);
    const size_t bytes = (size_t)r->n_running * sizeof(float);

    TRY(plc_buffer_write(device, r->kept, 0, (size_t)r->n_classes, kept));
    TRY(plc_buffer_fill(device, r->products, 0, r->products->bytes, 0));
    TRY(plc_buffer_copy(device, weights, at, r->running, 0, bytes));
    TRY(add_batches(r, images, seed, update));
    TRY(plc_buffer_copy(device, r->running, 0, weights, at, bytes));
    plc_session_touch(r->session);
    TRY(plc_launch_list_run(&r->score));
    TRY(plc_device_finish(device));
done:
    return status;
}
