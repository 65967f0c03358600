// Signals that ask the program to end.
#include <cli/signals.h>

static const int watched[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_WATCHED = sizeof watched / sizeof *watched };

void plc_cli_note_ignored_signals(plc_cli *cli)
{
    struct sigaction action;

    sigemptyset(&cli->ignored_signals);
    for (int i = 0; i < N_WATCHED; i++)
        if (sigaction(watched[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            sigaddset(&cli->ignored_signals, watched[i]);
}

void plc_cli_watch_signals(const plc_cli *cli, void (*handler)(int number), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    sigemptyset(&action.sa_mask);
    for (int i = 0; i < N_WATCHED; i++)
        if (!sigismember(&cli->ignored_signals, watched[i]))
            sigaction(watched[i], &action, NULL);
}
