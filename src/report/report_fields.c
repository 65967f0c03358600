// The fields of a report, once: JSON is written, read and freed by this table.
#include <report/report.h>

static const plc_field network_fields[] = {
    PLC_FIELD(plc_report_network, TEXT, name),
    PLC_FIELD(plc_report_network, REAL, accuracy),
    PLC_FIELD(plc_report_network, PAIR, interval),
    PLC_FIELD(plc_report_network, REAL, loss),
    PLC_FIELD(plc_report_network, COUNT, macs),
    PLC_FIELD(plc_report_network, COUNT, params),
    PLC_FIELD(plc_report_network, INT, conv_layers),
    PLC_FIELD(plc_report_network, REAL, latency_ms),
    PLC_FIELD(plc_report_network, INT, latency_batch),
    PLC_FIELD(plc_report_network, REAL, images_per_second),
    PLC_FIELD(plc_report_network, REAL, inference_ms),
    PLC_FIELD(plc_report_network, INT, inference_batch),
    PLC_FIELD(plc_report_network, REAL, train_seconds),
    PLC_FIELD(plc_report_network, INT, epochs),
    PLC_FIELDS_END,
};

static const plc_field channels_fields[] = {
    PLC_FIELD(plc_report_channels, TEXT, layer),
    PLC_FIELD(plc_report_channels, INT, before),
    PLC_FIELD(plc_report_channels, INT, after),
    PLC_FIELDS_END,
};

static const plc_field mask_update_fields[] = {
    PLC_FIELD(plc_report_mask_update, INT, epoch),
    PLC_FIELD(plc_report_mask_update, INT, step),
    PLC_FIELD(plc_report_mask_update, REAL, pl),
    PLC_FIELD(plc_report_mask_update, COUNT, macs),
    PLC_FIELD(plc_report_mask_update, COUNT, params),
    PLC_FIELD(plc_report_mask_update, REAL, latency_ms),
    PLC_FIELD(plc_report_mask_update, INT, n_pruned),
    PLC_FIELD(plc_report_mask_update, INT, flips),
    PLC_FIELD(plc_report_mask_update, INT, returns),
    PLC_FIELDS_END,
};

static const plc_field target_fields[] = {
    PLC_FIELD(plc_report_target, TEXT, kind),
    PLC_FIELD(plc_report_target, REAL, target),
    PLC_FIELD(plc_report_target, REAL, dense),
    PLC_FIELD(plc_report_target, INT, batch),
    PLC_FIELDS_END,
};

static const plc_field block_fields[] = {
    PLC_FIELD(plc_report_block, TEXT, name),
    PLC_FIELD(plc_report_block, TEXT, action),
    PLC_FIELD(plc_report_block, REAL, importance),
    PLC_FIELD(plc_report_block, REAL, border_error),
    PLC_FIELDS_END,
};

static const plc_field device_fields[] = {
    PLC_FIELD_INNER(plc_report, device, TEXT, name),
    PLC_FIELD_INNER(plc_report, device, TEXT, platform),
    PLC_FIELD_INNER(plc_report, device, TEXT, driver),
    PLC_FIELD_INNER(plc_report, device, INT, compute_units),
    PLC_FIELD_INNER(plc_report, device, INT, lanes),
    PLC_FIELD_INNER(plc_report, device, TEXT, mapping),
    PLC_FIELDS_END,
};

static const plc_field method_cost_fields[] = {
    PLC_FIELD_INNER(plc_report, method_cost, REAL, score_ms),
    PLC_FIELD_INNER(plc_report, method_cost, REAL, mask_ms),
    PLC_FIELD_INNER(plc_report, method_cost, REAL, compact_ms),
    PLC_FIELD_INNER(plc_report, method_cost, REAL, fuse_ms),
    PLC_FIELD_INNER(plc_report, method_cost, REAL, total_seconds),
    PLC_FIELD_INNER(plc_report, method_cost, REAL, share_of_training),
    PLC_FIELDS_END,
};

static const plc_field memory_fields[] = {
    PLC_FIELD_INNER(plc_report, memory, COUNT, device_peak_bytes),
    PLC_FIELD_INNER(plc_report, memory, COUNT, host_peak_bytes),
    PLC_FIELDS_END,
};

const plc_field plc_report_fields[] = {
    PLC_FIELD(plc_report, TEXT, command),
    PLC_FIELD(plc_report, TEXT, model),
    PLC_FIELD(plc_report, TEXT, data),
    PLC_FIELD(plc_report, TEXT, options),
    PLC_FIELD(plc_report, TRIPLE, input),
    PLC_FIELD(plc_report, INT, n_classes),
    PLC_FIELD(plc_report, SEED, seed),
    PLC_FIELD(plc_report, INT, epochs),
    PLC_FIELD(plc_report, INT, batch),
    PLC_FIELD_OBJECT_OF(device, device_fields),
    PLC_FIELD_LIST_OF(plc_report, networks, plc_report_network, network_fields),
    PLC_FIELD_LIST_OF(plc_report, targets, plc_report_target, target_fields),
    PLC_FIELD_LIST_OF(plc_report, channels, plc_report_channels, channels_fields),
    PLC_FIELD_LIST_OF(plc_report, mask_updates, plc_report_mask_update, mask_update_fields),
    PLC_FIELD_LIST_OF(plc_report, blocks, plc_report_block, block_fields),
    PLC_FIELD_OBJECT_OF(method_cost, method_cost_fields),
    PLC_FIELD_OBJECT_OF(memory, memory_fields),
    PLC_FIELD(plc_report, REAL, seconds),
    PLC_FIELDS_END,
};
