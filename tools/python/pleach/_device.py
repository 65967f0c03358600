"""OpenCL devices, and sessions: a network made ready to run on one."""
import ctypes

import numpy

from ._library import Context, DeviceList, DeviceOpts, Handle, SessionOpts, context, lib

FLOATS = ctypes.POINTER(ctypes.c_float)
PRECISIONS = {"float": 0, "half": 1}
TUNE = {"off": 0, "fast": 1, "full": 2}


def _facts(info):
    """A pleach_device_info as a dictionary; texts are decoded."""
    values = {name: getattr(info, name) for name, _ in info._fields_}
    return {name: v.decode("utf-8", "replace") if isinstance(v, bytes) else v for name, v in values.items()}


def devices():
    """A dictionary for every device of every platform; "platform" and "index" choose it: Device("0:1")."""
    ctx = context()
    found = ctypes.POINTER(DeviceList)()
    ctx.check(lib.pleach_device_list_create(ctx.value, ctypes.byref(found)))
    try:
        return [_facts(found.contents.items[i]) for i in range(found.contents.n_items)]
    finally:
        lib.pleach_device_list_destroy(ctypes.byref(found))


def _word(what, word, words):
    if word not in words:
        raise ValueError(f"{what} '{word}': one of {', '.join(words)} is expected")
    return words[word]


class Device(Handle):
    """An open device, for one thread at a time. `choice` as in `pleach --device`: "gpu", "cpu", "0:1", a name."""

    def __init__(self, choice="", precision="float", tune="fast", lanes=0):
        self.context = Context()
        super().__init__(lib.pleach_device_close, self.context)
        opts = DeviceOpts(lanes=lanes, precision=_word("precision", precision, PRECISIONS),
                          tune=_word("tune", tune, TUNE))
        self.context.check(lib.pleach_device_open(self.context.value, choice.encode(), ctypes.byref(opts), self.out))

    @property
    def info(self):
        """What the device says of itself, as `devices` gives it."""
        return _facts(lib.pleach_device_get_info(self.value).contents)

    def session(self, model, batch=32, mean=None, std=None):
        """A session of the model on this device; see Session."""
        return Session(self, model, batch, mean, std)


class Session(Handle):
    """A model ready to run at up to `batch` images at once. `mean` and `std`, a number per channel of x / 255, are
    those of the model's file unless they are given; without either, 0 and 1."""

    def __init__(self, device, model, batch=32, mean=None, std=None):
        super().__init__(lib.pleach_session_destroy, device)
        self.device, self.batch, self.input, self.output = device, batch, model.input, model.output
        usual = model.normalisation or (numpy.zeros(self.input[0]), numpy.ones(self.input[0]))
        self.mean, self.std = (self._per_channel(what, own if given is None else given) for what, given, own
                               in (("mean", mean, usual[0]), ("std", std, usual[1])))
        opts = SessionOpts(inference_only=True, mean=self.mean.ctypes.data_as(FLOATS),
                           std=self.std.ctypes.data_as(FLOATS))
        ctx = device.context
        ctx.check(lib.pleach_session_create(ctx.value, lib.pleach_model_graph(model.value), device.value, batch,
                                            ctypes.byref(opts), self.out))
        ctx.check(lib.pleach_session_load(self.value, model.value))

    def _per_channel(self, what, values):
        array = numpy.ascontiguousarray(values, numpy.float32)
        if array.shape != (self.input[0],):
            raise ValueError(f"{what}: {self.input[0]} numbers are expected, one per channel; its shape is {array.shape}")
        return array

    def predict(self, images):
        """Logits, float32 [n, classes] (or maps [n, C, H, W]), of uint8 images [n, C, H, W], any number of them."""
        images = numpy.ascontiguousarray(images)
        if images.dtype != numpy.uint8 or images.shape[1:] != self.input:
            raise ValueError(f"images: uint8 [n, {', '.join(map(str, self.input))}] is expected, found {images.dtype} "
                             f"{list(images.shape)}; give pixels from 0 to 255, the session normalises them")
        maps = self.output[1:] != (1, 1)
        results = numpy.empty((len(images), *(self.output if maps else self.output[:1])), numpy.float32)
        for first in range(0, len(images), self.batch):
            part = images[first:first + self.batch]
            self.device.context.check(lib.pleach_session_predict(
                self.value, part.ctypes.data, len(part), results[first:first + len(part)].ctypes.data_as(FLOATS)))
        return results
