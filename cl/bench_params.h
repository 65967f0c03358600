// bench_params.h: what bench.cl and its launcher must agree on. Read by C11 and by OpenCL C.
#ifndef PLEACH_BENCH_PARAMS_H
#define PLEACH_BENCH_PARAMS_H

#define FMA_UNROLL 16   // multiply-adds of each chain per round of the loop
#define MEMORY_UNROLL 4 // pixels that a group reads before it needs the first

#endif
