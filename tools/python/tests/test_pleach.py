"""Tests of the package as its users call it: python3 -m unittest discover tools/python/tests."""
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref

try:
    import numpy
except ImportError:
    print("SKIPPED: numpy is not installed (Debian: python3-numpy)")
    sys.exit(77)

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, PACKAGE)
import pleach

FASHION = "/usr/share/datasets/fashion-mnist"
SHORT = {"data": "fashion-mnist", "limit": 128, "calibration": 32, "batch": 32, "lr": 0.02}

OPEN = """
import gc, itertools, os, numpy, pleach
def open_session():
    device = pleach.Device(os.environ.get("PLEACH_TEST_DEVICE", ""), tune="off")
    return device, device.session(pleach.create("cnn5", input=(1, 28, 28)), batch=2)
image = numpy.zeros((1, 1, 28, 28), numpy.uint8)
"""


def images(n, shape, seed=0):
    return numpy.random.default_rng(seed).integers(0, 256, (n, *shape), numpy.uint8)


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)


class Models(WithFolder):
    def test_a_network_by_name_has_the_weights_of_its_seed(self):
        model = pleach.create("cnn5", input=(1, 28, 28), classes=10, seed=3)
        same = pleach.create("cnn5", input=(1, 28, 28), classes=10, seed=3)
        other = pleach.create("cnn5", input=(1, 28, 28), classes=10, seed=4)
        self.assertEqual((model.input, model.output), ((1, 28, 28), (10, 1, 1)))
        arrays = model.arrays()
        name = next(name for name, array in arrays.items() if array.ndim == 4)
        self.assertEqual(arrays[name].dtype, numpy.float32)
        self.assertTrue(numpy.array_equal(arrays[name], same.arrays()[name]))
        self.assertFalse(numpy.array_equal(arrays[name], other.arrays()[name]))

    def test_arrays_are_all_parameters(self):
        model = pleach.create("resnet20")
        trainable = sum(array.size for name, array in model.arrays().items() if "running" not in name)
        self.assertEqual(trainable, model.params)
        self.assertEqual(model.macs, 40551040 + 262144)  # He et al.'s and two 1x1 shortcuts

    def test_files_keep_the_weights(self):
        model = pleach.create("cnn5", seed=1)
        for name, options in (("a.safetensors", {}), ("a.onnx", {"batch_norms": True})):
            model.write(self.path(name), **options)
            again = pleach.read(self.path(name))
            self.assertIsNone(again.normalisation)
            for key, array in model.arrays().items():
                self.assertTrue(numpy.array_equal(array, again.arrays()[key]), key)

    def test_errors_have_the_library_s_texts_and_codes(self):
        with self.assertRaises(pleach.Error) as caught:
            pleach.create("resnet2")
        self.assertIn("did you mean 'resnet20'?", str(caught.exception))
        self.assertEqual(caught.exception.code, 2)
        with self.assertRaises(pleach.Error) as caught:
            pleach.read(self.path("nowhere.onnx"))
        self.assertIn("nowhere.onnx", str(caught.exception))
        self.assertEqual(caught.exception.code, 3)

    def test_a_closed_model_says_so(self):
        model = pleach.create("cnn5")
        model.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            model.arrays()


class OnADevice(WithFolder):
    @classmethod
    def setUpClass(cls):
        try:
            cls.device = pleach.Device(os.environ.get("PLEACH_TEST_DEVICE", ""), tune="off")
        except pleach.Error as error:
            raise unittest.SkipTest(f"no device: {error}")

    def test_the_device_tells_what_it_is(self):
        info = self.device.info
        self.assertTrue(info["name"])
        self.assertIn((info["platform"], info["index"]), [(d["platform"], d["index"]) for d in pleach.devices()])

    def test_logits_do_not_depend_on_the_batch_nor_on_the_file(self):
        model = pleach.create("cnn5", input=(1, 28, 28), seed=1)
        x = images(7, model.input)
        logits = self.device.session(model, batch=7).predict(x)
        self.assertEqual((logits.shape, logits.dtype), ((7, 10), numpy.float32))
        self.assertGreater(numpy.ptp(logits), 0)
        numpy.testing.assert_allclose(self.device.session(model, batch=3).predict(x), logits, atol=1e-4)
        model.write(self.path("a.onnx"))
        numpy.testing.assert_allclose(self.device.session(pleach.read(self.path("a.onnx"))).predict(x), logits,
                                      atol=1e-4)

    def test_normalisation_is_that_of_pytorch(self):
        model = pleach.create("cnn5", input=(1, 28, 28), seed=1)
        x = images(2, model.input)
        # (x / 255 - 1/5) / (1/2) of x is (y / 255 - 0) / (1/2) of y = x - 51.
        shifted = self.device.session(model, mean=[0.2], std=[0.5]).predict(numpy.maximum(x, 51))
        plain = self.device.session(model, mean=[0.0], std=[0.5]).predict(numpy.maximum(x, 51) - 51)
        other = self.device.session(model, mean=[0.0], std=[0.4]).predict(numpy.maximum(x, 51) - 51)
        numpy.testing.assert_allclose(shifted, plain, atol=1e-4)
        self.assertFalse(numpy.allclose(plain, other, atol=1e-4))

    def test_wrong_images_are_refused_with_what_is_expected(self):
        session = self.device.session(pleach.create("cnn5", input=(1, 28, 28)))
        with self.assertRaisesRegex(ValueError, r"uint8 \[n, 1, 28, 28\] is expected, found float32"):
            session.predict(numpy.zeros((2, 1, 28, 28), numpy.float32))
        with self.assertRaisesRegex(ValueError, "expected"):
            session.predict(numpy.zeros((2, 1, 28, 27), numpy.uint8))
        with self.assertRaisesRegex(ValueError, "mean: 1 numbers"):
            self.device.session(pleach.create("cnn5", input=(1, 28, 28)), mean=[0.1, 0.2])

    def run_apart(self, program):
        """Runs what may crash, behind OPEN, in a process of its own; returns what it prints."""
        process = subprocess.run([sys.executable, "-c", OPEN + program], env={**os.environ, "PYTHONPATH": PACKAGE},
                                 capture_output=True, text=True)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertNotIn("Exception ignored", process.stderr)
        return process.stdout.splitlines()

    def test_what_is_closed_says_so_and_a_device_closes_its_sessions(self):
        told = self.run_apart("""
device, session = open_session()
device.close()
for use in (lambda: session.predict(image), lambda: device.session(pleach.create("cnn5")), lambda: device.info):
    try:
        use()
    except ValueError as error:
        print(error)
""")
        self.assertEqual(told, ["the session is closed", "the device is closed", "the device is closed"])

    def test_sessions_devices_and_contexts_are_closed_in_any_order(self):
        self.run_apart("""
for order in itertools.permutations(range(3)):
    device, session = open_session()
    session.predict(image)
    handles = device.context, device, session
    for i in order + order:
        handles[i].close()
""")

    def test_a_device_and_its_session_are_collected_together(self):
        self.run_apart("""
class Application:
    def __init__(self):
        self.device, self.session = open_session()
        self.on_image = self.predict  # a cycle
    def predict(self, x):
        return self.session.predict(x)
Application().on_image(image)
gc.collect()
""")

    def test_a_session_is_freed_before_its_device(self):
        session = self.device.session(pleach.create("cnn5"))
        owned = weakref.ref(session._owned)
        del session
        gc.collect()
        self.assertIsNone(owned())

    def test_a_wrong_option_is_answered_with_the_nearest(self):
        with self.assertRaises(pleach.Error) as caught:
            pleach.compress(self.device, model="cnn5", out=self.path("run"), mac=0.5, **SHORT)
        self.assertIn("did you mean 'macs'?", str(caught.exception))
        with self.assertRaises(pleach.Error) as caught:
            pleach.compress(self.device, model="cnn5", out=self.path("run"), macs="half", **SHORT)
        self.assertIn("--macs 'half': a number is expected", str(caught.exception))

    def test_options_beside_resume_are_refused(self):
        for given in ({"model": "cnn5"}, {"data": "fashion-mnist"}, {"out": self.path("run")}, {"epochs": 3}):
            with self.assertRaisesRegex(TypeError, "--resume goes on with the options of 'there'; give no others"):
                pleach.train(self.device, resume="there", **given)

    @unittest.skipUnless(os.path.isdir(FASHION), "fashion-mnist is not installed")
    def test_a_network_gets_smaller_and_tells_how_it_goes(self):
        dense = pleach.create("cnn5", input=(1, 28, 28), seed=1)
        told = []
        result = pleach.compress(self.device, model=dense, out=self.path("run"), macs=0.5, epochs=3,
                                 progress=told.append, **SHORT)
        self.assertLessEqual(2 * result.model.macs, dense.macs)
        self.assertEqual(result.report["schema"], "pleach.run/1")
        self.assertEqual({p.epoch for p in told if p.epoch_done}, {1, 2, 3})
        self.assertTrue(all(p.n_epochs == 3 and p.phase for p in told))
        result.model.write(self.path("small.onnx"))
        x = images(4, dense.input)
        mean, std = result.model.normalisation
        small = self.device.session(pleach.read(self.path("small.onnx")))
        numpy.testing.assert_allclose(self.device.session(result.model).predict(x), small.predict(x), atol=1e-3)
        self.assertEqual((mean.shape, std.shape), ((1,), (1,)))

    @unittest.skipUnless(os.path.isdir(FASHION), "fashion-mnist is not installed")
    def test_a_device_stays_open_while_a_job_runs_with_it(self):
        device = pleach.Device()
        for close in (device.close, device.context.close):
            with self.assertRaisesRegex(RuntimeError, "close it when the job has ended"):
                pleach.train(device, model="cnn5", out=self.path(close.__self__.__class__.__name__), epochs=1,
                             progress=lambda p: close(), **SHORT)
        device.info  # is still there
        device.close()

    @unittest.skipUnless(os.path.isdir(FASHION), "fashion-mnist is not installed")
    def test_an_answer_of_false_stops_a_job_that_can_be_resumed(self):
        run = self.path("run")
        with self.assertRaises(pleach.Interrupted) as caught:
            pleach.train(self.device, model="cnn5", out=run, epochs=2, progress=lambda p: not p.epoch_done, **SHORT)
        self.assertIn("--resume", str(caught.exception))
        self.assertEqual(caught.exception.code, 130)
        result = pleach.train(self.device, resume=run)
        self.assertEqual(result.report["epochs"], 2)

    @unittest.skipUnless(os.path.isdir(FASHION), "fashion-mnist is not installed")
    def test_a_resumed_run_unfolds_once_and_gives_the_same_bits(self):
        folded = self.path("folded.onnx")
        pleach.create("cnn5", input=(1, 28, 28), seed=1).write(folded)
        self.assertFalse(any("running" in name for name in pleach.read(folded).arrays()))
        options = {"model": folded, "macs": 0.6, "epochs": 2, "unfold": True, **SHORT}
        whole = pleach.compress(self.device, out=self.path("whole"), **options).model.arrays()
        self.assertTrue(any("running" in name for name in whole))
        with self.assertRaises(pleach.Interrupted):
            pleach.compress(self.device, out=self.path("parts"), progress=lambda p: not p.epoch_done, **options)
        parts = pleach.compress(self.device, resume=self.path("parts")).model.arrays()
        self.assertEqual(whole.keys(), parts.keys())
        for name, array in whole.items():
            self.assertTrue(numpy.array_equal(array, parts[name]), name)

    @unittest.skipUnless(os.path.isdir(FASHION), "fashion-mnist is not installed")
    def test_a_run_of_a_model_is_resumed_with_it(self):
        model, run = pleach.create("cnn5", input=(1, 28, 28), seed=2), self.path("run")
        options = {"macs": 0.6, "epochs": 2, "controls": "random", **SHORT}
        with self.assertRaises(pleach.Interrupted):
            pleach.compress(self.device, model=model, out=run, progress=lambda p: not p.epoch_done, **options)
        networks = pleach.compress(self.device, resume=run).report["networks"]
        self.assertIn("random", [network["name"] for network in networks])  # begins from the model once more
        with self.assertRaisesRegex(pleach.Error, "holds a run"):
            pleach.compress(self.device, model=pleach.create("cnn5", input=(1, 28, 28), seed=3), out=run, **options)

    @unittest.skipUnless(os.path.isdir(FASHION), "fashion-mnist is not installed")
    def test_an_exception_of_the_callback_comes_out(self):
        def fail(progress):
            raise KeyError("mine")
        with self.assertRaisesRegex(KeyError, "mine"):
            pleach.train(self.device, model="cnn5", out=self.path("run"), epochs=2, progress=fail, **SHORT)

    @unittest.skipUnless(os.path.isdir(FASHION), "fashion-mnist is not installed")
    def test_what_a_signal_s_handler_raises_stops_a_job_that_can_be_resumed(self):
        def leave(number, frame):
            raise SystemExit("mine")
        for number, handler, failure in ((signal.SIGINT, signal.default_int_handler, KeyboardInterrupt),
                                         (signal.SIGTERM, leave, SystemExit)):
            self.addCleanup(signal.signal, number, signal.signal(number, handler))
            run, told = self.path(f"run{number}"), threading.Event()
            sender = threading.Thread(target=lambda: told.wait(60) and os.kill(os.getpid(), number))
            sender.start()  # sends while C computes: a callback that sent it would see the handler raise in itself
            with self.assertRaises(failure):
                pleach.train(self.device, model="cnn5", out=run, epochs=100, progress=lambda p: told.set(), **SHORT)
            sender.join()
            self.assertIs(signal.getsignal(number), handler)
            self.assertFalse(os.path.exists(os.path.join(run, "report.json")))
            with self.assertRaises(pleach.Interrupted):  # it goes on
                pleach.train(self.device, resume=run, progress=lambda p: False)

    @unittest.skipUnless(os.path.isdir(FASHION), "fashion-mnist is not installed")
    def test_a_signal_ends_a_callback_that_waits(self):
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        waits, left = threading.Event(), threading.Event()

        def send():  # again where it came a moment before the callback waited, which it does not end then
            waits.wait(60)
            while not left.wait(1):
                os.kill(os.getpid(), signal.SIGINT)

        def wait(_):
            waits.set()
            try:
                threading.Event().wait(60)
            finally:
                left.set()
        sender = threading.Thread(target=send)
        sender.start()
        began = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            pleach.train(self.device, model="cnn5", out=self.path("run"), epochs=2, progress=wait, **SHORT)
        self.assertLess(time.monotonic() - began, 50)
        sender.join()


if __name__ == "__main__":
    unittest.main(verbosity=2)
