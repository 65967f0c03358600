// Masks into the mask arena, and what pruned or returned channels lose, on the device.
#ifndef PLC_PRUNE_PRUNER_H
#define PLC_PRUNE_PRUNER_H

#include <exec/session.h>
#include <graph/channels.h>

typedef struct plc_pruner plc_pruner;

// Uploads which slices of the arena each class owns. Borrows session and channels.
pleach_status plc_pruner_create(pleach_session *session, const plc_channels *channels,
                                plc_pruner **pruner);
void plc_pruner_destroy(plc_pruner **pruner);

// Masks all values by kept [n_classes]: 1 kept, 0 pruned. Waits for the upload.
pleach_status plc_pruner_set_masks(plc_pruner *pruner, const unsigned char *kept);

// Of the classes with chosen[k] != 0 zeroes the filters (soft pruning; batch norms stay, as a filter whose gamma
// is zero too would get no gradient).
pleach_status plc_pruner_zero_filters(plc_pruner *pruner, const unsigned char *chosen);
// The same of the optimizer's moments of all that they own as producers (filters, biases, gamma, beta): a channel
// that returns begins anew.
pleach_status plc_pruner_zero_moments(plc_pruner *pruner, const unsigned char *chosen);

#endif
