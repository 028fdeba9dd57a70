"""A stand-in for CuPy on a machine without a GPU: NumPy arrays, kernels compiled by g++.

`emulated_cupy()` has what `backends/cupy_kernels/` asks of CuPy. Its RawModule compiles the same
CUDA C++ text for the CPU, with `cuda_shim.h` before it, and checks that every argument of a launch
has the type that the kernel declares: CuPy would hand on the wrong bytes.

As with CuPy, whatever a function of the namespace makes lies on the device, single numbers too: a
kernel is handed none that the host made.

What this cannot show: how fast anything is, and what depends on the hardware (memory coalescing,
registers, CUDA's own exp and log).
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from xpfit.backends import Backend, cupy_backend, cupy_graph, cupy_network, get_backend
from xpfit.backends.cupy_kernels import epoch_launch, launch, step_launch
from xpfit.backends.cupy_kernels.table import KERNELS

SHIM = Path(__file__).with_name("cuda_shim.h")
KERNEL = re.compile(
    r'extern "C" __global__ void __launch_bounds__\(THREADS(?:, \d)?\)\s+(\w+)\((.*?)\) \{',
    re.DOTALL,
)
NUMBERS = {"int": np.int32, "long long": np.int64, "float": np.float32, "double": np.float64}
POINTERS = {f"{kind}*": dtype for kind, dtype in {**NUMBERS, "bool": np.bool_}.items()}
# Contraction off: the comparison with NumPy is to a few units in the last place.
FLAGS = ("-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-ffp-contract=off")


def why_not() -> str | None:
    """Why kernels cannot be run here; None where they can."""
    if not sys.platform.startswith("linux"):
        return "the emulation of CUDA needs the fibers of Linux (ucontext)"
    return None if shutil.which("g++") else "g++ is not installed"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="xpfit-cuda-")  # removed at exit


def _parameters(text: str) -> dict[str, list[tuple[str, str]]]:
    """The kernels of a text, with (type, name) of their parameters."""
    found = {}
    for name, listed in KERNEL.findall(text):
        parameters = [p.replace("__restrict__", "").split() for p in listed.split(",")]
        found[name] = [(" ".join(words[:-1]), words[-1]) for words in parameters]
    return found


def _launcher(name: str, parameters: list[tuple[str, str]]) -> str:
    taken = ", ".join(f"*({kind}*)arguments[{i}]" for i, (kind, _) in enumerate(parameters))
    return (
        f'extern "C" const char* launch_{name}(int blocks, int threads, long bytes, int order, '
        "void** arguments) {\n    return emulation::launch(blocks, threads, bytes, order, "
        f"[&] {{ {name}({taken}); }});\n}}\n"
    )


@functools.cache
def compiled(text: str) -> ctypes.CDLL:
    """The shared library that g++ makes of C++ text with the shim before it."""
    stem = Path(_folder().name) / hashlib.sha256(text.encode()).hexdigest()[:16]
    source, library = stem.with_suffix(".cpp"), stem.with_suffix(".so")
    source.write_text(f'#include "{SHIM}"\n{text}', "utf-8")
    command = ["g++", *FLAGS, str(source), "-o", str(library)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[:4000]
    return ctypes.CDLL(str(library))


class Kernel:
    """A kernel that can be launched; `blocks` overrides the size of the grid, `order` the turns.

    `order` is odd: the thread that runs next is so many further on.
    """

    launched: list[str] = []  # noqa: RUF012 - by all kernels, for the tests to look at
    # As in CuPy, kernels of one name and text are one, and the last setting holds for all.
    shared_limits: dict[Any, int] = {}  # noqa: RUF012

    def __init__(self, library: ctypes.CDLL, name: str, kinds: list[str]) -> None:
        self.function, self.name, self.kinds = library[f"launch_{name}"], name, kinds
        self.function.restype = ctypes.c_char_p
        self.shared_with = (library._name, name)
        self.blocks: int | None = None
        self.order = 1

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """What a launch may ask for."""
        return self.shared_limits.get(self.shared_with, 48 << 10)

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        assert size <= Device(0).attributes["MaxSharedMemoryPerBlockOptin"]
        self.shared_limits[self.shared_with] = size

    def __call__(self, grid: Any, block: Any, arguments: Any, *, shared_mem: int = 0) -> None:
        Kernel.launched.append(self.name)
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        assert len(arguments) == len(self.kinds), (self.name, len(arguments))
        boxes = [self.box(*pair) for pair in zip(self.kinds, arguments, strict=True)]
        pointers = (ctypes.c_void_p * len(boxes))(*(box.ctypes.data for box in boxes))
        blocks = (self.blocks or grid[0]) if self.name != "add_slots" else grid[0]
        bytes_ = ctypes.c_long(shared_mem)
        problem = self.function(blocks, block[0], bytes_, self.order, pointers)
        assert problem is None, f"{self.name}: {problem.decode()}"

    def box(self, kind: str, argument: Any) -> np.ndarray:
        """The argument as memory from which the kernel reads a value of this type."""
        if kind.endswith("*"):
            assert isinstance(argument, Emulated), (self.name, kind, type(argument))
            dtype = POINTERS.get(kind.removeprefix("const "), argument.dtype)
            assert argument.dtype == dtype, (self.name, kind, argument.dtype)
            return np.asarray([argument.ctypes.data], dtype=np.uintp)
        assert isinstance(argument, np.generic), (self.name, kind, type(argument))
        assert argument.dtype == NUMBERS[kind], (self.name, kind, argument.dtype)
        return np.asarray([argument])


class Emulated(np.ndarray):
    """A NumPy array with the attributes of CuPy's that launching uses."""

    __array_priority__ = 1.0  # np.concatenate gives an array of this type

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self.ctypes.data)

    @property
    def device(self) -> Any:
        return Device(0)

    # CuPy has no scalars: sums, products of vectors and single entries are arrays without axes.
    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return np.asarray(array).view(Emulated)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if not isinstance(found, np.generic):
            return found
        return super().__getitem__((*key, ...) if isinstance(key, tuple) else (key, ...))


class Namespace:
    """NumPy's functions, whose results are arrays of the device."""

    def __init__(self, functions: Any) -> None:
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._functions, name)
        if isinstance(found, ModuleType):  # xp.linalg
            return Namespace(found)
        if isinstance(found, type) or not callable(found):
            return found
        return lambda *arguments, **options: on_device(found(*arguments, **options))


def on_device(result: Any) -> Any:
    """What a function of NumPy returned, with its arrays and numbers on the device."""
    if isinstance(result, tuple):
        return tuple(on_device(part) for part in result)
    return emulated(result) if isinstance(result, np.ndarray | np.number) else result


class Device:
    """One device, with the shared memory of an H100; a context, as CuPy's is."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.attributes = {"MaxSharedMemoryPerBlockOptin": 227 << 10}

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *problem: object) -> None:
        pass


class RawModule:
    """Text compiled by g++; the kernels made from now on take these settings."""

    blocks: int | None = None
    order = 1

    def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
        assert "--std=c++17" in options
        self.parameters = _parameters(code)
        number = re.search(r"typedef (\w+) Number;", code)
        self.number = number[1] if number else ""  # kernels of graphs name their types
        launchers = (_launcher(*item) for item in self.parameters.items())
        self.library = compiled("\n".join([code, *launchers]))

    def get_function(self, name: str) -> Kernel:
        """The kernel of that name."""
        kinds = [re.sub(r"\bNumber\b", self.number, kind) for kind, _ in self.parameters[name]]
        kernel = Kernel(self.library, name, kinds)
        kernel.blocks, kernel.order = self.blocks, self.order
        return kernel


def emulated(array: Any) -> Emulated:
    """A NumPy array as one of this device, in its own order."""
    return np.asarray(array).view(Emulated)


def emulated_cupy() -> Any:
    """What `launch.py` asks of the module `cupy`."""
    return SimpleNamespace(
        RawModule=RawModule,
        cuda=SimpleNamespace(Device=Device),
        empty=lambda shape, dtype: emulated(
            np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 77, dtype)
        ),
        asarray=emulated,
        concatenate=lambda arrays: emulated(np.concatenate(arrays)),
        ascontiguousarray=lambda a, dtype=None: emulated(np.ascontiguousarray(a, dtype=dtype)),
    )


def _forget() -> None:
    launch._compiled.cache_clear()
    step_launch._compiled.cache_clear()
    epoch_launch._compiled.cache_clear()
    cupy_network._compiled.cache_clear()
    cupy_graph._compiled.cache_clear()
    launch._shared_bytes_of.cache_clear()
    Kernel.launched.clear()
    Kernel.shared_limits.clear()


@contextlib.contextmanager
def emulated_backend() -> Iterator[Backend]:
    """NumPy's functions with the fused kernels of CuPy's, in the emulation."""
    module, real = emulated_cupy(), launch.cupy_module
    _forget()
    launch.cupy_module = lambda: module
    try:
        numpy = get_backend("numpy")
        yield dataclasses.replace(
            numpy,
            name="cupy-emulated",
            xp=Namespace(numpy.xp),
            from_numpy=emulated,
            to_numpy=np.asarray,
            at_add=lambda x, index, values: emulated(numpy.at_add(x, index, values)),
            compute_dtype=cupy_backend.compute_dtype,
            cholesky=None,
            on_device_of=cupy_backend.on_device_of,
            kernels=KERNELS,
        )
    finally:
        launch.cupy_module = real
        _forget()
