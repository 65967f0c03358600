// Independent pieces of work, shared out to threads.
#include <base/parallel.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

typedef struct work {
    plc_item_fn *run;
    void *user;
    int n;
    pthread_mutex_t mutex;
    // Guarded by `mutex`.
    int next;
    pleach_ctx *ctx; // the caller's: gets the text of the failure
    pleach_status status;
    int failed; // item of `status`
} work;

typedef struct worker {
    work *work;
    int number;
    pthread_t thread;
} worker;

int plc_n_processors(void)
{
    cpu_set_t set;
    int n = 1;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > PLC_MAX_THREADS ? PLC_MAX_THREADS : n;
}

static int take_item(work *work)
{
    int item = -1;

    pthread_mutex_lock(&work->mutex);
    if (work->status == PLEACH_OK && work->next < work->n)
        item = work->next++;
    pthread_mutex_unlock(&work->mutex);
    return item;
}

static void note_failure(work *work, pleach_status status, int item, const char *text)
{
    pthread_mutex_lock(&work->mutex);
    if (work->status == PLEACH_OK || item < work->failed) {
        work->status = plc_fail(work->ctx, status, "%s", text);
        work->failed = item;
    }
    pthread_mutex_unlock(&work->mutex);
}

static void *run_worker(void *user)
{
    worker *worker = user;
    work *work = worker->work;
    pleach_ctx *ctx = NULL;
    int item = -1;

    if (pleach_ctx_create(&ctx) != PLEACH_OK) {
        note_failure(work, PLEACH_ENOMEM, work->n, "no memory for a thread's context");
        return NULL;
    }
    while ((item = take_item(work)) >= 0) {
        const pleach_status status = work->run(ctx, work->user, worker->number, item);

        if (status != PLEACH_OK)
            note_failure(work, status, item, pleach_error(ctx));
    }
    pleach_ctx_destroy(&ctx);
    return NULL;
}

int plc_thread_create(pthread_t *thread, void *(*run)(void *), void *user)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(thread, NULL, run, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

pleach_status plc_parallel_for(pleach_ctx *ctx, int n, int n_threads, plc_item_fn *run, void *user)
{
    work work = {.run = run, .user = user, .n = n, .ctx = ctx};
    worker workers[PLC_MAX_THREADS];
    int n_started = 0, wanted = n_threads;

    if (wanted > n)
        wanted = n;
    if (wanted > PLC_MAX_THREADS)
        wanted = PLC_MAX_THREADS;
    pthread_mutex_init(&work.mutex, NULL);
    for (int i = 1; i < wanted; i++) {
        workers[n_started] = (worker){.work = &work, .number = i};
        if (plc_thread_create(&workers[n_started].thread, run_worker, &workers[n_started]) == 0)
            n_started++;
    }
    run_worker(&(worker){.work = &work}); // the caller's thread, number 0
    for (int i = 0; i < n_started; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_mutex_destroy(&work.mutex);
    return work.status;
}
