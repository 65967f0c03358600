// How far each channel's feature maps are those of another one (docs/method.md, "Scores", `redundancy`), on the device.
#ifndef PLC_PRUNE_REDUNDANCY_H
#define PLC_PRUNE_REDUNDANCY_H

#include <data/data.h>
#include <exec/session.h>
#include <graph/channels.h>

// Feature maps are those that convolutions and linear layers write, before batch norm and mask: of a pruned channel
// too, and correlations are the same before a batch norm as behind it.
typedef struct plc_redundancy plc_redundancy;

// What the score is made from. All borrowed.
typedef struct plc_redundancy_buffers {
    plc_buffer *peers, *peers_of; // the classes of each class's group, as score_distance has them
    plc_buffer *norms;            // per class: filled before plc_redundancy_run's launches run
    plc_buffer *scores;           // per class: the result
} plc_redundancy_buffers;

// Borrows session, which trains, and channels.
pleach_status plc_redundancy_create(pleach_session *session, const plc_channels *channels,
                                    const plc_redundancy_buffers *buffers, plc_redundancy **out);
void plc_redundancy_destroy(plc_redundancy **redundancy);

// Scores by the feature maps of some batches of `images` (at least one), in training mode, drawn by (seed, update);
// kept [n_classes]: the masks. Running statistics are afterwards as before; the uploaded batch is another. Waits.
pleach_status plc_redundancy_run(plc_redundancy *redundancy, const plc_split *images,
                                 const unsigned char *kept, unsigned long long seed,
                                 unsigned update);

#endif
