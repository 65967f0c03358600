// The order of the folders: each includes only those above it, and OpenCL is called in two of them.
#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// From the foundation up; docs/architecture.md says what each is for.
static const char *const folders[] = {"base",    "graph", "models", "device", "kernel", "ops",
                                      "exec",    "data",  "io",     "train",  "price",  "prune",
                                      "rewrite", "fuse",  "report", "run",    "cli"};
enum { N_FOLDERS = sizeof folders / sizeof *folders, MAX_PATH = 1024, MAX_LINE = 4096 };

static char root[MAX_PATH]; // of the source tree

// This file is tests/layers/test_layers.c.
static int find_root(void **state)
{
    const char *end = strstr(__FILE__, "tests/layers/");

    (void)state;
    if (!end)
        return -1;
    snprintf(root, sizeof root, "%.*s", (int)(end - __FILE__), __FILE__);
    return 0;
}

static int level_of(const char *folder, size_t length)
{
    for (int i = 0; i < N_FOLDERS; i++)
        if (strlen(folders[i]) == length && strncmp(folders[i], folder, length) == 0)
            return i;
    return -1;
}

// Calls `check` for each line of each C file of src/<folder>; returns how many files it saw.
static int for_each_line(const char *folder, int *n_wrong,
                         void (*check)(const char *, int, const char *, int *))
{
    char dir_path[2 * MAX_PATH], path[4 * MAX_PATH], line[MAX_LINE];
    int n_files = 0;

    snprintf(dir_path, sizeof dir_path, "%ssrc/%s", root, folder);
    DIR *dir = opendir(dir_path);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        const char *dot = strrchr(entry->d_name, '.');
        int number = 0;

        if (!dot || (strcmp(dot, ".c") != 0 && strcmp(dot, ".h") != 0))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir_path, entry->d_name);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        n_files++;
        while (fgets(line, sizeof line, file))
            check(path, ++number, line, n_wrong);
        fclose(file);
    }
    if (dir)
        closedir(dir);
    return n_files;
}

static int level; // of the folder that is being read

static void check_include(const char *path, int number, const char *line, int *n_wrong)
{
    char folder[64], slash[2]; // a header of cl/ may be named as a folder is: rewrite_params.h

    if (sscanf(line, " # include <%63[a-z]%1[/]", folder, slash) != 2 &&
        sscanf(line, " #include \"%63[a-z]%1[/]", folder, slash) != 2)
        return;
    const int included = level_of(folder, strlen(folder));
    if (included > level) {
        print_error("%s:%d: src/%s stands above src/%s and may not include it\n", path, number,
                    folders[level], folder);
        (*n_wrong)++;
    }
}

// A call is clUpper...( outside comments and texts.
static void check_call(const char *path, int number, const char *line, int *n_wrong)
{
    bool in_text = false;

    for (const char *c = line; *c; c++) {
        if (*c == '"' && (c == line || c[-1] != '\\'))
            in_text = !in_text;
        if (!in_text && c[0] == '/' && c[1] == '/')
            return;
        if (in_text || strncmp(c, "cl", 2) != 0 || !isupper((unsigned char)c[2]) ||
            (c > line && (isalnum((unsigned char)c[-1]) || c[-1] == '_')))
            continue;
        size_t length = 2;
        while (isalnum((unsigned char)c[length]))
            length++;
        if (c[length] != '(')
            continue;
        print_error("%s:%d: %.*s is called outside src/device and src/kernel\n", path, number,
                    (int)length, c);
        (*n_wrong)++;
    }
}

static void a_folder_includes_only_those_before_it(void **state)
{
    int n_wrong = 0, n_files = 0;

    (void)state;
    for (level = 0; level < N_FOLDERS; level++)
        n_files += for_each_line(folders[level], &n_wrong, check_include);
    assert_true(n_files > 50); // else the tree was not found
    assert_int_equal(n_wrong, 0);
}

static void every_folder_has_its_place_in_the_order(void **state)
{
    char path[MAX_PATH + 8];

    (void)state;
    snprintf(path, sizeof path, "%ssrc", root);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (entry->d_name[0] != '.' && level_of(entry->d_name, strlen(entry->d_name)) < 0)
            fail_msg("src/%s is not in the list of folders", entry->d_name);
    closedir(dir);
}

static void opencl_is_called_only_by_device_and_kernel(void **state)
{
    int n_wrong = 0;

    (void)state;
    for (int i = 0; i < N_FOLDERS; i++)
        if (strcmp(folders[i], "device") != 0 && strcmp(folders[i], "kernel") != 0)
            for_each_line(folders[i], &n_wrong, check_call);
    assert_int_equal(n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_includes_only_those_before_it),
        cmocka_unit_test(every_folder_has_its_place_in_the_order),
        cmocka_unit_test(opencl_is_called_only_by_device_and_kernel),
    };

    return cmocka_run_group_tests_name("layers", tests, find_root, NULL);
}
