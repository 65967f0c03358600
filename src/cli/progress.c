// Progress on stderr. Colours and rewriting only where someone looks at a terminal.
#include <cli/progress.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <base/clock.h>
#include <base/text.h>

enum { MAX_LINE = 512, DEFAULT_WIDTH = 80 };

static bool is_terminal(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

void plc_progress_init(plc_progress *progress, plc_progress_mode mode)
{
    const char *no_color = getenv("NO_COLOR");

    *progress = (plc_progress){.mode = mode};
    if (mode == PLC_PROGRESS_AUTO)
        progress->mode = is_terminal() ? PLC_PROGRESS_BAR : PLC_PROGRESS_PLAIN;
    progress->colour = is_terminal() && !(no_color && *no_color);
}

static int terminal_width(void)
{
    struct winsize size = {0};

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_WIDTH;
}

void plc_progress_format(const pleach_progress *now, int width, char *text, size_t size)
{
    char left[PLC_FORMAT_MAX], parts[8][96];
    int n = 0;
    size_t used = 0;
    const bool control = now->network && *now->network;

    // Most needed first: what does not fit is left out from the end.
    snprintf(parts[n++], sizeof parts[0], "%s%s%s %d/%d", control ? now->network : "",
             control ? " " : "", now->phase ? now->phase : "", now->epoch, now->n_epochs);
    if (!now->epoch_done && now->n_steps > 0)
        snprintf(parts[n++], sizeof parts[0], "%3.0f %%", 100.0 * now->step / now->n_steps);
    if (isfinite(now->loss))
        snprintf(parts[n++], sizeof parts[0], "loss %.3f", now->loss);
    if (isfinite(now->accuracy))
        snprintf(parts[n++], sizeof parts[0], "accuracy %.1f %%", 100.0 * now->accuracy);
    snprintf(parts[n++], sizeof parts[0], "%.0f images/s", now->images_per_second);
    plc_format_seconds(now->seconds_left, left, sizeof left);
    if (now->seconds_left >= 0.5)
        snprintf(parts[n++], sizeof parts[0], "%s left", left);
    if (now->macs_kept > 0 && isfinite(now->macs_kept))
        snprintf(parts[n++], sizeof parts[0], "MACs %.1f %%", 100.0 * now->macs_kept);
    if (now->device && *now->device)
        snprintf(parts[n++], sizeof parts[0], "%s", now->device);
    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        const int room = width - (int)used - (i ? 2 : 0);
        const bool may_be_cut = i == 0 || i == n - 1;

        if (room < 1 || (!may_be_cut && (int)strlen(parts[i]) > room) || used + 2 >= size)
            break;
        snprintf(text + used, size - used, "%s%.*s", i ? "  " : "", room, parts[i]);
        used = strlen(text);
    }
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

void plc_progress_clear(plc_progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}

void plc_progress_show(void *user, const pleach_progress *now)
{
    plc_progress *progress = user;
    char line[MAX_LINE];

    if (progress->mode == PLC_PROGRESS_NONE)
        return;
    if (progress->mode == PLC_PROGRESS_PLAIN && !now->epoch_done)
        return;
    // The last column stays free: some terminals wrap when it is written.
    plc_progress_format(now,
                        progress->mode == PLC_PROGRESS_BAR ? terminal_width() - 1 : MAX_LINE - 1,
                        line, sizeof line);
    plc_progress_clear(progress);
    if (now->epoch_done) {
        fprintf(stderr, "%s\n", line);
    } else {
        fprintf(stderr, progress->colour ? "\033[1m%s\033[0m" : "%s", line);
        progress->shown = true;
    }
    fflush(stderr);
}

void plc_progress_show_device(void *user, const char *what, int n_done, int n)
{
    plc_progress *progress = user;
    const double seconds_between_lines = 2.0, now = plc_clock_seconds();
    char line[MAX_LINE], of[24] = "";

    if (progress->mode == PLC_PROGRESS_BAR)
        plc_progress_clear(progress);
    if (progress->mode == PLC_PROGRESS_NONE || what == NULL)
        return;
    if (n > 0)
        snprintf(of, sizeof of, "/%d", n);
    snprintf(line, sizeof line, "%s %d%s", what, n_done, of);
    if (progress->mode == PLC_PROGRESS_BAR) {
        fprintf(stderr, "%.*s", terminal_width() - 1, line);
        progress->shown = true;
    } else if (progress->told == 0.0) {
        progress->told = now;
    } else if (now - progress->told >= seconds_between_lines) {
        fprintf(stderr, "%s\n", line);
        progress->told = now;
    }
    fflush(stderr);
}
