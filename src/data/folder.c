// A folder of pictures as a data set.
#include <data/folder.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/memory.h>
#include <base/random.h>
#include <base/text.h>

// Steps of PLC_STREAM_SPLIT for the order of a list; classes have 1 and up.
enum { ORDER_OF_TRAIN = 0, ORDER_OF_VAL = PLC_MAX_CLASSES + 1 };

// Problems end the reading: a data set with holes would be another one.
static pleach_status refuse_problems(pleach_ctx *ctx, const plc_data_spec *spec,
                                     const plc_folder *folder)
{
    const plc_folder_problem *first = folder->problems;

    if (folder->n_problems == 0)
        return PLEACH_OK;
    return plc_fail(ctx, PLEACH_EINPUT,
                    "%s/%s: %s; problems of this kind: %zu; `pleach data check` lists all",
                    spec->path, first->path, first->why, folder->n_problems);
}

// A cache when all pictures of both lists fit into the cap together.
static pleach_status make_cache(pleach_ctx *ctx, const plc_data_spec *spec,
                                const plc_folder *folder, plc_pictures *p)
{
    pleach_status status = PLEACH_OK;
    const size_t bytes = plc_pictures_square_bytes(p);

    if (folder->n_files * bytes > (size_t)spec->cache_mib << 20)
        return PLEACH_OK;
    TRY(plc_alloc(ctx, (size_t)p->n, bytes, &p->cache));
    TRY(plc_alloc(ctx, (size_t)p->n, sizeof *p->kept, &p->kept));
done:
    return status;
}

// The files of one list in an order that mixes the classes, so that the first and the last pictures stand
// for all. Takes their paths.
static pleach_status take_files(pleach_ctx *ctx, const plc_data_spec *spec, plc_folder *folder,
                                bool val, plc_pictures *p)
{
    pleach_status status = PLEACH_OK;
    uint32_t *order = NULL;
    uint32_t n = 0;

    TRY(plc_alloc(ctx, folder->n_files, sizeof *order, &order));
    for (size_t i = 0; i < folder->n_files; i++)
        if (folder->files[i].val == val)
            order[n++] = (uint32_t)i;
    if (n == 0)
        FAIL(ctx, PLEACH_EINPUT, "%s: there are no pictures to %s", spec->path,
             val ? "test with" : "train with");
    plc_random_shuffle(spec->seed, PLC_STREAM_SPLIT, val ? ORDER_OF_VAL : ORDER_OF_TRAIN, order, n);
    TRY(plc_alloc(ctx, n, sizeof *p->paths, &p->paths));
    TRY(plc_alloc(ctx, n, sizeof *p->labels, &p->labels));
    p->n = (int)n;
    for (uint32_t i = 0; i < n; i++) {
        plc_folder_file *file = &folder->files[order[i]];

        p->paths[i] = file->path;
        p->labels[i] = file->label;
        file->path = NULL;
    }
done:
    free(order);
    return status;
}

static pleach_status make_pictures(pleach_ctx *ctx, const plc_data_spec *spec, plc_folder *folder,
                                   bool val, plc_pictures **pictures)
{
    pleach_status status = PLEACH_OK;
    plc_pictures *p = NULL;

    TRY(plc_alloc(ctx, 1, sizeof *p, &p));
    *pictures = p;
    p->channels = spec->channels;
    p->side = spec->store;
    p->size = spec->size;
    p->variety = spec->variety;
    p->n_threads = spec->n_threads;
    p->folder_fd = dup(folder->fd);
    if (p->folder_fd < 0)
        FAIL(ctx, PLEACH_EIO, "%s: cannot open the folder again: %s", spec->path, strerror(errno));
    TRY(plc_strdup(ctx, spec->path, &p->folder));
    TRY(take_files(ctx, spec, folder, val, p));
    TRY(make_cache(ctx, spec, folder, p));
done:
    return status;
}

pleach_status plc_folder_read(pleach_ctx *ctx, const char *text, pleach_dataset *dataset)
{
    pleach_status status = PLEACH_OK;
    plc_data_spec spec = {0};
    plc_folder folder = {0};

    TRY(plc_data_spec_parse(ctx, "folder", text, &spec));
    TRY(plc_folder_list(ctx, &spec, &folder));
    TRY(refuse_problems(ctx, &spec, &folder));
    dataset->channels = spec.channels;
    dataset->height = dataset->width = spec.size;
    dataset->n_classes = (int)folder.n_classes;
    dataset->own_class_names = folder.class_names;
    dataset->class_names = (const char *const *)folder.class_names;
    folder.class_names = NULL;
    folder.n_classes = 0;
    TRY(make_pictures(ctx, &spec, &folder, false, &dataset->train_pictures));
    TRY(make_pictures(ctx, &spec, &folder, true, &dataset->test_pictures));
    TRY(plc_split_of_pictures(ctx, dataset->train_pictures, &dataset->train));
    TRY(plc_split_of_pictures(ctx, dataset->test_pictures, &dataset->test));
    TRY(plc_pictures_measure(ctx, dataset->train_pictures, dataset->mean, dataset->deviation));
done:
    plc_folder_finish(&folder);
    plc_data_spec_finish(&spec);
    return status;
}
