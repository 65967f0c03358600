// The fields of a report, once: JSON is written, read and freed by this table.
#include <report/report.h>

#define FIELD(type, kind_, field)                                                                  \
    {                                                                                              \
        .key = #field, .kind = PLC_FIELD_##kind_, .offset = offsetof(type, field)                  \
    }
#define OBJECT(field, fields_)                                                                     \
    {                                                                                              \
        .key = #field, .kind = PLC_FIELD_OBJECT, .fields = fields_                                 \
    }
#define INNER(object, kind_, field)                                                                \
    {                                                                                              \
        .key = #field, .kind = PLC_FIELD_##kind_, .offset = offsetof(plc_report, object.field)     \
    }
#define LIST(field, type, fields_)                                                                 \
    {                                                                                              \
        .key = #field, .kind = PLC_FIELD_LIST, .offset = offsetof(plc_report, field),              \
        .fields = fields_, .count = offsetof(plc_report, n_##field),                               \
        .capacity = offsetof(plc_report, field##_capacity), .size = sizeof(type)                   \
    }
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }

static const plc_field network_fields[] = {
    FIELD(plc_report_network, TEXT, name),
    FIELD(plc_report_network, REAL, accuracy),
    FIELD(plc_report_network, PAIR, interval),
    FIELD(plc_report_network, REAL, loss),
    FIELD(plc_report_network, COUNT, macs),
    FIELD(plc_report_network, COUNT, params),
    FIELD(plc_report_network, INT, conv_layers),
    FIELD(plc_report_network, REAL, latency_ms),
    FIELD(plc_report_network, INT, latency_batch),
    FIELD(plc_report_network, REAL, images_per_second),
    FIELD(plc_report_network, REAL, train_seconds),
    FIELD(plc_report_network, INT, epochs),
    END,
};

static const plc_field channels_fields[] = {
    FIELD(plc_report_channels, TEXT, layer),
    FIELD(plc_report_channels, INT, before),
    FIELD(plc_report_channels, INT, after),
    END,
};

static const plc_field mask_update_fields[] = {
    FIELD(plc_report_mask_update, INT, epoch),
    FIELD(plc_report_mask_update, INT, step),
    FIELD(plc_report_mask_update, REAL, pl),
    FIELD(plc_report_mask_update, COUNT, macs),
    FIELD(plc_report_mask_update, COUNT, params),
    FIELD(plc_report_mask_update, INT, n_pruned),
    FIELD(plc_report_mask_update, INT, flips),
    FIELD(plc_report_mask_update, INT, returns),
    END,
};

static const plc_field block_fields[] = {
    FIELD(plc_report_block, TEXT, name),
    FIELD(plc_report_block, REAL, importance),
    FIELD(plc_report_block, FLAG, dropped),
    END,
};

static const plc_field device_fields[] = {
    INNER(device, TEXT, name), INNER(device, TEXT, platform), INNER(device, TEXT, driver),
    INNER(device, INT, lanes), INNER(device, TEXT, mapping),  END,
};

static const plc_field method_cost_fields[] = {
    INNER(method_cost, REAL, score_ms),
    INNER(method_cost, REAL, mask_ms),
    INNER(method_cost, REAL, compact_ms),
    INNER(method_cost, REAL, fuse_ms),
    INNER(method_cost, REAL, total_seconds),
    INNER(method_cost, REAL, share_of_training),
    END,
};

static const plc_field memory_fields[] = {
    INNER(memory, COUNT, device_peak_bytes),
    INNER(memory, COUNT, host_peak_bytes),
    END,
};

const plc_field plc_report_fields[] = {
    FIELD(plc_report, TEXT, command),
    FIELD(plc_report, TEXT, model),
    FIELD(plc_report, TEXT, data),
    FIELD(plc_report, TRIPLE, input),
    FIELD(plc_report, INT, n_classes),
    FIELD(plc_report, SEED, seed),
    FIELD(plc_report, INT, epochs),
    FIELD(plc_report, INT, batch),
    OBJECT(device, device_fields),
    LIST(networks, plc_report_network, network_fields),
    LIST(channels, plc_report_channels, channels_fields),
    LIST(mask_updates, plc_report_mask_update, mask_update_fields),
    LIST(blocks, plc_report_block, block_fields),
    OBJECT(method_cost, method_cost_fields),
    OBJECT(memory, memory_fields),
    FIELD(plc_report, REAL, seconds),
    END,
};
