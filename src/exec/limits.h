// The most memory that a session's buffers may take. All fail with PLEACH_ENOMEM: text gives bytes needed, bytes there and
// what to change.
#ifndef PLC_EXEC_LIMITS_H
#define PLC_EXEC_LIMITS_H

#include <exec/session.h>

// Bytes behind the end of a value: on channel lanes vectors are read beyond the last channel.
size_t plc_spare_bytes(const pleach_session *s, bool channel_lanes);

// Images of 8 bits per value must fit one allocation; their values, of which there are as many, are indexed.
pleach_status plc_check_images(const pleach_session *s, size_t image_bytes);

// A value or gradient must fit allocation_bytes, and kernels index it with an int.
pleach_status plc_check_value(const pleach_session *s, const plc_buffer *value,
                              size_t allocation_bytes, bool channel_lanes);

// The same of the workspace or sums, which are floats. They follow the batch as their operators cut it, so
// no number of images is sure to fit.
pleach_status plc_check_floats(const pleach_session *s, const plc_buffer *floats,
                               size_t allocation_bytes);

// Values of total_bytes must fit the device beside all that is in use already.
pleach_status plc_check_total(const pleach_session *s, size_t total_bytes);

#endif
