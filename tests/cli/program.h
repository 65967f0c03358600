// What tests of the program share: it is called as a user calls it, in a folder of the test's own.
#ifndef PLC_TESTS_CLI_PROGRAM_H
#define PLC_TESTS_CLI_PROGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <sys/wait.h>
#include <unistd.h>
#include <platform.h>

enum { MAX_PATH = 4096, MAX_OUTPUT = 1 << 20 };

static char program[MAX_PATH], folder[] = "/tmp/pleach-test-cli-XXXXXX";
static char out[MAX_OUTPUT], err[MAX_OUTPUT]; // of the last call

// $PLEACH_PROGRAM, or `pleach` of the build in which this test lies: build/tests/test_cli.
static int find_program(void **state)
{
    const char *given = getenv("PLEACH_PROGRAM");
    char own[MAX_PATH - 64] = "";

    (void)state;
    if (given) {
        snprintf(program, sizeof program, "%s", given);
    } else {
        if (readlink("/proc/self/exe", own, sizeof own - 1) < 0)
            return -1;
        *strrchr(own, '/') = '\0';
        snprintf(program, sizeof program, "%s/../pleach", own);
    }
    unsetenv("PLEACH_DEVICE");
    if (plc_test_device())
        setenv("PLEACH_DEVICE", plc_test_device(), 1);
    setenv("PLEACH_TUNE", "off", 1);
    return access(program, X_OK) == 0 && mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static inline void write_text(const char *name, const char *text)
{
    char path[MAX_PATH];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void read_back(const char *name, char *text)
{
    char path[MAX_PATH];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, MAX_OUTPUT - 1, file)] = '\0';
    fclose(file);
    unlink(path);
}

// Runs `pleach WORDS` in the test's folder; returns its exit code.
static int call(const char *words)
{
    char command[3 * MAX_PATH];

    snprintf(command, sizeof command, "cd %s && '%s' %s >out 2>err </dev/null", folder, program,
             words);
    const int status = system(command);
    read_back("out", out);
    read_back("err", err);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// The document that the last call printed, which has this schema. The caller drops it.
static inline json_t *parsed_output(const char *schema)
{
    json_t *root = json_loads(out, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "schema")), schema);
    return root;
}

#endif
