"""Models: networks with their weights."""
import ctypes
import os

import numpy

from ._library import Handle, Tensor, WriteOpts, context, lib


class Model(Handle):
    """A network with its weights, from a file or by name. Knows no device."""

    def __init__(self):
        super().__init__(lib.pleach_model_destroy)

    def _shape(self, function):
        shape = (ctypes.c_int * 3)()
        function(self.value, shape)
        return tuple(shape)

    @property
    def input(self):
        """(C, H, W) of an image."""
        return self._shape(lib.pleach_model_input)

    @property
    def output(self):
        """(classes, 1, 1), or (C, H, W) of maps."""
        return self._shape(lib.pleach_model_output)

    @property
    def macs(self):
        """Multiply-accumulates of one image, of convolutions and linear layers."""
        return lib.pleach_graph_macs(lib.pleach_model_graph(self.value))

    @property
    def params(self):
        """Trainable parameters."""
        return lib.pleach_graph_params(lib.pleach_model_graph(self.value))

    @property
    def normalisation(self):
        """(mean, std) as the file has them, a float32 per channel, or None: (x / 255 - mean) / std."""
        n = self.input[0]
        mean, std = numpy.zeros(n, numpy.float32), numpy.ones(n, numpy.float32)
        given = ctypes.c_bool()
        floats = ctypes.POINTER(ctypes.c_float)
        ctx = context()
        ctx.check(lib.pleach_model_normalisation(ctx.value, self.value, mean.ctypes.data_as(floats),
                                                 std.ctypes.data_as(floats), ctypes.byref(given)))
        return (mean, std) if given.value else None

    def arrays(self):
        """Every parameter by its name, copied: {"conv1.weight": float32 [O, I, R, S], ...}."""
        found = {}
        tensor = Tensor()
        for i in range(lib.pleach_model_n_tensors(self.value)):
            lib.pleach_model_tensor(self.value, i, ctypes.byref(tensor))
            shape = tuple(tensor.dims[:tensor.n_dims])
            found[tensor.name.decode()] = numpy.ctypeslib.as_array(tensor.data, shape).copy()
        return found

    def write(self, path, batch_norms=False, opset=0):
        """Writes ONNX where `path` ends in .onnx (batch norms folded unless they are to stay), else a model file."""
        ctx = context()
        opts = WriteOpts(batch_norms, opset)
        ctx.check(lib.pleach_model_write(ctx.value, self.value, os.fsencode(path), ctypes.byref(opts)))


def read(path, external_data=False):
    """The model in a file: ONNX where its name ends in .onnx, else one that pleach has written.

    With external_data parameters may lie in another file of the same folder."""
    model, ctx = Model(), context()
    lib.pleach_ctx_allow_external_data(ctx.value, int(external_data))
    ctx.check(lib.pleach_model_read(ctx.value, os.fsencode(path), model.out))
    return model


def create(name, input=(3, 32, 32), classes=10, seed=0):
    """The network `name` ("resnet20", ...) with initial weights that are a function of the seed."""
    model, ctx = Model(), context()
    ctx.check(lib.pleach_model_create(ctx.value, name.encode(), *input, classes, seed, model.out))
    return model
