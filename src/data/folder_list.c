// Listing a folder of pictures: DIR/train/CLASS/* and DIR/val/CLASS/*, or DIR/CLASS/*.
#include <data/folder.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>
#include <base/random.h>

pleach_status plc_folder_note(pleach_ctx *ctx, plc_folder *folder, const char *path,
                              const char *why)
{
    pleach_status status = PLEACH_OK;
    plc_folder_problem *problem = NULL;

    TRY(plc_grow(ctx, &folder->problems, &folder->problems_capacity, folder->n_problems + 1));
    problem = &folder->problems[folder->n_problems];
    TRY(plc_strdup(ctx, path, &problem->path));
    TRY(plc_strdup(ctx, why, &problem->why));
    folder->n_problems++;
    problem = NULL;
done:
    if (problem) {
        free(problem->path);
        problem->path = NULL;
    }
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

// The names in a folder below folder->fd, sorted; hidden ones are left out.
static pleach_status list_names(pleach_ctx *ctx, const plc_folder *folder, const char *path,
                                char ***names, size_t *n)
{
    pleach_status status = PLEACH_OK;
    const int fd = strcmp(path, ".") == 0
                       ? openat(folder->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                       : plc_open_below(folder->fd, path);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    size_t capacity = 0;

    const int error = errno;
    *names = NULL;
    *n = 0;
    if (!dir && fd >= 0)
        close(fd);
    if (!dir)
        FAIL(ctx, PLEACH_EIO, "%s: cannot list: %s", path, strerror(error));
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (entry->d_name[0] == '.')
            continue;
        if (*n == PLC_MAX_IMAGES)
            FAIL(ctx, PLEACH_EINPUT, "%s: has more than %d names", path, PLC_MAX_IMAGES);
        TRY(plc_grow(ctx, names, &capacity, *n + 1));
        TRY(plc_strdup(ctx, entry->d_name, &(*names)[*n]));
        (*n)++;
    }
    if (*n)
        qsort(*names, *n, sizeof **names, compare_names);
done:
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return status;
}

typedef enum kind { KIND_FOLDER, KIND_FILE, KIND_OTHER } kind;

static kind kind_of(const plc_folder *folder, const char *path, const char **why)
{
    struct stat info;

    if (fstatat(folder->fd, path, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        *why = strerror(errno);
        return KIND_OTHER;
    }
    if (S_ISDIR(info.st_mode))
        return KIND_FOLDER;
    if (S_ISREG(info.st_mode))
        return KIND_FILE;
    *why = S_ISLNK(info.st_mode) ? "is a link, which is not followed" : "is not a regular file";
    return KIND_OTHER;
}

static bool is_picture_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 ||
                   strcasecmp(dot, ".png") == 0);
}

static pleach_status join(pleach_ctx *ctx, const char *dir, const char *name, char **path)
{
    if (strcmp(dir, ".") == 0)
        return plc_strdup(ctx, name, path);
    return plc_path_join(ctx, dir, name, path);
}

// Takes *path.
static pleach_status add_file(pleach_ctx *ctx, plc_folder *folder, char **path, size_t label,
                              bool val)
{
    pleach_status status = PLEACH_OK;

    if (folder->n_files == PLC_MAX_IMAGES)
        FAIL(ctx, PLEACH_EINPUT, "%s: there are more than %d pictures", *path, PLC_MAX_IMAGES);
    TRY(plc_grow(ctx, &folder->files, &folder->files_capacity, folder->n_files + 1));
    folder->files[folder->n_files++] = (plc_folder_file){*path, (uint16_t)label, val};
    *path = NULL;
done:
    return status;
}

static pleach_status list_pictures(pleach_ctx *ctx, plc_folder *folder, const char *dir,
                                   size_t label, bool val)
{
    pleach_status status = PLEACH_OK;
    const size_t n_before = folder->n_files;
    char **names = NULL, *path = NULL;
    const char *why = NULL;
    size_t n = 0;

    TRY(list_names(ctx, folder, dir, &names, &n));
    for (size_t i = 0; i < n; i++) {
        free(path);
        TRY(join(ctx, dir, names[i], &path));
        const kind kind = kind_of(folder, path, &why);
        if (kind == KIND_OTHER)
            TRY(plc_folder_note(ctx, folder, path, why));
        else if (kind == KIND_FOLDER || !is_picture_name(names[i]))
            folder->n_ignored++;
        else
            TRY(add_file(ctx, folder, &path, label, val));
    }
    if (folder->n_files == n_before && !val)
        TRY(plc_folder_note(ctx, folder, dir, "holds no .jpg, .jpeg or .png file"));
done:
    free(path);
    free_names(names, n);
    return status;
}

// Its number, or n_classes.
static size_t find_class(const plc_folder *folder, const char *name)
{
    char **found = folder->n_classes ? bsearch(&name, folder->class_names, folder->n_classes,
                                               sizeof *folder->class_names, compare_names)
                                     : NULL;

    return found ? (size_t)(found - folder->class_names) : folder->n_classes;
}

// Takes `name` when it is a new class of a folder that may bring some.
static pleach_status class_of(pleach_ctx *ctx, plc_folder *folder, const char *path, char **name,
                              bool val, size_t *label)
{
    pleach_status status = PLEACH_OK;

    *label = val ? find_class(folder, *name) : folder->n_classes;
    if (val || *label == PLC_MAX_CLASSES) {
        if (*label == folder->n_classes)
            TRY(plc_folder_note(ctx, folder, path,
                                val ? "is a class that train/ has not" : "is one class too many"));
        return PLEACH_OK;
    }
    TRY(plc_grow(ctx, &folder->class_names, &folder->classes_capacity, folder->n_classes + 1));
    folder->class_names[folder->n_classes++] = *name;
    *name = NULL;
done:
    return status;
}

// `dir` holds a folder for each class.
static pleach_status list_classes(pleach_ctx *ctx, plc_folder *folder, const char *dir, bool val)
{
    pleach_status status = PLEACH_OK;
    char **names = NULL, *path = NULL;
    const char *why = NULL;
    size_t n = 0, label = 0;

    TRY(list_names(ctx, folder, dir, &names, &n));
    for (size_t i = 0; i < n; i++) {
        free(path);
        TRY(join(ctx, dir, names[i], &path));
        const kind kind = kind_of(folder, path, &why);
        if (kind == KIND_FILE)
            folder->n_ignored++;
        if (kind == KIND_OTHER)
            TRY(plc_folder_note(ctx, folder, path, why));
        if (kind != KIND_FOLDER)
            continue;
        TRY(class_of(ctx, folder, path, &names[i], val, &label));
        if (label < folder->n_classes)
            TRY(list_pictures(ctx, folder, path, label, val));
    }
done:
    free(path);
    free_names(names, n);
    return status;
}

// Marks a share of each class, chosen by the seed; at least one picture where there are two.
static pleach_status hold_out(pleach_ctx *ctx, plc_folder *folder, const plc_data_spec *spec)
{
    pleach_status status = PLEACH_OK;
    uint32_t *places = NULL;
    size_t first = 0;

    TRY(plc_alloc(ctx, folder->n_files, sizeof *places, &places));
    while (first < folder->n_files) {
        const uint16_t label = folder->files[first].label;
        uint32_t n = 0, n_val = 0;

        while (first + n < folder->n_files && folder->files[first + n].label == label) {
            places[n] = n;
            n++;
        }
        plc_random_shuffle(spec->seed, PLC_STREAM_SPLIT, label + 1u, places, n);
        n_val = (uint32_t)(n * spec->val + 0.5);
        if (n_val == 0 && n > 1)
            n_val = 1;
        if (n_val == n && n > 0)
            n_val = n - 1;
        for (uint32_t i = 0; i < n_val; i++)
            folder->files[first + places[i]].val = true;
        first += n;
    }
done:
    free(places);
    return status;
}

// What lies in a folder, "." is the data set's own.
typedef struct contents {
    int n_folders, n_pictures;
} contents;

static pleach_status count_contents(pleach_ctx *ctx, const plc_folder *folder, const char *dir,
                                    contents *found)
{
    pleach_status status = PLEACH_OK;
    char **names = NULL, *path = NULL;
    const char *why = NULL;
    size_t n = 0;

    *found = (contents){0};
    TRY(list_names(ctx, folder, dir, &names, &n));
    for (size_t i = 0; i < n; i++) {
        free(path);
        TRY(join(ctx, dir, names[i], &path));
        const kind kind = kind_of(folder, path, &why);
        found->n_folders += kind == KIND_FOLDER;
        found->n_pictures += kind == KIND_FILE && is_picture_name(names[i]);
    }
done:
    free(path);
    free_names(names, n);
    return status;
}

// Half of a split holds folders; a class holds pictures, and has others beside it.
static pleach_status find_half(pleach_ctx *ctx, const plc_folder *folder, const char *alone,
                               bool *is_half)
{
    pleach_status status = PLEACH_OK;
    contents inside, beside;

    TRY(count_contents(ctx, folder, alone, &inside));
    TRY(count_contents(ctx, folder, ".", &beside));
    *is_half = inside.n_folders > 0 && (inside.n_pictures == 0 || beside.n_folders == 1);
done:
    return status;
}

// Whether there are train/ and val/. One of them alone is a mistake, or a class that is called so.
static pleach_status find_split(pleach_ctx *ctx, const plc_data_spec *spec, plc_folder *folder)
{
    pleach_status status = PLEACH_OK;
    const char *why = NULL;
    const bool has_train = kind_of(folder, "train", &why) == KIND_FOLDER,
               has_val = kind_of(folder, "val", &why) == KIND_FOLDER;
    const char *alone = has_train ? "train" : "val", *missing = has_train ? "val" : "train";
    bool is_half = false;

    folder->is_split = has_train && has_val;
    if (has_train != has_val)
        TRY(find_half(ctx, folder, alone, &is_half));
    if (is_half)
        FAIL(ctx, PLEACH_EINPUT,
             "%s: has %s/ but no %s/; add it, or give folder:%s/%s,val=0.1 to hold out a share of "
             "it",
             spec->path, alone, missing, spec->path, alone);
    if (folder->is_split && spec->val_given)
        FAIL(ctx, PLEACH_EUSAGE,
             "%s: has train/ and val/, so val=%g would hold out nothing; leave it out", spec->path,
             spec->val);
done:
    return status;
}

pleach_status plc_folder_list(pleach_ctx *ctx, const plc_data_spec *spec, plc_folder *folder)
{
    pleach_status status = PLEACH_OK;

    *folder = (plc_folder){0};
    folder->fd = open(spec->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0) {
        folder->fd = 0;
        FAIL(ctx, PLEACH_EIO, "%s: cannot open the folder: %s", spec->path, strerror(errno));
    }
    TRY(find_split(ctx, spec, folder));
    TRY(list_classes(ctx, folder, folder->is_split ? "train" : ".", false));
    if (folder->is_split)
        TRY(list_classes(ctx, folder, "val", true));
    else
        TRY(hold_out(ctx, folder, spec));
    if (folder->n_classes == 0 && folder->n_problems == 0)
        FAIL(ctx, PLEACH_EINPUT,
             "%s: holds no folders of classes; expected CLASS/*.jpg, or train/CLASS/*.jpg and "
             "val/CLASS/*.jpg",
             spec->path);
done:
    return status;
}

void plc_folder_finish(plc_folder *folder)
{
    if (folder->fd > 0)
        close(folder->fd);
    free_names(folder->class_names, folder->n_classes);
    for (size_t i = 0; i < folder->n_files; i++)
        free(folder->files[i].path);
    free(folder->files);
    for (size_t i = 0; i < folder->n_problems; i++) {
        free(folder->problems[i].path);
        free(folder->problems[i].why);
    }
    free(folder->problems);
    *folder = (plc_folder){0};
}
