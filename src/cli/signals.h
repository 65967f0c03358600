// Signals that ask the program to end.
#ifndef PLC_CLI_SIGNALS_H
#define PLC_CLI_SIGNALS_H

#include <cli/cli.h>

// Notes which of them the program was started to ignore, as nohup does. To be called before a device is opened, as
// compilers in drivers put handlers of their own in the place.
void plc_cli_note_ignored_signals(plc_cli *cli);

// Calls `handler` when the program is interrupted, terminated, or its terminal goes; what was noted stays ignored.
// `flags` are those of sigaction: with SA_RESETHAND the second signal ends the program.
void plc_cli_watch_signals(const plc_cli *cli, void (*handler)(int number), int flags);

#endif
