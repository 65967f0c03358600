// Programs side by side in one text: whose names are changed, which kernels stay, which arguments are found.
#include "context.h"

#include <stdlib.h>
#include <string.h>
#include <kernel/c_tokens.h>
#include <kernel/program_text.h>

// The text of `source` as program "_z" with the kernels that are named in `wanted`, separated by commas.
static char *write(const char *source, const char *options, const char *wanted,
                   plc_manifest *manifest)
{
    plc_manifest_program *program = NULL;
    plc_manifest_kernel *kernel = NULL;
    plc_text text = {0};
    char name[32], *taken = NULL;

    *manifest = (plc_manifest){0};
    assert_ok(plc_manifest_add_program(ctx, manifest, "case", options, &program));
    for (int used = 0; sscanf(wanted, "%31[^,]%n", name, &used) == 1;
         wanted += used + (wanted[used] == ','))
        assert_ok(plc_manifest_add_kernel(ctx, program, name, "exported", &kernel));
    const pleach_status status = plc_program_text(ctx, source, options, "_z", program, &text);
    if (status == PLEACH_OK)
        assert_ok(plc_text_take(ctx, &text, &taken));
    plc_text_finish(&text);
    return taken;
}

// Every program begins so.
static const char places[] = "#define get_group_id_z(d) (place_z[d])\n"
                             "#define get_global_id_z(d) (place_z[d])\n";

static void names_of_a_program_get_its_suffix(void **state)
{
    static const struct {
        const char *source, *options, *expected;
    } cases[] = {
        {"int twice(int x) { return 2 * x; }", "", "int twice_z(int x) { return 2 * x; }"},
        {"#define N 3\nint f(void) { return N; }", "",
         "#define N_z 3\nint f_z(void) { return N_z; }"},
        {"#ifndef OT\n#define OT 8\n#endif\nint f(int OT2) { return OT; }", "-DOT=4 -DFLAG",
         "#define OT_z 4\n#define FLAG_z 1\n"
         "#ifndef OT_z\n#define OT_z 8\n#endif\nint f_z(int OT2) { return OT_z; }"},
        {"#ifdef FLAG\nint a;\n#endif", "-DFLAG",
         "#define FLAG_z 1\n#ifdef FLAG_z\nint a_z;\n#endif"},
        {"typedef struct { int f, g; } pair;\npair h(pair p) { return p; }", "",
         "typedef struct { int f, g; } pair_z;\npair_z h_z(pair_z p) { return p; }"},
        {"struct node { int x; };\nenum { A, B = 2, C };\nenum kind { D };", "",
         "struct node_z { int x; };\nenum { A_z, B_z = 2, C_z };\nenum kind_z { D_z };"},
        {"__constant float table[2] = {1.0f, 2.0f};\nfloat f(int i) { return table[i]; }", "",
         "__constant float table_z[2] = {1.0f, 2.0f};\nfloat f_z(int i) { return table_z[i]; }"},
        // The same word in a comment, a text or the middle of a number or word is another.
        {"int f(void); // f\n/* f */ __constant char s[] = \"f\"; float g = 1.0f + af + f2;", "",
         "int f_z(void); // f\n/* f */ __constant char s_z[] = \"f\"; float g_z = 1.0f + af + f2;"},
        // Attributes are the compiler's, macros alone make what stands in their brackets.
        {"#define MAKE(name) int name(void) { return 1; }\nMAKE(one)\nint two(void) { return "
         "one(); }",
         "",
         "#define MAKE_z(name) int name(void) { return 1; }\nMAKE_z(one_z)\n"
         "int two_z(void) { return one_z(); }"},
        {"static inline __attribute__((always_inline)) int f(int4 v) { return v.x; }", "",
         "static inline __attribute__((always_inline)) int f_z(int4 v) { return v.x; }"},
        // Bodies that begin in two branches end once.
        {"#if 1\nint f(int a) {\n#else\nint f(long a) {\n#endif\nreturn 0; }\nint g;", "",
         "#if 1\nint f_z(int a) {\n#else\nint f_z(long a) {\n#endif\nreturn 0; }\nint g_z;"},
        {"#line 1 \"a.cl\"\nint f;\n#line 7 \"b.cl\"\nint g;\n", "", "int f_z;\nint g_z;\n"},
        {"#define LONG(a) a + \\\n    N\n#define N 1\n", "",
         "#define LONG_z(a) a + \\\n    N_z\n#define N_z 1\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plc_manifest manifest;
        char *text = write(cases[i].source, cases[i].options, "", &manifest);
        assert_non_null(text);
        assert_memory_equal(text, places, sizeof places - 1);
        assert_string_equal(text + sizeof places - 1, cases[i].expected);
        free(text);
        plc_manifest_finish(&manifest);
    }
}

static const char kernels[] =
    "#define GROUP __attribute__((reqd_work_group_size(1, 1, 1)))\n"
    "typedef struct { int n; } params;\n"
    "GROUP __kernel void first(__global const float *restrict x, __local float *scratch,\n"
    "                          const params p, unsigned int n)\n{ if (n) { x; } }\n"
    "int between(int a) { return a; }\n"
    "__kernel void second(__constant params *of) { between(of->n); }\n";

static void kernels_that_nobody_launches_are_left_out(void **state)
{
    plc_manifest manifest;
    char *text = write(kernels, "", "second", &manifest);

    (void)state;
    assert_non_null(text);
    assert_null(strstr(text, "first_z"));
    assert_null(strstr(text, "scratch"));
    assert_non_null(strstr(text, "int between_z(int a)"));
    assert_non_null(strstr(text, "void second_z("));
    free(text);
    plc_manifest_finish(&manifest);
}

static void arguments_are_found_with_their_types(void **state)
{
    static const struct {
        const char *name, *type;
        plc_address address;
    } expected[] = {
        {"x", "float*", PLC_ADDRESS_GLOBAL},    {"scratch", "float*", PLC_ADDRESS_LOCAL},
        {"p", "params_z", PLC_ADDRESS_PRIVATE}, {"n", "unsignedint", PLC_ADDRESS_PRIVATE},
        {"grid_x", "int", PLC_ADDRESS_PRIVATE}, {"grid_y", "int", PLC_ADDRESS_PRIVATE},
        {"grid_z", "int", PLC_ADDRESS_PRIVATE}};
    enum { N_EXPECTED = sizeof expected / sizeof *expected };
    plc_manifest manifest;
    char *text = write(kernels, "", "second,first", &manifest);

    (void)state;
    assert_non_null(text);
    const plc_manifest_kernel *second = &manifest.programs[0].kernels[0], *first = second + 1;
    assert_int_equal(first->n_args, N_EXPECTED);
    for (int i = 0; i < N_EXPECTED; i++) {
        assert_string_equal(first->args[i].name, expected[i].name);
        assert_string_equal(first->args[i].type, expected[i].type);
        assert_int_equal(first->args[i].address, expected[i].address);
    }
    assert_int_equal(second->n_args, 4);
    assert_string_equal(second->args[0].type, "params_z*");
    assert_int_equal(second->args[0].address, PLC_ADDRESS_CONSTANT);
    free(text);
    plc_manifest_finish(&manifest);
}

static void a_kernel_becomes_a_loop_over_its_grid(void **state)
{
    static const char source[] = "#define AT (int)get_group_id(0)\n"
                                 "GROUP __kernel void k(__global int *y, int n)\n{ y[AT] = n; }\n";
    static const char expected[] =
        "#define AT_z (int)get_group_id_z(0)\n"
        "static inline void k_group_z(__global int *y, int n, const int *place_z)\n"
        "{ y[AT_z] = n; }\n\n"
        "SINGLE_WORK_ITEM __kernel void k_z(__global int *y, int n, const int grid_x, "
        "const int grid_y, const int grid_z)\n{\n"
        "#pragma ivdep\n    for (int at_z = 0; at_z < grid_z; at_z++)\n"
        "#pragma ivdep\n    for (int at_y = 0; at_y < grid_y; at_y++)\n"
        "#pragma ivdep\n    for (int at_x = 0; at_x < grid_x; at_x++) {\n"
        "        const int place[3] = {at_x, at_y, at_z};\n"
        "        k_group_z(y, n, place);\n    }\n}\n";
    plc_manifest manifest;
    char *text = write(source, "", "k", &manifest);

    (void)state;
    assert_non_null(text);
    assert_string_equal(text + sizeof places - 1, expected);
    free(text);
    plc_manifest_finish(&manifest);
}

static void a_kernel_that_is_not_there_is_missed(void **state)
{
    plc_manifest manifest;

    (void)state;
    assert_null(write(kernels, "", "first,third", &manifest));
    assert_non_null(strstr(pleach_error(ctx), "1 of the 2 kernels"));
    plc_manifest_finish(&manifest);
}

// Whatever is cut off must not be read beyond its end (under the sanitizers).
static void texts_that_end_early_do_no_harm(void **state)
{
    char cut[sizeof kernels];

    (void)state;
    for (size_t n = 0; n < sizeof kernels; n++) {
        plc_manifest manifest;
        memcpy(cut, kernels, n);
        cut[n] = '\0';
        free(write(cut, "", "first", &manifest));
        plc_manifest_finish(&manifest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_a_program_get_its_suffix),
        cmocka_unit_test(kernels_that_nobody_launches_are_left_out),
        cmocka_unit_test(arguments_are_found_with_their_types),
        cmocka_unit_test(a_kernel_becomes_a_loop_over_its_grid),
        cmocka_unit_test(a_kernel_that_is_not_there_is_missed),
        cmocka_unit_test(texts_that_end_early_do_no_harm),
    };

    return cmocka_run_group_tests(tests, make_fixture, drop_fixture);
}
