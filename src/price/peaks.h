// What a device reaches at best, measured on it: multiply-adds, memory, launches; and the roofline of these.
#ifndef PLC_PRICE_PEAKS_H
#define PLC_PRICE_PEAKS_H

#include <device/device.h>

// Multiply-adds, two operations each, in `chains` chains that do not wait for one another.
typedef struct plc_fma_peak {
    int chains;
    double gflops;
} plc_fma_peak;

// Traffic in GB/s (10^9 bytes) over an array of `bytes`: copying counts reads and writes.
typedef struct plc_bandwidth {
    long long bytes;
    double copy_gb_s, read_gb_s, write_gb_s;
} plc_bandwidth;

// Works when zero.
typedef struct plc_peaks {
    double gflops;     // the best over chains
    plc_fma_peak *fma; // owned, by chains
    size_t n_fma, fma_capacity;
    plc_bandwidth *bandwidth; // owned, smallest array first
    size_t n_bandwidth, bandwidth_capacity;
    double launch_us;      // of an empty kernel, launches back to back
    double launch_wait_us; // of an empty kernel and a wait for it
} plc_peaks;

// Measures for two seconds or so, and keeps the better of what is there and what it finds: measured
// before and after something, peaks hold for what was between. Blocks.
pleach_status plc_peaks_measure(pleach_device *device, plc_peaks *peaks);
void plc_peaks_finish(plc_peaks *peaks);

// The roof, in GB/s, for work that moves `bytes`: the best of copy, read and write over that much memory,
// or more. Between two sizes that of the smaller one, which caches serve better.
double plc_peaks_bandwidth(const plc_peaks *peaks, double bytes);

// The least time that the device needs by its roofline: max(flops / peak, bytes / bandwidth).
double plc_peaks_seconds(const plc_peaks *peaks, double flops, double bytes);

#endif
