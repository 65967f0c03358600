"""A network of torchvision made smaller and run by ONNX Runtime.

    pip install torch torchvision onnx onnxscript onnxruntime; pip install tools/python
    python torchvision_to_onnxruntime.py folder:pictures,size=64 --macs 0.5 --epochs 12

DATA is a data set as `pleach --data` takes it (docs/data.md), here with colour images.
"""
import argparse

import numpy
import onnxruntime
import torch
import torchvision

import pleach

parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--size", type=int, default=64, help="side of the images")
parser.add_argument("--classes", type=int, default=10)
parser.add_argument("--macs", type=float, default=0.5, help="share of the multiply-accumulates to keep")
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--calibration", type=int, default=100, help="training images held aside")
parser.add_argument("--out", default="runs/from-torchvision")
args = parser.parse_args()

# 1. Any network of yours, trained or not. Exporting folds its batch norms; unfold=True below brings them back.
network = torchvision.models.resnet18(weights=None, num_classes=args.classes).eval()
images = torch.randn(1, 3, args.size, args.size)
torch.onnx.export(network, (images,), "dense.onnx", input_names=["images"], dynamo=False)

# 2. Compress it, with the normalisation that it was trained with.
device = pleach.Device()
print("on", device.info["name"])


def tell(p):
    if p.epoch_done:
        print(f"epoch {p.epoch} of {p.n_epochs} ({p.phase}): loss {p.loss:.3f}, {p.macs_kept:.0%} of the computations")
    return True  # False would save and stop


result = pleach.compress(device, model="dense.onnx", data=args.data, out=args.out, macs=args.macs, epochs=args.epochs,
                         calibration=args.calibration, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225],
                         unfold=True, lr=0.05, progress=tell)
print(f"{pleach.read('dense.onnx').macs / 1e6:.1f} M multiply-accumulates before, {result.model.macs / 1e6:.1f} M now")
largest = max(result.model.arrays().items(), key=lambda item: item[1].size)
print("largest array:", largest[0], largest[1].shape)

# 3. Back to ONNX, and into another runtime. Its input is normalised, pleach's are pixels.
result.model.write("small.onnx")
pixels = numpy.random.default_rng(0).integers(0, 256, (4, 3, args.size, args.size), numpy.uint8)
mean, std = (values[:, None, None] for values in result.model.normalisation)
theirs = onnxruntime.InferenceSession("small.onnx", providers=["CPUExecutionProvider"])
logits = theirs.run(None, {theirs.get_inputs()[0].name: ((pixels / 255 - mean) / std).astype(numpy.float32)})[0]
ours = device.session(result.model).predict(pixels)
print("largest difference of logits:", abs(logits - ours).max() / abs(ours).max())
