// The manifest as JSON, in and out.
#include <kernel/manifest.h>

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <device/launch.h>

enum {
    MAX_FILE_BYTES = 4 << 20,
    MAX_PROGRAMS = 256,
    MAX_KERNELS = 32,
    MAX_TEXT = 200,
    MAX_TILE = 8,
    MOST_LANES = 16
};

static const char schema[] = "pleach.fpga/1";

// What is being read, for messages.
typedef struct reader {
    pleach_ctx *ctx;
    const char *path, *program, *kernel; // the latter two may be ""
} reader;

static pleach_status refuse(const reader *r, const char *why)
{
    return plc_fail(r->ctx, PLEACH_EINPUT, "%s: %s%s%s%s%s; `pleach fpga export` writes it anew",
                    r->path, r->program, *r->program ? ": " : "", r->kernel, *r->kernel ? ": " : "",
                    why);
}

// Short, printable, not empty: it may go to a terminal.
static bool is_plain(const char *text, bool may_be_empty)
{
    const size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return length <= MAX_TEXT && (length > 0 || may_be_empty);
}

static bool is_name(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return false;
    return *text && !isdigit((unsigned char)*text) && strlen(text) <= MAX_TEXT;
}

static bool is_hash(const char *text)
{
    return strlen(text) == PLC_HASH_HEX_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == PLC_HASH_HEX_SIZE - 1;
}

static pleach_status read_arg(const reader *r, json_t *value, plc_manifest_kernel *kernel)
{
    const char *name = NULL, *address = NULL, *type = NULL;
    json_error_t error;

    if (json_unpack_ex(value, &error, JSON_STRICT, "{s:s, s:s, s:s}", "name", &name, "address",
                       &address, "type", &type) != 0)
        return refuse(r, error.text);
    if (!is_name(name) || !is_plain(type, false))
        return refuse(r, "an argument's name or type is none");
    for (int i = 0; i < PLC_N_ADDRESSES; i++)
        if (strcmp(address, plc_address_name((plc_address)i)) == 0)
            return plc_manifest_add_arg(r->ctx, kernel, name, type, (plc_address)i);
    return refuse(r, "an argument's address is none of private, global, local, constant");
}

static pleach_status read_kernel(reader *r, json_t *value, plc_manifest_program *program)
{
    pleach_status status = PLEACH_OK;
    const char *name = NULL, *exported = NULL;
    json_t *args = NULL, *arg = NULL;
    json_error_t error;
    plc_manifest_kernel *kernel = NULL;
    size_t i = 0;

    if (json_unpack_ex(value, &error, JSON_STRICT, "{s:s, s:s, s:o}", "name", &name, "exported",
                       &exported, "arguments", &args) != 0)
        return refuse(r, error.text);
    if (!is_name(name) || !is_name(exported))
        return refuse(r, "a kernel's name is none");
    r->kernel = name;
    if (!json_is_array(args) || json_array_size(args) == 0 || json_array_size(args) > PLC_MAX_ARGS)
        return refuse(r, "it should have 1 to 20 arguments");
    if (plc_manifest_find_kernel(program, name))
        return refuse(r, "it is there twice");
    TRY(plc_manifest_add_kernel(r->ctx, program, name, exported, &kernel));
    json_array_foreach(args, i, arg) TRY(read_arg(r, arg, kernel));
    r->kernel = "";
done:
    return status;
}

static pleach_status read_program(reader *r, json_t *value, plc_manifest *manifest)
{
    pleach_status status = PLEACH_OK;
    const char *file = NULL, *options = NULL, *source = NULL;
    json_t *kernels = NULL, *kernel = NULL;
    json_error_t error;
    plc_manifest_program *program = NULL;
    size_t i = 0;

    if (json_unpack_ex(value, &error, JSON_STRICT, "{s:s, s:s, s:s, s:o}", "file", &file, "options",
                       &options, "source", &source, "kernels", &kernels) != 0)
        return refuse(r, error.text);
    if (!is_name(file) || !is_plain(options, true) || !is_hash(source))
        return refuse(r, "a program's file, options or source hash is none");
    r->program = file;
    if (!json_is_array(kernels) || json_array_size(kernels) == 0 ||
        json_array_size(kernels) > MAX_KERNELS)
        return refuse(r, "it should have 1 to 32 kernels");
    if (plc_manifest_find(manifest, file, options))
        return refuse(r, "it is there twice with the same options");
    TRY(plc_manifest_add_program(r->ctx, manifest, file, options, &program));
    memcpy(program->source, source, sizeof program->source);
    json_array_foreach(kernels, i, kernel) TRY(read_kernel(r, kernel, program));
    r->program = "";
done:
    return status;
}

static pleach_status read_root(reader *r, json_t *root, plc_manifest *m)
{
    pleach_status status = PLEACH_OK;
    const char *found = NULL, *version = NULL, *model = NULL, *mapping = NULL;
    json_t *programs = NULL, *program = NULL;
    json_error_t error;
    int training = 0;
    size_t i = 0;

    if (json_unpack_ex(root, &error, 0, "{s:s}", "schema", &found) != 0 ||
        strcmp(found, schema) != 0)
        return refuse(r, "\"schema\": \"pleach.fpga/1\" is expected");
    if (json_unpack_ex(root, &error, JSON_STRICT,
                       "{s:s, s:s, s:s, s:b, s:i, s:s, s:{s:i, s:i}, s:o}", "schema", &found,
                       "pleach", &version, "model", &model, "training", &training, "lanes",
                       &m->lanes, "mapping", &mapping, "tile", "out", &m->tile.n_out, "pixels",
                       &m->tile.n_pixels, "programs", &programs) != 0)
        return refuse(r, error.text);
    if (!is_plain(version, false) || !is_plain(model, false))
        return refuse(r, "the version or the model is none");
    if (m->lanes < 4 || m->lanes > MOST_LANES || (m->lanes & (m->lanes - 1)) != 0 ||
        strcmp(mapping, "single work-item") != 0)
        return refuse(r, "lanes of 4, 8 or 16 and the mapping \"single work-item\" are expected");
    if (m->tile.n_out < 1 || m->tile.n_out > MAX_TILE || m->tile.n_pixels < 1 ||
        m->tile.n_pixels > MAX_TILE)
        return refuse(r, "a tile of 1 to 8 channels and pixels is expected");
    if (!json_is_array(programs) || json_array_size(programs) == 0 ||
        json_array_size(programs) > MAX_PROGRAMS)
        return refuse(r, "1 to 256 programs are expected");
    m->training = training;
    TRY(plc_strdup(r->ctx, version, &m->version));
    TRY(plc_strdup(r->ctx, model, &m->model));
    json_array_foreach(programs, i, program) TRY(read_program(r, program, m));
done:
    return status;
}

pleach_status plc_manifest_read(pleach_ctx *ctx, const char *path, plc_manifest *manifest)
{
    pleach_status status = PLEACH_OK;
    reader r = {ctx, path, "", ""};
    char *text = NULL;
    size_t length = 0;
    json_error_t error;
    json_t *root = NULL;

    *manifest = (plc_manifest){0};
    TRY(plc_file_read(ctx, path, MAX_FILE_BYTES, &text, &length));
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        FAIL(ctx, PLEACH_EINPUT, "%s: line %d, column %d: %s; `pleach fpga export` writes it anew",
             path, error.line, error.column, error.text);
    TRY(read_root(&r, root, manifest));
done:
    if (status != PLEACH_OK)
        plc_manifest_finish(manifest);
    json_decref(root);
    free(text);
    return status;
}

// json_pack takes the lists also when it fails; NULL anywhere makes the whole NULL.
static json_t *kernel_to_json(const plc_manifest_kernel *kernel)
{
    json_t *args = json_array();

    for (int i = 0; i < kernel->n_args; i++)
        json_array_append_new(args, json_pack("{s:s, s:s, s:s}", "name", kernel->args[i].name,
                                              "address", plc_address_name(kernel->args[i].address),
                                              "type", kernel->args[i].type));
    if (json_array_size(args) != (size_t)kernel->n_args) {
        json_decref(args);
        args = NULL;
    }
    return json_pack("{s:s, s:s, s:o}", "name", kernel->name, "exported", kernel->exported,
                     "arguments", args);
}

static json_t *program_to_json(const plc_manifest_program *program)
{
    json_t *kernels = json_array();

    for (int i = 0; i < program->n_kernels; i++)
        json_array_append_new(kernels, kernel_to_json(&program->kernels[i]));
    if (json_array_size(kernels) != (size_t)program->n_kernels) {
        json_decref(kernels);
        kernels = NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "file", program->file, "options", program->options,
                     "source", program->source, "kernels", kernels);
}

pleach_status plc_manifest_write(pleach_ctx *ctx, const char *path, const plc_manifest *m)
{
    pleach_status status = PLEACH_OK;
    json_t *programs = json_array(), *root = NULL;
    char *text = NULL;

    for (int i = 0; i < m->n_programs; i++)
        json_array_append_new(programs, program_to_json(&m->programs[i]));
    if (json_array_size(programs) != (size_t)m->n_programs) {
        json_decref(programs);
        programs = NULL;
    }
    root = json_pack("{s:s, s:s, s:s, s:b, s:i, s:s, s:{s:i, s:i}, s:o}", "schema", schema,
                     "pleach", m->version, "model", m->model, "training", m->training, "lanes",
                     m->lanes, "mapping", "single work-item", "tile", "out", m->tile.n_out,
                     "pixels", m->tile.n_pixels, "programs", programs);
    text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    if (text == NULL)
        FAIL(ctx, PLEACH_ENOMEM, "%s: no memory to write it", path);
    TRY(plc_file_write_all(ctx, path, text, strlen(text)));
done:
    free(text);
    json_decref(root);
    return status;
}
