// Independent pieces of work, shared out to threads.
#ifndef PLC_BASE_PARALLEL_H
#define PLC_BASE_PARALLEL_H

#include <pthread.h>
#include <base/status.h>

enum { PLC_MAX_THREADS = 64 };

// How many processors this process may use, 1 to PLC_MAX_THREADS.
int plc_n_processors(void);

// Starts a thread with all signals blocked: they stay with the caller's threads, whose waits they are meant to
// interrupt. Returns what pthread_create does: 0, or an error number.
int plc_thread_create(pthread_t *thread, void *(*run)(void *), void *user);

// Does item `item`. `thread` is 0 to n_threads - 1 and runs one item at a time; `ctx` is that thread's own.
typedef pleach_status plc_item_fn(pleach_ctx *ctx, void *user, int thread, int item);

// Calls `run` for each item of [0, n) on up to `n_threads` threads, and waits. Items are begun in their
// order. After a failure none is begun; the failure of the lowest item is returned with its text, the
// same for any number of threads. Signals stay with the caller's thread.
pleach_status plc_parallel_for(pleach_ctx *ctx, int n, int n_threads, plc_item_fn *run, void *user);

#endif
