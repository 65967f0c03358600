// What `pleach report` shows of runs, for commands that have just made several.
#ifndef PLC_CLI_REPORT_H
#define PLC_CLI_REPORT_H

#include <cli/cli.h>

// Reads `n` run directories (or report.json files), prints one table (--json: one document) and writes the page.
pleach_status plc_cli_show_runs(plc_cli *cli, const char *const *runs, size_t n, const char *page);

#endif
