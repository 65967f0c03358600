// Reading a data set once, all of it, to find what is bad.
#ifndef PLC_DATA_CHECK_H
#define PLC_DATA_CHECK_H

#include <stddef.h>
#include <data/folder.h>

typedef struct plc_class_count {
    char *name; // owned, NULL where the data set has no names
    int train, val;
} plc_class_count;

typedef struct plc_side_range {
    int least, median, most; // pixels
} plc_side_range;

// Works when zero. A bad file is counted as well: it is there, and would have to be put right.
typedef struct plc_data_check {
    plc_class_count *classes; // owned
    size_t n_classes;
    size_t n_images, n_ignored;
    plc_side_range width, height; // of the images that are not bad
    plc_folder_problem *bad;      // owned, by path; `path` is empty where a text names it
    size_t n_bad;
} plc_data_check;

// Reads the data set `source` (as pleach_dataset_open has it) on all processors. What is bad is no
// failure; fails with PLEACH_EUSAGE and PLEACH_ENOMEM, and where a folder cannot be listed.
pleach_status plc_data_check_run(pleach_ctx *ctx, const char *source, plc_data_check *check);
void plc_data_check_finish(plc_data_check *check);

#endif
