"""What an array library must offer: one frozen record, no class hierarchy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

# Arrays of any library. They share no base class and array-API stubs do not cover all four
# libraries, so the checker sees `Any`; the shapes and dtypes stand in the docstrings.
Array: TypeAlias = Any
# An array-API namespace: a module such as `array_api_compat.numpy` or `jax.numpy`.
Namespace: TypeAlias = Any


class FusedKernel(NamedTuple):
    """A backend's own version of a generic kernel.

    Parameters
    ----------
    call : callable
        Takes what the generic kernel takes, returns what it returns, changes no argument but what
        the generic one uses up.
    accepts : callable
        Cheap predicate over the same arguments (dtype, layout, size). Where it answers False the
        generic kernel runs.
    """

    call: Callable[..., Any]
    accepts: Callable[..., bool]


Trouble = Literal["memory", "failed"]


def host_trouble(problem: BaseException) -> Trouble | None:
    """A host fails by running out of memory alone."""
    return "memory" if isinstance(problem, MemoryError) else None


def set_row_in_place(x: Array, index: Any, row: Array) -> Array:
    """Where arrays can be written to, no copy is made."""
    x[index, ...] = row
    return x


def nothing_kept() -> None:
    """The library keeps no memory for itself."""


def only_device(_: Array) -> AbstractContextManager[Any]:
    """There is no other device."""
    return nullcontext()


# Compared by identity: a record stands for itself, and serves as a key.
@dataclass(frozen=True, slots=True, eq=False)
class Backend:
    """One array library, as the rest of xpfit sees it.

    Parameters
    ----------
    name : str
        For people and for the registry; nothing outside `backends` compares it.
    version : str
        Version of the library.
    xp : namespace
        Array-API namespace in which the kernels of `core` are evaluated.
    array_type : type
        Type of the arrays (`numpy.ndarray` for both NumPy and Numba).
    device : str
        Where arrays live: "cpu", "cuda:0". For reports, never for dispatch.
    from_numpy, to_numpy : callable
        The two ways across between host and device.
    synchronize : callable
        Returns when the given array has its value. Needed before a clock is stopped.
    jit : callable
        Compiles a function of arrays; the identity where the library does not compile. Takes
        `donate=`, positions of arguments whose memory the result may take over.
    compiles : bool
        Whether `jit` does anything.
    at_add : callable
        `at_add(x, index, values)` is x with `values` added at `index`, as a new array.
    compute_dtype : callable
        Maps the dtype of X to the dtype in which parameters are held and sums are formed.
    block_bytes : int or None
        How much of X a generic pass reads at a time; None where the whole array is one block.
    cholesky : callable or None
        The library's own `cholesky(matrix)`: a function that solves with the factor, and the
        smallest pivot; None where the matrix is not positive definite. None as the field: the
        array namespace does it.
    set_row : callable
        `set_row(x, index, row)` is x with `row` at `index`; the memory of x may be used up.
    trouble_of : callable
        What an exception says of the device: "memory" where it has none left, "failed" where it
        does not work any more, None for anything else.
    free_unused : callable
        Gives memory back that the library keeps for arrays to come.
    on_device_of : callable
        A context in which new arrays are made on the device of the given one.
    kernels : mapping from kernel name to FusedKernel
        Optional fused versions, by the name of the generic kernel.
    """

    name: str
    version: str
    xp: Namespace
    array_type: type
    device: str
    from_numpy: Callable[[np.ndarray[Any, Any]], Array]
    to_numpy: Callable[[Array], np.ndarray[Any, Any]]
    synchronize: Callable[[Array], None]
    jit: Callable[..., Any]
    at_add: Callable[[Array, Any, Array], Array]
    compute_dtype: Callable[[Any], Any]
    compiles: bool = False
    block_bytes: int | None = None
    cholesky: Callable[[Array], tuple[Callable[[Array], Array], float] | None] | None = None
    set_row: Callable[[Array, Any, Array], Array] = set_row_in_place
    trouble_of: Callable[[BaseException], Trouble | None] = host_trouble
    free_unused: Callable[[], None] = nothing_kept
    on_device_of: Callable[[Array], AbstractContextManager[Any]] = only_device
    kernels: Mapping[str, FusedKernel] = field(default_factory=lambda: MappingProxyType({}))


class BackendStatus(NamedTuple):
    """One line of `available_backends()`: a backend that can be used here, or why it cannot."""

    name: str
    available: bool
    version: str | None
    devices: tuple[str, ...]
    reason: str | None
