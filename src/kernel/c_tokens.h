// The words of a C text, with how deep in brackets each stands.
#ifndef PLC_KERNEL_C_TOKENS_H
#define PLC_KERNEL_C_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <base/status.h>

typedef enum plc_token_kind {
    PLC_TOKEN_SPACE, // blanks and comments
    PLC_TOKEN_NAME,
    PLC_TOKEN_OTHER, // a number, a string, a single character
} plc_token_kind;

typedef struct plc_token {
    const char *at; // borrowed: in the text
    size_t length;
    plc_token_kind kind;
    bool directive; // part of a line that begins with #
    int depth;      // of open ( [ {; a pair of brackets has the depth of what is around it
} plc_token;

typedef struct plc_tokens {
    plc_token *items; // owned
    int n;
    size_t capacity;
} plc_tokens;

// Borrows the text. All branches of #if are read; each begins as deep as the first one did.
pleach_status plc_tokens_read(pleach_ctx *ctx, const char *text, plc_tokens *tokens);
void plc_tokens_finish(plc_tokens *tokens);

bool plc_token_is(const plc_token *token, const char *text);

// The next token from `i` on that is no space and in no directive; tokens->n: there is none.
int plc_tokens_next(const plc_tokens *tokens, int i);

#endif
