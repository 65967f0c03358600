"""libpleach: where it is, its functions, and its statuses as exceptions.

Only what include/pleach/*.h declares is used; structs are as they stand there.
"""
import contextlib
import ctypes
import ctypes.util
import os
import threading
from ctypes import POINTER, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_size_t, c_ulonglong, c_void_p

TENSOR_NAME_MAX = 256


class DeviceInfo(ctypes.Structure):  # pleach_device_info
    _fields_ = [("platform", c_int), ("index", c_int),
                ("platform_name", c_char_p), ("platform_version", c_char_p), ("name", c_char_p),
                ("vendor", c_char_p), ("driver_version", c_char_p), ("cl_version", c_char_p), ("kind", c_char_p),
                ("compute_units", c_int), ("clock_mhz", c_int), ("vector_width_float", c_int),
                ("global_memory_bytes", c_size_t), ("max_allocation_bytes", c_size_t),
                ("local_memory_bytes", c_size_t), ("max_work_group_size", c_size_t),
                ("base_alignment_bytes", c_int),
                ("has_fp16", c_bool), ("has_fp64", c_bool), ("has_compiler", c_bool), ("unified_memory", c_bool)]


class DeviceList(ctypes.Structure):  # pleach_device_list
    _fields_ = [("items", POINTER(DeviceInfo)), ("n_items", c_int)]


class DeviceOpts(ctypes.Structure):  # pleach_device_opts
    _fields_ = [("lanes", c_int), ("mapping", c_int), ("precision", c_int), ("profile", c_bool),
                ("cache_dir", c_char_p), ("tune", c_int), ("binary", c_char_p), ("manifest", c_char_p),
                ("allow_broken", c_bool), ("progress", c_void_p), ("user", c_void_p)]


class SessionOpts(ctypes.Structure):  # pleach_session_opts
    _fields_ = [("inference_only", c_bool), ("seed", c_ulonglong), ("label_smoothing", c_float), ("crop", c_int),
                ("flip", c_bool), ("mean", POINTER(c_float)), ("std", POINTER(c_float)), ("mask_gradients", c_bool),
                ("distillation", c_float), ("batch_lanes", c_bool)]


class WriteOpts(ctypes.Structure):  # pleach_model_write_opts
    _fields_ = [("batch_norms", c_bool), ("opset", c_int)]


class Tensor(ctypes.Structure):  # pleach_tensor
    _fields_ = [("name", c_char * TENSOR_NAME_MAX), ("dims", c_int * 4), ("n_dims", c_int), ("trainable", c_bool),
                ("data", POINTER(c_float))]


class ProgressStruct(ctypes.Structure):  # pleach_progress
    _fields_ = [("device", c_char_p), ("network", c_char_p), ("phase", c_char_p),
                ("epoch", c_int), ("n_epochs", c_int), ("step", c_int), ("n_steps", c_int),
                ("images_per_second", c_double), ("loss", c_double), ("accuracy", c_double),
                ("macs_kept", c_double), ("params_kept", c_double), ("seconds_left", c_double),
                ("epoch_done", c_bool)]


PROGRESS_FN = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ProgressStruct))
LOG_FN = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)

HANDLE, OUT = c_void_p, POINTER(c_void_p)

# Functions that return a status.
STATUS = {
    "pleach_ctx_create": [OUT],
    "pleach_device_list_create": [HANDLE, POINTER(POINTER(DeviceList))],
    "pleach_device_open": [HANDLE, c_char_p, POINTER(DeviceOpts), OUT],
    "pleach_model_read": [HANDLE, c_char_p, OUT],
    "pleach_model_create": [HANDLE, c_char_p, c_int, c_int, c_int, c_int, c_ulonglong, OUT],
    "pleach_model_write": [HANDLE, HANDLE, c_char_p, POINTER(WriteOpts)],
    "pleach_model_normalisation": [HANDLE, HANDLE, POINTER(c_float), POINTER(c_float), POINTER(c_bool)],
    "pleach_session_create": [HANDLE, HANDLE, HANDLE, c_int, POINTER(SessionOpts), OUT],
    "pleach_session_load": [HANDLE, HANDLE],
    "pleach_session_predict": [HANDLE, c_void_p, c_int, POINTER(c_float)],
    "pleach_job_run": [HANDLE, HANDLE, c_char_p, POINTER(c_char_p), c_char_p, PROGRESS_FN, c_void_p,
                       POINTER(c_int)],
}
OTHERS = {
    "pleach_error": (c_char_p, [HANDLE]),
    "pleach_status_exit_code": (c_int, [c_int]),
    "pleach_status_text": (c_char_p, [c_int]),
    "pleach_ctx_set_log": (None, [HANDLE, LOG_FN, c_void_p]),
    "pleach_ctx_destroy": (None, [OUT]),
    "pleach_ctx_allow_external_data": (None, [HANDLE, c_int]),
    "pleach_device_list_destroy": (None, [POINTER(POINTER(DeviceList))]),
    "pleach_device_close": (None, [OUT]),
    "pleach_device_get_info": (POINTER(DeviceInfo), [HANDLE]),
    "pleach_model_destroy": (None, [OUT]),
    "pleach_model_graph": (c_void_p, [HANDLE]),
    "pleach_model_input": (None, [HANDLE, c_int * 3]),
    "pleach_model_output": (None, [HANDLE, c_int * 3]),
    "pleach_model_n_tensors": (c_int, [HANDLE]),
    "pleach_model_tensor": (None, [HANDLE, c_int, POINTER(Tensor)]),
    "pleach_graph_macs": (ctypes.c_longlong, [HANDLE]),
    "pleach_graph_params": (ctypes.c_longlong, [HANDLE]),
    "pleach_session_destroy": (None, [OUT]),
}


class Error(Exception):
    """What pleach says of a failure; `code` is the exit code that the program `pleach` would end with."""

    def __init__(self, text, code):
        super().__init__(text)
        self.code = code


class Interrupted(Error):
    """A job was stopped after it had saved; its text says how to go on."""


INTERRUPTED_CODE = 130


def library_path():
    """$PLEACH_LIBRARY, else build/libpleach.so of the sources that this file is part of, else the system's."""
    given = os.environ.get("PLEACH_LIBRARY")
    if given:
        return given
    sources = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    built = os.path.join(sources, "build", "libpleach.so")
    return built if os.path.exists(built) else ctypes.util.find_library("pleach") or "libpleach.so"


def _load():
    path = library_path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"cannot load {path}: {error}; build pleach (cmake --build build) or set PLEACH_LIBRARY "
                          "to the path of libpleach.so") from None
    for name, arguments in STATUS.items():
        getattr(library, name).argtypes, getattr(library, name).restype = arguments, c_int
    for name, (result, arguments) in OTHERS.items():
        getattr(library, name).argtypes, getattr(library, name).restype = arguments, result
    return library


lib = _load()


class _Owned:
    """What a function of the library made, with what borrows it, which is destroyed before it.

    Apart from the Handle: a lender that held its borrowers' Handles would keep them alive, and weak references to them
    are cleared when all are collected at once, in which case the lender's __del__ may be called first.
    """

    def __init__(self, destroy, lender):
        self.pointer, self.destroy, self.lender, self.borrowers = c_void_p(), destroy, lender, set()
        self.n_users = 0  # jobs that run with it
        if lender:
            lender.borrowers.add(self)

    def is_used(self):
        return self.n_users > 0 or any(borrower.is_used() for borrower in self.borrowers)

    def close(self):
        if self.is_used():
            raise RuntimeError("a job runs with it; close it when the job has ended")
        while self.borrowers:
            self.borrowers.pop().close()
        if self.pointer:
            self.destroy(ctypes.byref(self.pointer))
        if self.lender:
            self.lender.borrowers.discard(self)


class Handle:
    """Owns what a function of the library made, until it is closed or collected, or the Handle that it borrows is."""

    _owned = None  # where __init__ failed before it was made

    def __init__(self, destroy, borrowed=None):
        self._owned = _Owned(destroy, borrowed and borrowed._owned)

    @property
    def out(self):
        return ctypes.byref(self._owned.pointer)

    @property
    def value(self):
        if not self._owned.pointer:
            raise ValueError(f"the {type(self).__name__.lower()} is closed")
        return self._owned.pointer

    @contextlib.contextmanager
    def used(self):
        """Until it is left, `close` is refused: for what calls back."""
        self._owned.n_users += 1
        try:
            yield
        finally:
            self._owned.n_users -= 1

    def close(self):
        if self._owned:
            self._owned.close()

    def __del__(self):
        self.close()


class Context(Handle):
    """A pleach_ctx: of one thread, carries the text of the last error."""

    def __init__(self):
        super().__init__(lib.pleach_ctx_destroy)
        status = lib.pleach_ctx_create(self.out)
        if status:
            raise Error(lib.pleach_status_text(status).decode(), lib.pleach_status_exit_code(status))

    def check(self, status):
        if status == 0:
            return
        code = lib.pleach_status_exit_code(status)
        text = lib.pleach_error(self.value).decode("utf-8", "replace")
        raise (Interrupted if code == INTERRUPTED_CODE else Error)(text, code)


_of_thread = threading.local()


def context():
    """The context of models of this thread; a device has one of its own."""
    if not hasattr(_of_thread, "context"):
        _of_thread.context = Context()
    return _of_thread.context
