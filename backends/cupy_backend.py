"""CuPy: one CUDA device, with passes in generated CUDA C++ that read each row once.

Written for CuPy 13.4 to 14. No GPU has run this code yet: the tests show the host side (which error
comes when CuPy is missing, broken, or without a device), and what docs/gpu.md lists of the kernels
in `cupy_kernels/`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import numpy as np

from .errors import NotUsable
from .record import Array, Backend, Trouble

# No cache to fit on a GPU, and each block costs a dozen launches: blocks only bound the memory
# that a converted copy of X takes.
BLOCK_BYTES = 1 << 28

# How CUDA and its libraries say that memory is short, and that a device works no more.
NO_MEMORY = ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY", "ALLOC_FAILED")
LOST = (
    "ECC", "IllegalAddress", "ILLEGAL_ADDRESS", "LaunchFailure", "LAUNCH_FAILED",
    "DevicesUnavailable", "DEVICE_UNAVAILABLE", "HardwareStackError", "HARDWARE_STACK_ERROR",
    "cudaErrorUnknown",
)  # fmt: skip

REMEDY_INSTALL = (
    "Install it with: pip install 'xpfit[cupy-cuda12]' (CUDA 12) or "
    "pip install 'xpfit[cupy-cuda13]' (CUDA 13)."
)


def _import_cupy() -> Any:
    # By name, so that a type checker does not ask for stubs of what most machines lack.
    try:
        return import_module("cupy")
    except ModuleNotFoundError as problem:
        if problem.name == "cupy":
            why = "is not installed: no module named 'cupy'"
            raise NotUsable(why, REMEDY_INSTALL) from problem
        raise _broken(problem) from problem
    except Exception as problem:  # a missing CUDA library raises whatever its loader does
        raise _broken(problem) from problem


def _broken(problem: Exception) -> NotUsable:
    why = f"is installed but failed to import: {type(problem).__name__}: {problem}"
    return NotUsable(why, "Check that the CUDA toolkit and driver match the wheel of CuPy.")


def _cupy_with_device() -> Any:
    cupy = _import_cupy()
    try:
        visible, said = bool(cupy.cuda.is_available()), ""
        problem = None
    except Exception as error:  # CuPy's own error type is not known without importing CuPy
        visible, said, problem = False, f": {type(error).__name__}: {error}", error
    if not visible:
        why = f"is installed ({cupy.__version__}), but no CUDA device is visible{said}"
        remedy = "Check nvidia-smi and the environment variable CUDA_VISIBLE_DEVICES."
        raise NotUsable(why, remedy) from problem
    return cupy


def devices() -> tuple[str, ...]:
    """CUDA devices that are visible here: ("cuda:0", "cuda:1")."""
    count = int(_cupy_with_device().cuda.runtime.getDeviceCount())
    return tuple(f"cuda:{index}" for index in range(count))


def compute_dtype(dtype: Any) -> Any:
    """float64 for float64, integers and bool; float32 for float32 and shorter floats.

    Integers get float64 although many GPUs are slow at it, so that the same table gives the same
    answer on every backend. Pass float32 to ask for speed.
    """
    # By name: a bfloat16 has no kind of its own in NumPy.
    short = str(np.dtype(dtype)) in {"float32", "float16", "bfloat16"}
    return np.dtype(np.float32 if short else np.float64)


def synchronize(array: Array) -> None:
    """Return when the array has its value."""
    with array.device:
        _import_cupy().cuda.get_current_stream().synchronize()


def at_add(x: Array, index: Any, values: Array) -> Array:
    """x with `values` added at `index` (repeated indices add up), as a new array."""
    result = x.copy()
    _import_cupy().add.at(result, index, values)
    return result


def identity(function: Any, donate: tuple[int, ...] = ()) -> Any:
    """CuPy does not compile functions of arrays."""
    return function


def trouble_of(problem: BaseException) -> Trouble | None:
    """What an exception of CuPy says of the device, told by its name."""
    names, text = {kind.__name__ for kind in type(problem).__mro__}, str(problem)
    if "OutOfMemoryError" in names or any(said in text for said in NO_MEMORY):
        return "memory"
    of_cuda = names & {"CUDARuntimeError", "CUDADriverError"}
    return "failed" if of_cuda and any(said in text for said in LOST) else None


def free_unused() -> None:
    """Give back what CuPy's pool holds beyond the arrays that are alive."""
    _import_cupy().get_default_memory_pool().free_all_blocks()


def on_device_of(array: Array) -> AbstractContextManager[Any]:
    """A context in which the device of the array is the current one."""
    context: AbstractContextManager[Any] = array.device
    return context


def make() -> Backend:
    """The record of this backend, for the current CUDA device.

    Raises
    ------
    NotUsable
        Where CuPy is not installed, does not import, or sees no device.
    """
    cupy = _cupy_with_device()
    from .cupy_kernels.table import KERNELS

    return Backend(
        name="cupy",
        version=cupy.__version__,
        xp=import_module("array_api_compat.cupy"),
        array_type=cupy.ndarray,
        device=f"cuda:{int(cupy.cuda.runtime.getDevice())}",
        from_numpy=cupy.asarray,
        to_numpy=cupy.asnumpy,
        synchronize=synchronize,
        jit=identity,
        at_add=at_add,
        compute_dtype=compute_dtype,
        block_bytes=BLOCK_BYTES,
        trouble_of=trouble_of,
        free_unused=free_unused,
        on_device_of=on_device_of,
        kernels=KERNELS,
    )
