// Coupled channels: which channels of which values must leave together (docs/method.md, "What must leave together").
// Every channel of every value is an element of a union-find; a class is what leaves together.
#ifndef PLC_GRAPH_CHANNELS_H
#define PLC_GRAPH_CHANNELS_H

#include <graph/graph.h>

typedef struct plc_channels plc_channels;

// Runs the channel rule of every operator. Graph input and logits are frozen.
// Operators without a rule freeze what they touch and are named in the log.
pleach_status plc_channels_create(pleach_ctx *ctx, const pleach_graph *graph,
                                  plc_channels **channels);
void plc_channels_destroy(plc_channels **channels);

// For channel rules. A new value's channels are classes of their own until tied.
void plc_channels_tie(plc_channels *channels, int node_a, int channel_a, int node_b, int channel_b);
void plc_channels_freeze(plc_channels *channels, int node, int channel);

// Read back after creation. Classes are numbered 0.. in order of their first element.
int plc_channels_n_classes(const plc_channels *channels);
int plc_channels_class(const plc_channels *channels, int node, int channel);

// A group: the classes that pass through exactly the same values, in channel order.
typedef struct plc_group {
    int first_node; // the first value that carries it; names the group
    int *classes;   // owned
    int n_classes;
    bool frozen;
} plc_group;

int plc_channels_n_groups(const plc_channels *channels);
const plc_group *plc_channels_group(const plc_channels *channels, int group);
int plc_channels_group_of(const plc_channels *channels, int class_id);

#endif
