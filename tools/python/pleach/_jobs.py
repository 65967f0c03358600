"""Jobs: training and compressing, as the program's commands of these names do."""
import collections
import contextlib
import ctypes
import functools
import json
import os
import signal
import threading

from . import _model
from ._library import PROGRESS_FN, lib

# What a progress callback gets: texts, numbers, and whether this is the last call of an epoch.
Progress = collections.namedtuple("Progress", "device network phase epoch n_epochs step n_steps images_per_second loss "
                                              "accuracy macs_kept params_kept seconds_left epoch_done")

# What a job leaves: its directory, the final network, and report.json as a dictionary.
Result = collections.namedtuple("Result", "directory model report")


def _as_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_as_text(v) for v in value)
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


class _Watcher:
    """Hands progress to `callback`; an answer of False, or an exception, stops the job after it has saved."""

    def __init__(self, callback):
        self.callback, self.stop, self.failure = callback, ctypes.c_int(0), None
        self.in_callback = False
        self.function = PROGRESS_FN(functools.partial(self._keep_failure, self._told))

    def _keep_failure(self, function, *arguments):
        try:
            function(*arguments)
        except BaseException as failure:  # it cannot pass through C
            self.failure, self.stop.value = failure, 1

    def _told(self, _, progress):
        values = [getattr(progress.contents, name) for name in Progress._fields]
        values = [(v or b"").decode() if v is None or isinstance(v, bytes) else v for v in values]
        self.in_callback = True  # where a handler may raise as anywhere else
        try:
            if self.callback and self.callback(Progress(*values)) is False:
                self.stop.value = 1
        finally:
            self.in_callback = False

    def _handle(self, handler, *arguments):
        if self.in_callback:
            handler(*arguments)
        else:
            self._keep_failure(handler, *arguments)

    def take_signals(self, stack):
        """Until `stack` is left, what handlers of signals raise (KeyboardInterrupt) stops the job as well: while C runs
        they are called when it calls back, before any `try` is reached."""
        if threading.current_thread() is not threading.main_thread():  # the only one in which handlers run
            return
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                stack.callback(signal.signal, number, handler)
                signal.signal(number, functools.partial(self._handle, handler))


def _run(device, command, options, resume, progress):
    words = []
    for name, value in options.items():
        words += [name.replace("_", "-"), _as_text(value)]
    array = (ctypes.c_char_p * (len(words) + 1))(*(word.encode() for word in words), None)
    watcher = _Watcher(progress)
    with contextlib.ExitStack() as stack:
        watcher.take_signals(stack)
        stack.enter_context(device.used())
        status = lib.pleach_job_run(device.context.value, device.value, command.encode(), array,
                                    os.fsencode(resume) if resume else None, watcher.function, None,
                                    ctypes.byref(watcher.stop))
    if watcher.failure:
        raise watcher.failure
    device.context.check(status)
    directory = os.fspath(resume or options["out"])
    with open(os.path.join(directory, "report.json"), encoding="utf-8") as file:
        report = json.load(file)
    return Result(directory, _model.read(os.path.join(directory, "model.safetensors")), report)


def _job(device, command, model, data, out, resume, progress, options):
    if resume:
        if options or any(given is not None for given in (model, data, out)):
            raise TypeError(f"--resume goes on with the options of '{resume}'; give no others")
        return _run(device, command, {}, resume, progress)
    if model is None or data is None or out is None:
        raise TypeError("model, data and out are needed, or resume")
    options = {"data": data, "out": out, **options}
    if not isinstance(model, _model.Model):
        return _run(device, command, {"model": model, **options}, None, progress)
    path = os.path.join(out, "start.safetensors")  # stays there: a resumed job may read it again
    if not os.path.exists(os.path.join(out, "config.json")):  # of a run, which the job refuses to overwrite
        os.makedirs(out, exist_ok=True)
        model.write(path)
    return _run(device, command, {"model": path, **options}, None, progress)


def compress(device, model=None, data=None, out=None, resume=None, progress=None, **options):
    """Trains a network and makes it smaller; returns a Result.

    `model` is a Model, a file or a network's name; `data` a data set as `pleach --data` takes it; `out` the run
    directory. Further options are those of `pleach compress --help`, with _ for -: macs=0.5, epochs=12, unfold=True.
    `progress(p)` is called some times a second with a Progress; where it returns False the job saves and Interrupted
    is raised: compress(device, resume=out) goes on, with the options that stand there and no others.
    """
    return _job(device, "compress", model, data, out, resume, progress, options)


def train(device, model=None, data=None, out=None, resume=None, progress=None, **options):
    """Trains a network; as `compress`, with the options of `pleach train --help`."""
    return _job(device, "train", model, data, out, resume, progress, options)
