// Batches of a split, gathered by threads ahead of whoever trains.
//
//     threads:  order(seed, epoch) ─► gather ─► [ ready | ready | taken | free ] ring of host buffers
//     caller:   next ─► (upload) ─► release
//
// Images in memory take one thread. Pictures that are decoded take as many as their data set says: a batch
// is shared out in pieces, and batches become ready in their order.
#ifndef PLC_DATA_LOADER_H
#define PLC_DATA_LOADER_H

#include <stdbool.h>
#include <stdint.h>
#include <base/status.h>
#include <data/data.h>

typedef struct plc_loader plc_loader;

typedef struct plc_loader_opts {
    int batch;      // images, at least 1
    uint64_t seed;  // with the epoch, all that decides the order
    bool shuffle;   // false: images as they are stored
    bool drop_last; // leave out an epoch's last batch when it is not full
    bool vary;      // pictures of the user's own vary with seed and epoch, as training wants them
    int epoch;     // the first batch is number `step` of this epoch: a resumed run sees the batches
    int step;      // that it would have seen (`step` may be the number of steps: the next epoch)
    int n_epochs;  // epochs until the end, from `epoch` on; 0: without end
    int n_buffers; // 0: 4
} plc_loader_opts;

typedef struct plc_batch {
    const uint8_t *images; // [batch][C][H][W], page-aligned; images behind n are zero
    const int32_t *labels; // [batch]; behind n they are 0: may be looked up, must not be counted
    const uint32_t *ids;   // [batch] places in the split
    int n;                 // images in this batch
    int epoch, step;
} plc_batch;

// Borrows `split`. Fails with PLEACH_EUSAGE (batch, epoch or step out of range; drop_last would
// leave nothing), PLEACH_ENOMEM, PLEACH_EFAILED (no thread).
pleach_status plc_loader_create(pleach_ctx *ctx, const plc_split *split,
                                const plc_loader_opts *opts, plc_loader **loader);
// At any time, also while batches are taken: their memory goes too.
void plc_loader_destroy(plc_loader **loader);

int plc_loader_steps_per_epoch(const plc_loader *loader);

// Waits for the next batch and takes it; false at the end, and where plc_loader_failure has something to
// say. The batch's memory stays valid until its release. At most n_buffers may be taken: one more would
// wait forever (asserted).
bool plc_loader_next(plc_loader *loader, plc_batch *batch);
// Why there is no next batch: PLEACH_OK at the end, else what went wrong in a thread, with its text: a
// picture that cannot be read or decoded.
pleach_status plc_loader_failure(plc_loader *loader, pleach_ctx *ctx);
// Gives the oldest taken batch back to the threads.
void plc_loader_release(plc_loader *loader);

#endif
