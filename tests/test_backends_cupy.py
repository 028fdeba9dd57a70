"""CuPy's host side, without CuPy: which error comes when it is missing, broken, or has no device.

The numerical tests run on CuPy through the `backend` fixture where a GPU is.
"""

from __future__ import annotations

import numpy as np
import pytest
from helpers import python_output

from xpfit.backends import cupy_backend

FAKE = """
import sys, types
cupy = types.ModuleType("cupy")
cupy.__version__ = "13.4.1"
cupy.ndarray = type("ndarray", (), {})
cupy.asarray = cupy.asnumpy = lambda array: array
cupy.cuda = types.SimpleNamespace(
    is_available=lambda: True,
    runtime=types.SimpleNamespace(getDeviceCount=lambda: 2, getDevice=lambda: 1),
)
sys.modules["cupy"] = cupy
"""
NOT_INSTALLED = """
import sys
sys.modules["cupy"] = None
"""
BROKEN = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "cupy":
            raise ImportError("libcudart.so.12: cannot open shared object file")
sys.meta_path.insert(0, Broken())
"""
PART_MISSING = BROKEN.replace("ImportError", "ModuleNotFoundError").replace(
    'file")', "file\", name='cupy_backends')"
)
NO_DEVICE = FAKE + "cupy.cuda.is_available = lambda: False\n"
RAISING = (
    FAKE
    + """
class CUDARuntimeError(RuntimeError): pass
def is_available():
    raise CUDARuntimeError("cudaErrorInsufficientDriver")
cupy.cuda.is_available = is_available
"""
)
ASK = """
from xpfit.backends import BackendUnavailableError, available_backends, get_backend
try:
    get_backend("cupy", source="backend= in Ridge")
except BackendUnavailableError as problem:
    text = str(problem).split(" Usable here: ")[0]
    print(text)
    print(type(problem.__cause__).__name__)
    status = [status for status in available_backends() if status.name == "cupy"][0]
    assert not status.available and status.reason in text, status
"""
CHECK = "Check nvidia-smi and the environment variable CUDA_VISIBLE_DEVICES."


@pytest.mark.parametrize(
    ("plant", "why", "cause"),
    [
        (
            NOT_INSTALLED,
            "is not installed: no module named 'cupy'. Install it with: pip install "
            "'xpfit[cupy-cuda12]' (CUDA 12) or pip install 'xpfit[cupy-cuda13]' (CUDA 13).",
            "ModuleNotFoundError",
        ),
        (
            BROKEN,
            "is installed but failed to import: ImportError: libcudart.so.12: cannot open shared "
            "object file. Check that the CUDA toolkit and driver match the wheel of CuPy.",
            "ImportError",
        ),
        (
            PART_MISSING,
            "is installed but failed to import: ModuleNotFoundError: libcudart.so.12: cannot open "
            "shared object file. Check that the CUDA toolkit and driver match the wheel of CuPy.",
            "ModuleNotFoundError",
        ),
        (
            NO_DEVICE,
            f"is installed (13.4.1), but no CUDA device is visible. {CHECK}",
            "NoneType",
        ),
        (
            RAISING,
            "is installed (13.4.1), but no CUDA device is visible: CUDARuntimeError: "
            f"cudaErrorInsufficientDriver. {CHECK}",
            "CUDARuntimeError",
        ),
    ],
    ids=["not-installed", "broken", "part-missing", "no-device", "driver-raises"],
)
def test_an_unusable_cupy_says_why(plant: str, why: str, cause: str) -> None:
    assert python_output(plant + ASK).splitlines() == [
        f"backend 'cupy' (from backend= in Ridge) {why}",
        cause,
    ]


def test_the_record_and_its_devices() -> None:
    printed = python_output(
        FAKE
        + """
import array_api_compat
fake = types.ModuleType("array_api_compat.cupy")
sys.modules["array_api_compat.cupy"] = fake
from xpfit.backends import available_backends, get_backend, resolve_backend, MixedBackendError
backend = get_backend("cupy")
assert backend.xp is fake and backend.array_type is cupy.ndarray
assert backend.block_bytes is not None
assert sorted(backend.kernels) == [
    "curvature_product", "graph_program", "lbfgs_update", "loss_gradient", "minibatch_epoch",
    "network_epoch", "predict_raw", "step_numbers",
]
print(backend.name, backend.version, backend.device)
print([status.devices for status in available_backends() if status.name == "cupy"][0])
array = cupy.ndarray()
array.device = types.SimpleNamespace(id=0)
print(resolve_backend(None, array).name, resolve_backend("cupy", array).name)
elsewhere = cupy.ndarray()
elsewhere.device = types.SimpleNamespace(id=1)
for arguments in ((None, array, elsewhere), ("numpy", array)):
    try:
        resolve_backend(*arguments)
    except MixedBackendError as problem:
        print("cuda:0" in str(problem))
"""
    )
    assert printed.splitlines() == [
        "cupy 13.4.1 cuda:1",
        "('cuda:0', 'cuda:1')",
        "cupy cupy",
        "True",
        "True",
    ]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        *((dtype, "float32") for dtype in ("float32", "float16")),
        *((dtype, "float64") for dtype in ("float64", "int8", "uint8", "int64", "bool")),
    ],
)
def test_compute_dtype(dtype: str, expected: str) -> None:
    assert cupy_backend.compute_dtype(np.dtype(dtype)) == np.dtype(expected)


def test_importing_the_module_does_not_import_cupy() -> None:
    code = "import sys; import xpfit.backends.cupy_backend; print('cupy' in sys.modules)"
    assert python_output(code) == "False"
