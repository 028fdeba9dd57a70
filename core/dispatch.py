"""The one place that chooses between a backend's fused kernel and the generic one, and that hands
functions of arrays to a backend's compiler."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from typing import Any

from ..backends import Array, Backend, fused_enabled
from .device_work import in_blocks_that_fit


def run_kernel(
    backend: Backend,
    name: str,
    generic: Callable[..., Any],
    *arguments: Any,
    fused: bool | None = None,
    in_blocks: bool = True,
) -> Any:
    """Run the backend's kernel `name` if it has one that accepts these arguments, else `generic`.

    Parameters
    ----------
    backend : Backend
    name : str
        Name of the kernel; the generic function has the same one.
    generic : callable
        Takes `*arguments` and `backend=`.
    fused : bool or None
        False forces the generic kernel; None leaves it to `use_fused` and XPFIT_FUSED.
    in_blocks : bool
        Whether the generic kernel reads X in blocks, which are halved where memory is short.
    """
    kernel = backend.kernels.get(name)
    if kernel is not None and fused_enabled(fused) and kernel.accepts(*arguments):
        return kernel.call(*arguments)
    if in_blocks:
        return in_blocks_that_fit(backend, generic, *arguments)
    return generic(*arguments, backend=backend)


def has_kernel(backend: Backend, name: str, fused: bool | None = None) -> bool:
    """Whether the backend has a fused kernel of this name, and may use it."""
    return name in backend.kernels and fused_enabled(fused)


def can_compile(backend: Backend, name: str, *arguments: Any, fused: bool | None = None) -> bool:
    """Whether a function around the pass `name` over these arguments may be compiled.

    Only around a fused kernel: without one nothing is compiled, and that is the oracle. Rows spread
    over devices are left to operations that the library itself partitions.
    """
    kernel = backend.kernels.get(name)
    return (
        backend.compiles
        and kernel is not None
        and fused_enabled(fused)
        and kernel.accepts(*arguments)
    )


def around_pass(
    backend: Backend,
    name: str,
    function: Callable[..., Any],
    X: Array,
    *arrays: Any,
    fused: bool | None = None,
) -> Any:
    """`function(backend.xp, backend, fused, X, *arrays)`, which makes the pass `name` over X.

    Compiled as a whole where `can_compile` says so.
    """
    if can_compile(backend, name, X, fused=fused):
        return compiled(backend, function, backend, True)(X, *arrays)
    return function(backend.xp, backend, fused, X, *arrays)


# A compiled function holds its program for every shape that it met: the least used ones go.
@lru_cache(maxsize=128)
def compiled(
    backend: Backend,
    function: Callable[..., Any],
    *static: Hashable,
    donate: tuple[int, ...] = (),
) -> Callable[..., Any]:
    """`function(backend.xp, *static, *arrays)` as a function of the arrays, compiled where the
    backend compiles. The same call again returns the same function, so nothing compiles twice.

    Parameters
    ----------
    backend : Backend
    function : callable
        Defined at the top of a module, and without branches on values of arrays.
    *static
        What the program depends on.
    donate : tuple of int
        Positions of arrays whose memory the result may take over.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> def share(xp, k, x):
    ...     return x[k] / xp.sum(x)
    >>> float(compiled(get_backend("numpy"), share, 1)(np.asarray([1.0, 3.0])))
    0.75
    """
    bound = partial(function, backend.xp, *static)
    run: Callable[..., Any] = backend.jit(bound, donate=donate) if donate else backend.jit(bound)
    return run
