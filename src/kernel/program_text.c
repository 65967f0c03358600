// Renaming a program's own names, and finding its kernels' arguments.
#include <kernel/program_text.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <kernel/c_tokens.h>

enum { MAX_TYPE = 100 };

// What tells a kernel its place, and the arguments with which the host gives the grid's sizes.
static const char *const place_names[] = {"get_group_id", "get_global_id"};
static const char *const grid_names[] = {"grid_x", "grid_y", "grid_z"};

typedef struct writer {
    pleach_ctx *ctx;
    plc_tokens tokens;
    const char *suffix;
    plc_token *names; // owned: that the program defines
    int n_names;
    size_t capacity;
} writer;

static bool same(const plc_token *a, const plc_token *b)
{
    return a->length == b->length && memcmp(a->at, b->at, a->length) == 0;
}

static bool is_own(const writer *w, const plc_token *token)
{
    for (int i = 0; i < w->n_names; i++)
        if (same(&w->names[i], token))
            return true;
    return false;
}

// Names of the compiler's begin with two underscores and stay.
static pleach_status add_name(writer *w, const plc_token *token)
{
    pleach_status status = PLEACH_OK;

    if (token->kind != PLC_TOKEN_NAME || strncmp(token->at, "__", 2) == 0 || is_own(w, token))
        return status;
    TRY(plc_grow(w->ctx, &w->names, &w->capacity, (size_t)w->n_names + 1));
    w->names[w->n_names++] = *token;
done:
    return status;
}

// Macros: the names behind #define, and those of the options.
static pleach_status add_macros(writer *w, const char *options)
{
    pleach_status status = PLEACH_OK;
    const plc_tokens *t = &w->tokens;

    for (int i = 0; i + 2 < t->n; i++)
        if (t->items[i].directive && plc_token_is(&t->items[i], "define"))
            TRY(add_name(w, &t->items[i + 2]));
    for (size_t i = 0; i < sizeof place_names / sizeof *place_names; i++)
        TRY(add_name(w, &(plc_token){.at = place_names[i],
                                     .length = strlen(place_names[i]),
                                     .kind = PLC_TOKEN_NAME}));
    for (const char *at = strstr(options, "-D"); at; at = strstr(at, "-D")) {
        at += 2;
        const plc_token name = {.at = at, .length = strcspn(at, "= "), .kind = PLC_TOKEN_NAME};
        TRY(add_name(w, &name));
    }
done:
    return status;
}

// One declaration of file scope: its first token, and the one behind its last.
typedef struct declaration {
    int first, end;
    bool is_type; // typedef, enum or struct
} declaration;

// Index of the bracket that closes the one at `open`.
static int closing(const plc_tokens *t, int open)
{
    int i = open + 1;

    while (i < t->n && (t->items[i].directive || t->items[i].depth != t->items[open].depth ||
                        !strchr(")]}", *t->items[i].at)))
        i++;
    return i < t->n ? i : t->n - 1;
}

// From `from` on; false: there is none. A macro that stands alone, as NAME(a, b), is a declaration too.
static bool find_declaration(const writer *w, int from, declaration *d)
{
    const plc_tokens *t = &w->tokens;
    bool has_value = false;
    int i = plc_tokens_next(t, from);

    *d = (declaration){.first = i};
    if (i == t->n)
        return false;
    d->is_type = plc_token_is(&t->items[i], "typedef") || plc_token_is(&t->items[i], "enum") ||
                 plc_token_is(&t->items[i], "struct");
    const int second = plc_tokens_next(t, i + 1);
    if (second < t->n && *t->items[second].at == '(' && is_own(w, &t->items[i])) {
        d->end = closing(t, second) + 1;
        return true;
    }
    for (; i < t->n; i = plc_tokens_next(t, i + 1)) {
        const plc_token *token = &t->items[i];
        if (token->depth > 0)
            continue;
        has_value |= *token->at == '=';
        if (*token->at == ';' || (*token->at == '}' && !d->is_type && !has_value))
            break;
    }
    d->end = i < t->n ? i + 1 : t->n;
    return true;
}

static bool is_one_of(const plc_token *token, const char *characters)
{
    return token->kind == PLC_TOKEN_OTHER && token->length == 1 && strchr(characters, *token->at);
}

// What a declaration defines: types and variables stand before ; = [ or (, tags behind struct and
// enum, enumerators in an enum's braces behind { or a comma, what a lone macro makes among its arguments.
static pleach_status add_declared(writer *w, const declaration *d)
{
    pleach_status status = PLEACH_OK;
    const plc_tokens *t = &w->tokens;
    const bool is_enum = plc_token_is(&t->items[d->first], "enum");
    const int second = plc_tokens_next(t, d->first + 1);
    const bool is_lone_macro =
        second < d->end && *t->items[second].at == '(' && is_own(w, &t->items[d->first]);
    bool has_value = false;
    int before = d->first;

    for (int i = d->first; i < d->end; before = i, i = plc_tokens_next(t, i + 1)) {
        const plc_token *token = &t->items[i];
        const int after = plc_tokens_next(t, i + 1);
        has_value |= token->depth == 0 && is_one_of(token, "=");
        if (token->kind != PLC_TOKEN_NAME || has_value)
            continue;
        if (is_lone_macro ||
            (token->depth == 0 && after < d->end && is_one_of(&t->items[after], ";=[(")) ||
            (i > before && token->depth == 0 &&
             (plc_token_is(&t->items[before], "struct") ||
              plc_token_is(&t->items[before], "enum"))) ||
            (is_enum && token->depth == 1 && is_one_of(&t->items[before], "{,")))
            TRY(add_name(w, token));
    }
done:
    return status;
}

static pleach_status add_declarations(writer *w)
{
    pleach_status status = PLEACH_OK;
    declaration d = {0};

    while (find_declaration(w, d.end, &d))
        TRY(add_declared(w, &d));
done:
    return status;
}

// The name of the kernel that a declaration defines, -1: none.
static int kernel_name(const writer *w, const declaration *d)
{
    const plc_tokens *t = &w->tokens;
    bool is_kernel = false;

    for (int i = d->first; i < d->end; i = plc_tokens_next(t, i + 1)) {
        const int after = plc_tokens_next(t, i + 1);
        is_kernel |= plc_token_is(&t->items[i], "__kernel");
        if (is_kernel && t->items[i].depth == 0 && t->items[i].kind == PLC_TOKEN_NAME &&
            after < d->end && is_one_of(&t->items[after], "(") &&
            !plc_token_is(&t->items[i], "__attribute__"))
            return i;
    }
    return -1;
}

static plc_manifest_kernel *find_wanted(const writer *w, plc_manifest_program *program, int name)
{
    for (int i = 0; i < program->n_kernels; i++)
        if (plc_token_is(&w->tokens.items[name], program->kernels[i].name))
            return &program->kernels[i];
    return NULL;
}

static bool is_qualifier(const plc_token *token)
{
    static const char *const words[] = {"const",   "restrict",   "volatile", "__global",
                                        "__local", "__constant", "__private"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (plc_token_is(token, words[i]))
            return true;
    return false;
}

// One argument: tokens [first, end), its name last.
static pleach_status add_arg(writer *w, int first, int end, plc_manifest_kernel *kernel)
{
    pleach_status status = PLEACH_OK;
    const plc_tokens *t = &w->tokens;
    plc_address address = PLC_ADDRESS_PRIVATE;
    char type[MAX_TYPE] = "", name[MAX_TYPE] = "";
    size_t length = 0;
    int last = first;

    for (int i = first; i < end; i = plc_tokens_next(t, i + 1))
        last = i;
    snprintf(name, sizeof name, "%.*s", (int)t->items[last].length, t->items[last].at);
    for (int i = first; i < last; i = plc_tokens_next(t, i + 1)) {
        const plc_token *token = &t->items[i];
        if (plc_token_is(token, "__global"))
            address = PLC_ADDRESS_GLOBAL;
        if (plc_token_is(token, "__local"))
            address = PLC_ADDRESS_LOCAL;
        if (plc_token_is(token, "__constant"))
            address = PLC_ADDRESS_CONSTANT;
        if (is_qualifier(token))
            continue;
        length +=
            (size_t)snprintf(type + length, sizeof type - length, "%.*s%s", (int)token->length,
                             token->at, is_own(w, token) ? w->suffix : "");
        if (length >= sizeof type)
            FAIL(w->ctx, PLEACH_EBUILD,
                 "kernel '%s': the type of '%s' is longer than %d characters", kernel->name, name,
                 MAX_TYPE - 1);
    }
    TRY(plc_manifest_add_arg(w->ctx, kernel, name, type, address));
done:
    return status;
}

static pleach_status add_grid_args(writer *w, plc_manifest_kernel *kernel)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < 3; i++)
        TRY(plc_manifest_add_arg(w->ctx, kernel, grid_names[i], "int", PLC_ADDRESS_PRIVATE));
done:
    return status;
}

static pleach_status add_args(writer *w, int name, plc_manifest_kernel *kernel)
{
    pleach_status status = PLEACH_OK;
    const plc_tokens *t = &w->tokens;
    const int open = plc_tokens_next(t, name + 1), close = closing(t, open);

    for (int first = plc_tokens_next(t, open + 1), end = first; first < close;
         first = plc_tokens_next(t, end + 1)) {
        end = first;
        while (end < close && !(t->items[end].depth == 1 && is_one_of(&t->items[end], ",")))
            end = plc_tokens_next(t, end + 1);
        TRY(add_arg(w, first, end, kernel));
    }
    TRY(add_grid_args(w, kernel));
done:
    return status;
}

// Tokens [first, end) with own names suffixed, without the #line lines.
static pleach_status copy(const writer *w, int first, int end, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const plc_tokens *t = &w->tokens;

    for (int i = first; i < end; i++) {
        const plc_token *token = &t->items[i];
        if (token->directive && *token->at == '#' && i + 1 < t->n &&
            plc_token_is(&t->items[i + 1], "line")) {
            while (i < end && *t->items[i].at != '\n')
                i++;
            continue;
        }
        TRY(plc_text_append(w->ctx, text, token->at, token->length));
        if (token->kind == PLC_TOKEN_NAME && is_own(w, token))
            TRY(plc_text_append(w->ctx, text, w->suffix, strlen(w->suffix)));
    }
done:
    return status;
}

static pleach_status define_places(const writer *w, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < sizeof place_names / sizeof *place_names; i++)
        TRY(plc_text_printf(w->ctx, text, "#define %s%s(d) (place%s[d])\n", place_names[i],
                            w->suffix, w->suffix));
done:
    return status;
}

// The options' macros: -DNAME or -DNAME=VALUE.
static pleach_status define_options(const writer *w, const char *options, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    for (const char *at = strstr(options, "-D"); at; at = strstr(at, "-D")) {
        at += 2;
        const size_t word = strcspn(at, " "), name = strcspn(at, "= ");
        TRY(plc_text_printf(w->ctx, text, "#define %.*s%s %.*s\n", (int)name, at, w->suffix,
                            name < word ? (int)(word - name - 1) : 1,
                            name < word ? at + name + 1 : "1"));
    }
done:
    return status;
}

// The kernel's body as a function that is told its place, and the kernel as a loop that calls it.
static pleach_status write_kernel(const writer *w, const declaration *d, int name,
                                  const plc_manifest_kernel *kernel, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const plc_tokens *t = &w->tokens;
    const int open = plc_tokens_next(t, name + 1), close = closing(t, open);
    const char *suffix = w->suffix;

    TRY(plc_text_printf(w->ctx, text, "static inline void %s_group%s(", kernel->name, suffix));
    TRY(copy(w, open + 1, close, text));
    TRY(plc_text_printf(w->ctx, text, ", const int *place%s)", suffix));
    TRY(copy(w, close + 1, d->end, text));
    TRY(plc_text_printf(w->ctx, text, "\n\nSINGLE_WORK_ITEM __kernel void %s%s(", kernel->name,
                        suffix));
    TRY(copy(w, open + 1, close, text));
    TRY(plc_text_printf(w->ctx, text,
                        ", const int grid_x, const int grid_y, const int grid_z)\n{\n"));
    for (int i = 2; i >= 0; i--)
        TRY(plc_text_printf(w->ctx, text,
                            "#pragma ivdep\n    for (int at_%c = 0; at_%c < %s; at_%c++)%s\n",
                            "xyz"[i], "xyz"[i], grid_names[i], "xyz"[i], i ? "" : " {"));
    TRY(plc_text_printf(w->ctx, text,
                        "        const int place[3] = {at_x, at_y, at_z};\n"
                        "        %s_group%s(",
                        kernel->name, suffix));
    for (int i = 0; i < kernel->n_args - 3; i++) {
        const plc_token own = {.at = kernel->args[i].name, .length = strlen(kernel->args[i].name)};
        TRY(plc_text_printf(w->ctx, text, "%s%s, ", kernel->args[i].name,
                            is_own(w, &own) ? suffix : ""));
    }
    TRY(plc_text_printf(w->ctx, text, "place);\n    }\n}"));
done:
    return status;
}

static pleach_status write_declarations(writer *w, plc_manifest_program *program, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    declaration d = {0};
    int written = 0, n_found = 0;

    while (find_declaration(w, d.end, &d)) {
        const int name = kernel_name(w, &d);
        plc_manifest_kernel *kernel = name < 0 ? NULL : find_wanted(w, program, name);
        if (name < 0)
            continue;
        TRY(copy(w, written, d.first, text));
        written = d.end;
        if (kernel) {
            TRY(add_args(w, name, kernel));
            TRY(write_kernel(w, &d, name, kernel, text));
            n_found++;
        } else {
            TRY(plc_text_printf(w->ctx, text, "// %.*s is not needed.",
                                (int)w->tokens.items[name].length, w->tokens.items[name].at));
        }
    }
    TRY(copy(w, written, w->tokens.n, text));
    if (n_found != program->n_kernels)
        FAIL(w->ctx, PLEACH_EBUILD, "%s.cl has %d of the %d kernels that are launched",
             program->file, n_found, program->n_kernels);
done:
    return status;
}

pleach_status plc_program_text(pleach_ctx *ctx, const char *source, const char *options,
                               const char *suffix, plc_manifest_program *program, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    writer w = {.ctx = ctx, .suffix = suffix};

    TRY(plc_tokens_read(ctx, source, &w.tokens));
    TRY(add_macros(&w, options));
    TRY(add_declarations(&w));
    TRY(define_places(&w, text));
    TRY(define_options(&w, options, text));
    TRY(write_declarations(&w, program, text));
done:
    plc_tokens_finish(&w.tokens);
    free(w.names);
    return status;
}
