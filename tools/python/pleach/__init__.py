"""pleach from Python: networks in, smaller networks out, on whatever OpenCL device there is.

    import pleach
    device = pleach.Device()                                  # or pleach.Device("gpu")
    model = pleach.read("theirs.onnx")                        # ONNX, or a model file of pleach
    logits = device.session(model).predict(images)            # uint8 [n, C, H, W] -> float32 [n, classes]
    small = pleach.compress(device, model="theirs.onnx", data="folder:pictures,size=64", macs=0.5, out="runs/a")
    small.model.write("small.onnx")

The library is found as $PLEACH_LIBRARY, in the build folder beside these sources, or by the system's loader.
"""
from ._library import Error, Interrupted, library_path
from ._model import Model, create, read
from ._device import Device, Session, devices
from ._jobs import Progress, Result, compress, train

__all__ = ["Device", "Error", "Interrupted", "Model", "Progress", "Result", "Session", "compress", "create",
           "devices", "library_path", "read", "train"]
