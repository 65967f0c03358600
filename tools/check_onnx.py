"""What tools/check-onnx runs in its virtual environment: exported networks in other programs.

For each network a model file with random weights and statistics is written by build/tests/write_model, exported with
and without batch norms, checked by onnx.checker, and run by ONNX Runtime and OpenVINO on a batch of images of the
data set. Their logits must equal those of `pleach eval --logits` within 1e-4 of the largest. The exported file, read by
pleach again, must give them too.
"""
import collections, glob, json, os, re, struct, subprocess, sys, tempfile

import numpy, onnx, onnxruntime, openvino

PLEACH, WRITE_MODEL = os.path.join("build", "pleach"), os.path.join("build", "tests", "write_model")
PAGE = os.path.join("docs", "onnx.md")
CASES = os.path.join("build", "tests", "test_onnx_cases")
DATA, SHAPE, CLASSES, N_IMAGES = "fashion-mnist", (1, 28, 28), 10, 4
IMAGES = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
TOLERANCE = 1e-4


def pleach(*words):
    done = subprocess.run([PLEACH, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"pleach {' '.join(words)}: {done.stderr}")
    return done.stdout


def read_tensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = numpy.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return tensors, metadata


def images():
    import gzip
    with gzip.open(IMAGES) as file:
        raw = file.read()
    return numpy.frombuffer(raw, numpy.uint8, offset=16).reshape(-1, *SHAPE)[:N_IMAGES]


def difference(found, expected):
    return float(numpy.abs(found - expected).max() / numpy.abs(expected).max())


def check(name, model, folder, extra):
    tensors, metadata = read_tensors(model)
    logits = os.path.join(folder, "logits.safetensors")
    words = ["--data", DATA, "--limit", str(N_IMAGES), "--batch", str(N_IMAGES), "--tune", "off"]
    pleach("eval", model, *words, "--logits", logits)
    expected = read_tensors(logits)[0]["logits"]
    mean, std = (numpy.array([float(v) for v in metadata[key].split(",")], numpy.float32)[:, None, None]
                 for key in ("mean", "std"))
    x = ((images().astype(numpy.float32) / 255 - mean) / std).astype(numpy.float32)
    path = os.path.join(folder, "model.onnx")
    pleach("export", model, "--onnx", path, *extra)
    onnx.checker.check_model(path, full_check=True)
    proto = onnx.load(path)
    assert {p.key: p.value for p in proto.metadata_props}["mean"] == metadata["mean"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = {"ONNX Runtime": session.run(None, {session.get_inputs()[0].name: x})[0]}
    # Reduced precision is OpenVINO's default on some processors.
    compiled = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found["OpenVINO"] = compiled(x)[0]
    pleach("eval", path, *words, "--logits", logits)
    found["pleach"] = read_tensors(logits)[0]["logits"]
    worst = {program: difference(y, expected) for program, y in found.items()}
    n_norms = sum(node.op_type == "BatchNormalization" for node in proto.graph.node)
    print(f"{name:24} {' '.join(extra):16} {len(proto.graph.node):4} nodes, {n_norms:3} batch norms, "
          + ", ".join(f"{program} {value:.1e}" for program, value in worst.items()), flush=True)
    return max(worst.values()) < TOLERANCE


def tensor(path):
    with open(path, "rb") as file:
        return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(file.read()))


def check_cases():
    """What pleach read of the ONNX project's own cases and wrote again: ONNX Runtime must get the cases' outputs of it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([CASES], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PLEACH_ONNX_KEEP": folder})
        names, worst, refused = sorted(os.listdir(folder)), 0.0, []
        for name in names:
            case, output, _ = name.rsplit(".", 2)
            data = glob.glob(f"/usr/share/libonnx-testdata/data/*/{case}/test_data_set_0")[0]
            x, expected = tensor(f"{data}/input_0.pb"), tensor(f"{data}/output_{output}.pb")
            path = os.path.join(folder, name)
            onnx.checker.check_model(path, full_check=True)
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            found = session.run(None, {session.get_inputs()[0].name: x.reshape(-1, *session.get_inputs()[0].shape[1:])})[0]
            if found.size != expected.size:
                refused.append(f"{case}: {found.size} values, expected {expected.size}")
                continue
            off = numpy.abs(found.ravel() - expected.ravel()) / (1 + numpy.abs(expected.ravel()))
            worst = max(worst, float(off.max()))
            if not off.max() < TOLERANCE:
                refused.append(f"{case}: off by {off.max():.1e}")
    print(f"{len(names)} outputs of the ONNX project's cases, read and written: ONNX Runtime differs by {worst:.1e} at most", flush=True)
    for line in refused:
        print("  " + line)
    return not refused


def write_coverage():
    """The table of `pleach ops` and what --coverage says, into docs/onnx.md between their marks."""
    text = open(PAGE).read()
    for mark, table in (("operators", operators()), ("coverage", coverage())):
        begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
        head, rest = text.split(begin)
        text = head + begin + table + end + rest.split(end, 1)[1]
    open(PAGE, "w").write(text)


def operators():
    rows = json.loads(pleach("ops", "--json"))["operators"]
    return "| ONNX | becomes | what of it |\n|---|---|---|\n" + "".join(
        f"| {row['onnx']} | {row['becomes']} | {row['limits'] or 'all'} |\n" for row in rows)


MOST_REASONS = 4  # of one operator's cases


def coverage():
    """What came of the ONNX project's cases: a row for each operator that is read, the others in a line."""
    found = json.loads(pleach("ops", "--coverage", "--json"))
    known = {row["onnx"] for row in json.loads(pleach("ops", "--json"))["operators"]}
    passed, refused, others = collections.Counter(), {}, collections.Counter()
    for case in found["cases"]:
        operator = case["operator"] or "(several operators)"
        if case["operator"] and operator not in known:
            others[operator] += 1
        elif case["verdict"] == "passed":
            passed[operator] += 1
        else:
            why = re.sub(r"^\w+ '[^']*': ", "", case["why"])  # which node of the case it was
            refused.setdefault(operator, collections.Counter())[why] += 1
    lines = ["| ONNX | passed | refused | why refused |", "|---|---|---|---|"]
    for operator in sorted({*passed, *refused}):
        why = refused.get(operator, collections.Counter())
        most = why.most_common(MOST_REASONS)
        reasons = [f"{n}: {reason.replace('|', '/')}" for reason, n in most]
        if len(why) > len(most):
            reasons.append(f"{why.total() - sum(n for _, n in most)}: others")
        lines.append(f"| {operator} | {passed[operator]} | {why.total()} | {'; '.join(reasons)} |")
    unread = " ".join(f"{operator} ({n})" for operator, n in sorted(others.items()))
    return "\n".join([*lines, "", f"Not read: {unread}", "",
                      f"{found['passed']} cases passed, {found['refused']} refused with a reason, {found['wrong']} wrong", ""])


def write_model(name, folder):
    path = os.path.join(folder, name + ".safetensors")
    network, share = ("resnet20", 0.5) if name == "pruned" else (name, 0)
    subprocess.run([WRITE_MODEL, network, str(SHAPE[0]), str(SHAPE[1]), str(CLASSES), str(share), path], check=True)
    return path


def main():
    names = sys.argv[1:] or ["cnn5", "resnet20", "resnet56", "vgg16", "densenet40", "pruned"]
    good = True
    if not sys.argv[1:]:
        good = check_cases()
        write_coverage()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            model = write_model(name, folder)
            for extra in ([], ["--batch-norms", "--opset", "9"], ["--opset", "21"]):
                good = check(name, model, folder, extra) and good
    if not good:
        sys.exit(f"a difference of {TOLERANCE} or more")


main()
