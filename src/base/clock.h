// Time that only moves forward.
#ifndef PLC_BASE_CLOCK_H
#define PLC_BASE_CLOCK_H

// Seconds since an arbitrary start, monotonic; only differences mean anything.
double plc_clock_seconds(void);

#endif
