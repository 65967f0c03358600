// What a user writes behind "folder:" and "pack:": a path, then options.
#ifndef PLC_DATA_SPEC_H
#define PLC_DATA_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <data/view.h>

// "DIR,size=64,val=0.1": options are the last parts that look like "name=value", so a path may have commas. Of an option
// that is given twice the last counts.
// Filled with defaults; 0 where nothing was said of size and store.
typedef struct plc_data_spec {
    char *path;          // owned
    int size;            // size=N: side of the network's input
    int store;           // store=N: side of the stored square
    int channels;        // channels=1|3
    double val;          // val=X: share of each class held out, where there are no train/ and val/
    uint64_t seed;       // seed=N: of that choice, and of the order of the list
    int cache_mib;       // cache=N: most memory for decoded pictures
    int n_threads;       // threads=N that decode
    plc_variety variety; // area=X, jitter=X
    bool val_given;
} plc_data_spec;

// `source` is "folder" or "pack": which of them knows which options. Fails with PLEACH_EUSAGE: text gives
// the option, its value and range, or the nearest option that there is.
pleach_status plc_data_spec_parse(pleach_ctx *ctx, const char *source, const char *text,
                                  plc_data_spec *spec);
void plc_data_spec_finish(plc_data_spec *spec);

// The stored side where only the network's is known, and the other way round: 256 to 224 as is usual.
int plc_data_store_of(int size);

// What there is to say in --help.
extern const char plc_data_spec_help[];

#endif
