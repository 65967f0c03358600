// Reading the words of a C text.
#include <kernel/c_tokens.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

enum { MAX_NESTED_IFS = 32 };

typedef struct lexer {
    const char *at;
    bool line_begins, directive;
    int depth;
    int if_depths[MAX_NESTED_IFS]; // where each open #if began
    int n_ifs;
} lexer;

static bool is_name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool is_name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

// Blanks up to and with a line's end, or one comment.
static size_t space_length(const char *at)
{
    if (at[0] == '/' && at[1] == '/')
        return strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end ? (size_t)(end - at) + 2 : strlen(at);
    }
    if (at[0] == '\n')
        return 1;
    return strspn(at, " \t\r");
}

static size_t string_length(const char *at)
{
    size_t n = 1;

    while (at[n] && at[n] != at[0] && at[n] != '\n')
        n += at[n] == '\\' && at[n + 1] ? 2 : 1;
    return n + (at[n] == at[0]);
}

static size_t token_length(const char *at, plc_token_kind *kind)
{
    size_t n = space_length(at);

    *kind = PLC_TOKEN_SPACE;
    if (n > 0)
        return n;
    if (is_name_start(*at)) {
        *kind = PLC_TOKEN_NAME;
        while (is_name_part(at[n]))
            n++;
        return n;
    }
    *kind = PLC_TOKEN_OTHER;
    if (isdigit((unsigned char)at[0]) || (at[0] == '.' && isdigit((unsigned char)at[1]))) {
        while (is_name_part(at[n]) || at[n] == '.')
            n++;
        return n;
    }
    return *at == '"' || *at == '\'' ? string_length(at) : 1;
}

// At the word behind a #: conditionals keep the depth the same in all their branches.
static void follow_condition(lexer *l, const char *word)
{
    if (strncmp(word, "if", 2) == 0 && l->n_ifs < MAX_NESTED_IFS)
        l->if_depths[l->n_ifs++] = l->depth;
    else if (strncmp(word, "el", 2) == 0 && l->n_ifs > 0)
        l->depth = l->if_depths[l->n_ifs - 1];
    else if (strncmp(word, "endif", 5) == 0 && l->n_ifs > 0)
        l->n_ifs--;
}

static void follow_lines(lexer *l, const plc_token *token)
{
    const char c = *token->at;

    if (c == '#' && l->line_begins) {
        l->directive = true;
        follow_condition(l, token->at + 1 + strspn(token->at + 1, " \t"));
    }
    if (c == '\n') {
        if (!(l->directive && token->at[-1] == '\\'))
            l->directive = false;
        l->line_begins = true;
    } else if (token->kind != PLC_TOKEN_SPACE) {
        l->line_begins = false;
    }
}

static int depth_of(lexer *l, const plc_token *token)
{
    if (l->directive || token->kind != PLC_TOKEN_OTHER)
        return l->depth;
    if (strchr("([{", *token->at))
        return l->depth++;
    if (strchr(")]}", *token->at) && l->depth > 0)
        return --l->depth;
    return l->depth;
}

pleach_status plc_tokens_read(pleach_ctx *ctx, const char *text, plc_tokens *tokens)
{
    pleach_status status = PLEACH_OK;
    lexer l = {.at = text, .line_begins = true};

    *tokens = (plc_tokens){0};
    while (*l.at) {
        plc_token token = {.at = l.at};
        token.length = token_length(l.at, &token.kind);
        follow_lines(&l, &token);
        token.directive = l.directive;
        token.depth = depth_of(&l, &token);
        TRY(plc_grow(ctx, &tokens->items, &tokens->capacity, (size_t)tokens->n + 1));
        tokens->items[tokens->n++] = token;
        l.at += token.length;
    }
done:
    return status;
}

void plc_tokens_finish(plc_tokens *tokens)
{
    free(tokens->items);
    *tokens = (plc_tokens){0};
}

bool plc_token_is(const plc_token *token, const char *text)
{
    return token->length == strlen(text) && memcmp(token->at, text, token->length) == 0;
}

int plc_tokens_next(const plc_tokens *tokens, int i)
{
    while (i < tokens->n &&
           (tokens->items[i].kind == PLC_TOKEN_SPACE || tokens->items[i].directive))
        i++;
    return i;
}
