// Checking a data set: each file of a folder is decoded; the others are opened, which reads them whole.
#include <data/check.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/parallel.h>
#include <data/pack.h>

// Of a file of a folder: its sides, or why it is bad.
typedef struct finding {
    int width, height;
    char *why; // owned
} finding;

typedef struct reading {
    const plc_folder *folder;
    int least_side;
    finding *findings;            // owned, [n_files]
    plc_picture_scratch *scratch; // owned, one for each thread
} reading;

// The file's own failures are findings; memory that is missing is not the file's.
static pleach_status read_file(pleach_ctx *ctx, void *user, int thread, int item)
{
    pleach_status status = PLEACH_OK;
    reading *r = user;
    const char *path = r->folder->files[item].path;
    plc_picture_scratch *scratch = &r->scratch[thread];
    finding *found = &r->findings[item];
    size_t size = 0;

    TRY(plc_picture_file_read(ctx, r->folder->fd, path, path, scratch, &size));
    TRY(plc_picture_decode(ctx, path, scratch->bytes, size, r->least_side, &scratch->picture));
    found->width = scratch->picture.file_width;
    found->height = scratch->picture.file_height;
done:
    if (status == PLEACH_EIO || status == PLEACH_EINPUT) // their texts begin with the path
        return plc_strdup(ctx, pleach_error(ctx) + strlen(path) + strlen(": "), &found->why);
    return status;
}

static pleach_status read_files(pleach_ctx *ctx, const plc_data_spec *spec,
                                const plc_folder *folder, finding **findings)
{
    pleach_status status = PLEACH_OK;
    reading r = {.folder = folder, .least_side = spec->store};

    TRY(plc_alloc(ctx, folder->n_files, sizeof *r.findings, &r.findings));
    *findings = r.findings;
    TRY(plc_alloc(ctx, (size_t)spec->n_threads, sizeof *r.scratch, &r.scratch));
    TRY(plc_parallel_for(ctx, (int)folder->n_files, spec->n_threads, read_file, &r));
done:
    for (int t = 0; r.scratch && t < spec->n_threads; t++)
        plc_picture_scratch_finish(&r.scratch[t]);
    free(r.scratch);
    return status;
}

static int compare_ints(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static plc_side_range range_of(int *sides, size_t n)
{
    if (n == 0)
        return (plc_side_range){0};
    qsort(sides, n, sizeof *sides, compare_ints);
    return (plc_side_range){sides[0], sides[n / 2], sides[n - 1]};
}

static pleach_status measure_sides(pleach_ctx *ctx, const finding *findings, size_t n_files,
                                   plc_data_check *check)
{
    pleach_status status = PLEACH_OK;
    int *widths = NULL, *heights = NULL;
    size_t n = 0;

    TRY(plc_alloc(ctx, n_files, sizeof *widths, &widths));
    TRY(plc_alloc(ctx, n_files, sizeof *heights, &heights));
    for (size_t i = 0; i < n_files; i++)
        if (!findings[i].why) {
            widths[n] = findings[i].width;
            heights[n++] = findings[i].height;
        }
    check->width = range_of(widths, n);
    check->height = range_of(heights, n);
done:
    free(widths);
    free(heights);
    return status;
}

static int compare_problems(const void *a, const void *b)
{
    return strcmp(((const plc_folder_problem *)a)->path, ((const plc_folder_problem *)b)->path);
}

// Moves what is known of the folder into the check.
static pleach_status summarize(pleach_ctx *ctx, plc_folder *folder, const finding *findings,
                               plc_data_check *check)
{
    pleach_status status = PLEACH_OK;

    check->n_images = folder->n_files;
    check->n_ignored = (size_t)folder->n_ignored;
    TRY(plc_alloc(ctx, folder->n_classes, sizeof *check->classes, &check->classes));
    check->n_classes = folder->n_classes;
    for (size_t i = 0; i < folder->n_classes; i++) {
        check->classes[i].name = folder->class_names[i];
        folder->class_names[i] = NULL;
    }
    for (size_t i = 0; i < folder->n_files; i++) {
        plc_class_count *count = &check->classes[folder->files[i].label];

        *(folder->files[i].val ? &count->val : &count->train) += 1;
        if (findings[i].why)
            TRY(plc_folder_note(ctx, folder, folder->files[i].path, findings[i].why));
    }
    TRY(measure_sides(ctx, findings, folder->n_files, check));
    check->bad = folder->problems;
    check->n_bad = folder->n_problems;
    folder->problems = NULL;
    folder->n_problems = 0;
    if (check->n_bad)
        qsort(check->bad, check->n_bad, sizeof *check->bad, compare_problems);
done:
    return status;
}

static pleach_status check_folder(pleach_ctx *ctx, const char *text, plc_data_check *check)
{
    pleach_status status = PLEACH_OK;
    plc_data_spec spec = {0};
    plc_folder folder = {0};
    finding *findings = NULL;

    TRY(plc_data_spec_parse(ctx, "folder", text, &spec));
    TRY(plc_folder_list(ctx, &spec, &folder));
    TRY(read_files(ctx, &spec, &folder, &findings));
    TRY(summarize(ctx, &folder, findings, check));
done:
    for (size_t i = 0; findings && i < folder.n_files; i++)
        free(findings[i].why);
    free(findings);
    plc_folder_finish(&folder);
    plc_data_spec_finish(&spec);
    return status;
}

static void count_labels(const plc_split *split, bool val, plc_data_check *check)
{
    for (int i = 0; i < split->n_images; i++) {
        plc_class_count *count = &check->classes[split->labels[i]];

        *(val ? &count->val : &count->train) += 1;
    }
    check->n_images += (size_t)split->n_images;
}

static pleach_status count_images(pleach_ctx *ctx, const pleach_dataset *dataset,
                                  plc_data_check *check)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_alloc(ctx, (size_t)dataset->n_classes, sizeof *check->classes, &check->classes));
    check->n_classes = (size_t)dataset->n_classes;
    for (int i = 0; dataset->class_names && i < dataset->n_classes; i++)
        TRY(plc_strdup(ctx, dataset->class_names[i], &check->classes[i].name));
    count_labels(&dataset->train, false, check);
    count_labels(&dataset->test, true, check);
    check->width = (plc_side_range){dataset->width, dataset->width, dataset->width};
    check->height = (plc_side_range){dataset->height, dataset->height, dataset->height};
done:
    return status;
}

static pleach_status note_error(pleach_ctx *ctx, plc_data_check *check)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_alloc(ctx, 1, sizeof *check->bad, &check->bad));
    check->n_bad = 1;
    TRY(plc_strdup(ctx, "", &check->bad->path));
    TRY(plc_strdup(ctx, pleach_error(ctx), &check->bad->why));
done:
    return status;
}

pleach_status plc_data_check_run(pleach_ctx *ctx, const char *source, plc_data_check *check)
{
    pleach_status status = PLEACH_OK;
    const char folder[] = "folder:";
    pleach_dataset *dataset = NULL;

    *check = (plc_data_check){0};
    if (strncmp(source, folder, strlen(folder)) == 0)
        return check_folder(ctx, source + strlen(folder), check);
    status = pleach_dataset_open(ctx, source, NULL, &dataset);
    if (status == PLEACH_OK) {
        TRY(count_images(ctx, dataset, check));
        if (dataset->pack)
            status = plc_pack_verify(ctx, source, dataset->pack);
    }
    if (status == PLEACH_EINPUT || status == PLEACH_EIO)
        status = note_error(ctx, check);
done:
    pleach_dataset_destroy(&dataset);
    return status;
}

void plc_data_check_finish(plc_data_check *check)
{
    for (size_t i = 0; i < check->n_classes; i++)
        free(check->classes[i].name);
    free(check->classes);
    for (size_t i = 0; i < check->n_bad; i++) {
        free(check->bad[i].path);
        free(check->bad[i].why);
    }
    free(check->bad);
    *check = (plc_data_check){0};
}
