"""What tools/check-torchvision runs in its virtual environment: networks of PyTorch through pleach and back.

Each network is exported by torch.onnx.export, with both exporters; pleach reads the file and its logits must equal those
of ONNX Runtime. Then `pleach compress` leaves half of the multiply-accumulates in a few steps on random pictures, the
result is exported, judged by onnx.checker, run by ONNX Runtime, and its multiply-accumulates are counted here, from the
ONNX graph. Weights are random; batch norms have seen some noise. U-Nets, which give maps, are read and run only.
"""
import argparse, io, json, os, subprocess, sys, tempfile, warnings

import numpy, onnx, onnxruntime, torch, torchvision
from PIL import Image

sys.path.insert(0, os.path.join("tools", "python"))
import pleach

PLEACH = os.path.join("build", "pleach")
CLASSES, N_IMAGES, BATCH = 10, 4, 8
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TOLERANCE = 1e-4  # of the largest value
SHARE = 0.5
TRAIN_IMAGES, TEST_IMAGES = 40, 10  # pictures of noise
DOCUMENT = os.path.join("docs", "torchvision.md")
ROWS = os.path.join("build", "torchvision-rows.json")


def double_conv(n_in, n_out):
    layers = []
    for n in (n_in, n_out):
        layers += [torch.nn.Conv2d(n, n_out, 3, padding=1, bias=False), torch.nn.BatchNorm2d(n_out),
                   torch.nn.ReLU(inplace=True)]
    return torch.nn.Sequential(*layers)


class UNet(torch.nn.Module):
    """Two levels; goes up by bilinear resizing or by transposed convolutions."""

    def __init__(self, transposed):
        super().__init__()
        self.down1, self.down2, self.bottom = double_conv(3, 8), double_conv(8, 16), double_conv(16, 32)
        self.pool = torch.nn.MaxPool2d(2)

        def up(n):
            if transposed:
                return torch.nn.ConvTranspose2d(n, n // 2, 2, stride=2)
            return torch.nn.Sequential(torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                                       torch.nn.Conv2d(n, n // 2, 1))
        self.up2, self.up1 = up(32), up(16)
        self.after2, self.after1 = double_conv(32, 16), double_conv(16, 8)
        self.last = torch.nn.Conv2d(8, CLASSES, 1)

    def forward(self, x):
        first = self.down1(x)
        second = self.down2(self.pool(first))
        y = self.bottom(self.pool(second))
        y = self.after2(torch.cat([second, self.up2(y)], 1))
        return self.last(self.after1(torch.cat([first, self.up1(y)], 1)))


def of_torchvision(name):
    return lambda: getattr(torchvision.models, name)(weights=None, num_classes=CLASSES)


def vgg16_bn():
    """Its pooling to 7x7 has no ONNX form for other images than 224x224: to 1x1 here."""
    model = of_torchvision("vgg16_bn")()
    model.avgpool = torch.nn.AdaptiveAvgPool2d(1)
    model.classifier[0] = torch.nn.Linear(512, 4096)
    return model


# name: (builder, side of its images)
NETWORKS = {
    "unet_bilinear": (lambda: UNet(False), 64),
    "unet_transposed": (lambda: UNet(True), 64),
    "resnet18": (of_torchvision("resnet18"), 64),
    "mobilenet_v2": (of_torchvision("mobilenet_v2"), 64),
    "resnet50": (of_torchvision("resnet50"), 64),
    "densenet121": (of_torchvision("densenet121"), 64),
    "vgg16_bn": (vgg16_bn, 64),
}
EXPORTERS = {"TorchScript": {"dynamo": False}, "dynamo": {"dynamo": True, "external_data": False}}


class Failed(Exception):
    pass


def run_pleach(*words):
    done = subprocess.run([PLEACH, *words, "--tune", "off", "--progress", "none"], capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    return done.stdout


def make_network(name):
    torch.manual_seed(0)
    builder, side = NETWORKS[name]
    model = builder().train()
    with torch.no_grad():  # running statistics as of a network that has been trained
        for _ in range(4):
            model(torch.randn(8, 3, side, side))
    return model.eval(), side


def export(model, side, path, options):
    noise = io.StringIO()
    stdout, sys.stdout = sys.stdout, noise
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(model, (torch.randn(1, 3, side, side),), path, input_names=["images"], **options)
    except Exception as error:
        raise Failed(f"torch.onnx.export: {type(error).__name__}: {str(error).splitlines()[0]}")
    finally:
        sys.stdout = stdout


def difference(found, expected):
    return float(numpy.abs(found - expected).max() / numpy.abs(expected).max())


def in_onnx_runtime(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return numpy.concatenate([session.run(None, {name: x[i:i + 1]})[0] for i in range(len(x))])


def compare(device, path, images):
    """pleach's logits of the file beside ONNX Runtime's."""
    mean, std = (numpy.array(v, numpy.float32)[:, None, None] for v in (MEAN, STD))
    x = ((images.astype(numpy.float32) / 255 - mean) / std).astype(numpy.float32)
    model = pleach.read(path)
    found = device.session(model, batch=len(images), mean=MEAN, std=STD).predict(images)
    return difference(found, in_onnx_runtime(path, x)), model


def sizes(graph):
    """Dimensions of every value and parameter; 0 where they are open."""
    found = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.value_info, *graph.input, *graph.output]:
        found[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return found


def product(values):
    result = 1
    for value in values:
        result *= value
    return result


def node_macs(node, dims):
    """Multiply-accumulates of a node for one image, by what the ONNX standard says it computes."""
    if node.op_type == "Conv":  # weight [O][I / groups][R][S]: each output sums over the last three
        return product(dims[node.output[0]][1:]) * product(dims[node.input[1]][1:])
    if node.op_type == "ConvTranspose":  # weight [I][O / groups][R][S]: each input goes to the last three
        return product(dims[node.input[0]][1:]) * product(dims[node.input[1]][1:])
    if node.op_type == "Gemm":
        return product(dims[node.input[1]])
    if node.op_type == "MatMul":
        return product(dims[node.output[0]][1:]) * dims[node.input[1]][-2]
    return 0


def count_macs(path):
    graph = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True).graph
    dims = sizes(graph)
    return sum(node_macs(node, dims) for node in graph.node)


def write_pictures(folder, side):
    """A folder of noise; every class has pictures to train with and to validate with."""
    random = numpy.random.default_rng(0)
    for part, n in (("train", TRAIN_IMAGES), ("val", TEST_IMAGES)):
        for i in range(n):
            where = os.path.join(folder, part, f"class{i % CLASSES}")
            os.makedirs(where, exist_ok=True)
            noise = random.integers(0, 256, (side, side, 3), numpy.uint8)
            Image.fromarray(noise).save(os.path.join(where, f"{i}.png"))
    return f"folder:{folder},size={side},store={side}"


def compress(path, data, folder):
    run = os.path.join(folder, "run")
    run_pleach("compress", "--model", path, "--data", data, "--macs", str(SHARE), "--epochs", "2", "--batch",
               str(BATCH), "--calibration", str(BATCH), "--lr", "0.001", "--drop", "0", "--settle", "0", "--out", run,
               "--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)))
    small = os.path.join(folder, "small.onnx")
    run_pleach("export", os.path.join(run, "model.safetensors"), "--onnx", small)
    return small


def check_exported(row, device, images, folder):
    """The compressed file: valid, the same logits elsewhere, the same count."""
    dense = os.path.join(folder, "model.onnx")
    small = compress(dense, write_pictures(os.path.join(folder, "pictures"), images.shape[-1]), folder)
    onnx.checker.check_model(small, full_check=True)
    row["back"], model = compare(device, small, images)
    row["counted"] = count_macs(small)
    row["macs"] = json.loads(run_pleach("inspect", small, "--json"))["macs"]
    row["share"] = row["macs"] / row["dense"]
    row["good"] = (row["back"] < TOLERANCE and row["counted"] == row["macs"] == model.macs
                   and row["share"] <= SHARE + 1e-9)
    if not row["good"]:
        row["why"] = (f"back {row['back']:.1e}, {row['macs']} MACs, counted {row['counted']}, "
                      f"share {row['share']:.3f}")


def check_in(folder, row, device):
    name = row["network"]
    model, side = make_network(name)
    row["side"] = side
    path = os.path.join(folder, "model.onnx")
    export(model, side, path, EXPORTERS[row["exporter"]])
    row["opset"] = next(o.version for o in onnx.load(path).opset_import if o.domain in ("", "ai.onnx"))
    images = numpy.random.default_rng(1).integers(0, 256, (N_IMAGES, 3, side, side), numpy.uint8)
    row["in"], read = compare(device, path, images)
    row["dense"] = read.macs
    counted = count_macs(path)
    if row["in"] >= TOLERANCE:
        raise Failed(f"logits differ by {row['in']:.1e}")
    row["good"] = True
    if name.startswith("unet"):
        return
    if row["dense"] != counted:
        raise Failed(f"pleach counts {row['dense']} MACs, the graph has {counted}")
    check_exported(row, device, images, folder)


def check(name, exporter, device):
    row = {"network": name, "exporter": exporter, "good": False, "why": ""}
    with tempfile.TemporaryDirectory() as folder:
        try:
            check_in(folder, row, device)
        except (Failed, pleach.Error, onnx.checker.ValidationError) as error:
            row["good"], row["why"] = False, str(error).replace(folder + os.sep, "")
    return row


def millions(n):
    return f"{n / 1e6:.1f} M"


def cells(row):
    def get(key, form):
        return form(row[key]) if key in row else ""
    return [row["network"], row["exporter"], get("opset", str), get("side", lambda s: f"3x{s}x{s}"),
            get("in", "{:.1e}".format), get("dense", millions), get("macs", millions),
            get("share", "{:.1%}".format), get("counted", str), get("back", "{:.1e}".format),
            "yes" if row["good"] else "**no**"]


HEADS = ["network", "exporter", "opset", "input", "logits as read", "MACs", "compressed", "share", "counted",
         "logits sent back", "good"]


def table(rows):
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    return lines + ["| " + " | ".join(cells(row)) + " |" for row in rows]


def document(rows, device):
    reasons = [f"- {row['network']}, {row['exporter']}: {row['why']}" for row in rows if not row["good"]]
    return "\n".join([
        "# Networks of torchvision, there and back", "",
        "Written by `tools/check-torchvision`; do not edit.", "",
        f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, onnx {onnx.__version__}, ONNX Runtime "
        f"{onnxruntime.__version__}; pleach on {device.info['name']} ({device.info['platform_name']}).", "",
        "Each network, with random weights and 10 classes, is exported by `torch.onnx.export` (the TorchScript exporter, "
        "`dynamo=False`, and the one of `torch.export`, `dynamo=True`), read by pleach, compressed to half of its "
        f"multiply-accumulates on {TRAIN_IMAGES} pictures of noise, and exported again. *Logits as read*: how far "
        "pleach's are from ONNX Runtime's for the same file, of the largest; *logits sent back*: the same for the "
        "compressed file, which onnx.checker has judged. *Counted*: multiply-accumulates of the compressed file as the "
        "script counts them from the ONNX graph; they must be those that `pleach inspect` gives. vgg16_bn is pooled to "
        "1x1 instead of 7x7, which PyTorch cannot export for images of this size. U-Nets give maps, for which pleach has no loss: they "
        f"are read and run. Good: all of it holds, with a tolerance of {TOLERANCE:g}.", "",
        *table(rows), ""] + (["What is not good:", "", *reasons, ""] if reasons else []))


def build():
    """What rows are of: those of another build count no more."""
    return [os.path.getmtime(PLEACH), os.path.getmtime(pleach.library_path())]


def known_rows():
    try:
        with open(ROWS, encoding="utf-8") as file:
            known = json.load(file)
    except OSError:
        return []
    return known["rows"] if known["build"] == build() else []


def keep(rows, device, out):
    """After each row: an interrupted check leaves what is known."""
    with open(ROWS, "w", encoding="utf-8") as file:
        json.dump({"build": build(), "rows": rows}, file)
    if out:
        with open(out, "w", encoding="utf-8") as file:
            file.write(document(rows, device))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", help=f"file of the table (default: {DOCUMENT} where all networks are checked, else none)")
    parser.add_argument("--go-on", action="store_true", help="keep what an earlier check of the same build has found")
    parser.add_argument("networks", nargs="*")
    args = parser.parse_args()
    unknown = [name for name in args.networks if name not in NETWORKS]
    if unknown:
        sys.exit(f"{unknown[0]}: not known; there are {', '.join(NETWORKS)}")
    out = args.out or (None if args.networks else DOCUMENT)
    device = pleach.Device(os.environ.get("PLEACH_DEVICE", ""), tune="off")
    order, rows = list(NETWORKS), known_rows() if args.go_on else []
    for exporter in EXPORTERS:
        for name in args.networks or order:
            if any((row["network"], row["exporter"]) == (name, exporter) for row in rows):
                continue
            row = check(name, exporter, device)
            print(" ".join(cells(row)), row["why"], flush=True)
            rows = sorted([*rows, row], key=lambda r: (order.index(r["network"]), r["exporter"]))
            keep(rows, device, out)
    print("\n".join(table(rows)))
    if not all(row["good"] for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
