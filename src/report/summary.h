// Runs that differ in seeds or options, summed up: means over the seeds with their intervals.
#ifndef PLC_REPORT_SUMMARY_H
#define PLC_REPORT_SUMMARY_H

#include <report/report.h>

// A network of the runs that differ in nothing but the seed. Numbers are means over them.
typedef struct plc_summary_row {
    int group;           // runs of one setting, numbered from 0
    const char *network; // borrowed from the reports
    bool final;          // trained for all epochs: no stage on the way to another one
    int n_seeds;
    double accuracy,
        interval[2]; // of the mean, Student's t at 95 %; one seed: Wilson's, of its images
    double macs, params, conv_layers, latency_ms, train_seconds;
    double *accuracies;     // owned, [n_seeds]
    const plc_report *last; // borrowed: of the last seed that was added
} plc_summary_row;

// Works when zero.
typedef struct plc_summary {
    char **labels; // owned, per group: options that not all groups share, "band 0.1"; one group: ""
    double *values; // owned, per group: of the only such option where it is a number, else NAN
    double *flips, *returns; // owned, per group: masks that changed, per update and mean over seeds
    int n_groups;
    char *option;          // owned: name of that only option, or NULL
    plc_summary_row *rows; // owned, group by group
    size_t n_rows, capacity;
} plc_summary;

// Whether some runs can be compared: same command, model, data and epochs.
bool plc_summary_suits(const plc_report_run *runs, size_t n_runs);

// Borrows the reports. The caller finishes *summary.
pleach_status plc_summary_create(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                 plc_summary *summary);
void plc_summary_finish(plc_summary *summary);

// A row per setting and network. The caller finishes *table.
pleach_status plc_summary_tabulate(pleach_ctx *ctx, const plc_summary *summary, plc_table *table);

// Accuracy over computations and over latency; with an option of numbers, accuracy and flips over it.
pleach_status plc_summary_draw(pleach_ctx *ctx, const plc_summary *summary, plc_text *text);

// Half the width of the 95 % interval of a mean of n values whose standard deviation (n - 1) is given;
// NAN for fewer than two.
double plc_student_half_width(double deviation, int n);

#endif
