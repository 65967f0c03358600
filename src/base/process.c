// Other programs: posix_spawn, and a wait that ends.
#include <base/process.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <base/clock.h>

static const double longest_pause = 0.05; // between two looks: what a limit may be late
static const double longest_dying = 10.0; // from SIGKILL to the end

// The descriptor that the program gets: its copy stays open in the program, this one does not.
static pleach_status open_output(pleach_ctx *ctx, const char *path, int *file)
{
    enum { RIGHTS = 0666 };

    if (!path)
        return PLEACH_OK;
    *file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, RIGHTS);
    if (*file < 0)
        return plc_fail(ctx, PLEACH_EIO, "%s: cannot open for what a program writes: %s", path,
                        strerror(errno));
    return PLEACH_OK;
}

static int set_files(posix_spawn_file_actions_t *actions, int out, int err)
{
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (!error && out >= 0)
        error = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
    if (!error && err >= 0)
        error = posix_spawn_file_actions_adddup2(actions, err, STDERR_FILENO);
    return error;
}

// A group of its own, and no signal blocked or ignored that this process blocks or ignores.
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int error = posix_spawnattr_setpgroup(attributes, 0);

    sigemptyset(&none);
    sigfillset(&all);
    if (!error)
        error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error)
        error = posix_spawnattr_setsigdefault(attributes, &all);
    if (!error)
        error = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return error;
}

static pleach_status start(pleach_ctx *ctx, const plc_process *process, pid_t *pid)
{
    pleach_status status = PLEACH_OK;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int out = -1, err = -1;
    int error = posix_spawn_file_actions_init(&actions);

    if (error)
        return plc_fail(ctx, PLEACH_ENOMEM, "%s: cannot be started: %s", process->path,
                        strerror(error));
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return plc_fail(ctx, PLEACH_ENOMEM, "%s: cannot be started: %s", process->path,
                        strerror(error));
    }
    TRY(open_output(ctx, process->out, &out));
    TRY(open_output(ctx, process->err, &err));
    error = set_files(&actions, out, err);
    if (!error)
        error = set_attributes(&attributes);
    if (!error) // which does not write to the words, whatever its type says
        error = posix_spawn(pid, process->path, &actions, &attributes,
                            (char *const *)(uintptr_t)process->argv, environ);
    if (error)
        FAIL(ctx, PLEACH_EIO, "%s: cannot be started: %s", process->path, strerror(error));
done:
    if (out >= 0)
        close(out);
    if (err >= 0)
        close(err);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

// Whether it has ended, without taking its end away: until that is done its number names no other.
static pleach_status look(pleach_ctx *ctx, const plc_process *process, pid_t pid, bool *ended)
{
    siginfo_t info = {0};

    *ended = false;
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        *ended = info.si_pid == pid;
    else if (errno != EINTR)
        return plc_fail(ctx, PLEACH_EFAILED, "%s: cannot be waited for: %s", process->path,
                        strerror(errno));
    return PLEACH_OK;
}

// Waits until it has ended, at most `seconds` (0: for ever), or until *stop.
static pleach_status wait_for(pleach_ctx *ctx, const plc_process *process, pid_t pid,
                              double seconds, const volatile int *stop, bool *ended)
{
    pleach_status status = PLEACH_OK;
    const double from = plc_clock_seconds();
    double pause = 1e-3;

    for (;;) {
        TRY(look(ctx, process, pid, ended));
        if (*ended || (stop && *stop) || (seconds > 0 && plc_clock_seconds() - from >= seconds))
            break;
        nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * pause)}, NULL); // a signal may end it
        pause = 2 * pause < longest_pause ? 2 * pause : longest_pause;
    }
done:
    return status;
}

static pleach_status run(pleach_ctx *ctx, const plc_process *process, plc_process_result *result)
{
    pleach_status status = PLEACH_OK;
    const double from = plc_clock_seconds();
    bool ended = false, dead = false;
    pid_t pid = 0;
    int how = 0;

    *result = (plc_process_result){0};
    TRY(start(ctx, process, &pid));
    // Where that fails the number is not, or no longer, that of a child: nothing may be killed.
    TRY(wait_for(ctx, process, pid, process->limit_seconds, process->stop, &ended));
    if (!ended)
        result->end =
            process->stop && *process->stop ? PLC_PROCESS_STOPPED : PLC_PROCESS_OVER_LIMIT;
    kill(-pid, SIGKILL); // also what a program that has ended has left behind
    TRY(wait_for(ctx, process, pid, longest_dying, NULL, &dead));
    result->seconds = plc_clock_seconds() - from;
    if (!dead) {
        plc_log(ctx, PLEACH_LOG_WARNING, "%s: process %d was killed and does not end",
                process->path, (int)pid);
        goto done;
    }
    waitpid(pid, &how, 0); // at once
    if (!ended)
        goto done;
    result->end = WIFSIGNALED(how) ? PLC_PROCESS_SIGNALLED : PLC_PROCESS_EXITED;
    result->code = WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how);
done:
    return status;
}

pleach_status plc_process_run(pleach_ctx *ctx, const plc_process *process,
                              plc_process_result *result)
{
    struct sigaction before;
    const struct sigaction standard = {.sa_handler = SIG_DFL};

    sigaction(SIGCHLD, &standard, &before); // ignored, as a parent may hand it down, no end is kept
    const pleach_status status = run(ctx, process, result);
    sigaction(SIGCHLD, &before, NULL);
    return status;
}

void plc_process_describe(const plc_process *process, const plc_process_result *result, char *text,
                          size_t size)
{
    switch (result->end) {
    case PLC_PROCESS_EXITED:
        snprintf(text, size, "exit code %d", result->code);
        break;
    case PLC_PROCESS_SIGNALLED:
        snprintf(text, size, "ended by signal %d (%s)", result->code, strsignal(result->code));
        break;
    case PLC_PROCESS_OVER_LIMIT:
        snprintf(text, size, "over the limit of %g s", process->limit_seconds);
        break;
    case PLC_PROCESS_STOPPED:
        snprintf(text, size, "stopped");
        break;
    }
}
