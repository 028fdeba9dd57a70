"""The rungs of a case that can run here, each prepared for the same inputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from ...backends import Backend, get_backend
from ..peers import jax_in_64_bits
from .case import Case, Inputs

LOOP, VECTORIZED, COMPILED, FUSED = "Python loop", "NumPy", "Numba", "fused Numba"
# Title, and the context in which the library keeps 64 bits.
DEVICE_LIBRARIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "jax": ("JAX", jax_in_64_bits),
    "cupy": ("CuPy", nullcontext),
}
# A loop in Python makes some millions of trips a second; it is timed up to this many.
MOST_LOOP_NUMBERS = 1_000_000


@dataclass(frozen=True)
class Rung:
    """A way to do the work of a case, ready to be called and timed.

    Attributes
    ----------
    name : str
    run : callable
        Does the whole work and returns when the result has its value: it is synchronized.
    to_host : callable
        The result as NumPy arrays and numbers.
    transfer : float or None
        Seconds that the inputs took to the device; None for host rungs.
    """

    name: str
    run: Callable[[], Any]
    to_host: Callable[[Any], Any]
    transfer: float | None = None


def _as_is(result: Any) -> Any:
    return result


def synchronized(run: Callable[[], Any], backend: Backend) -> Callable[[], Any]:
    """`run`, which returns when every array of its result has its value."""

    def wait(result: Any) -> None:
        for part in result if isinstance(result, tuple | list) else (result,):
            backend.synchronize(part)

    def run_and_wait() -> Any:
        result = run()
        wait(result)
        return result

    return run_and_wait


def device_rung(
    case: Case,
    inputs: Inputs,
    backend: Backend,
    title: str,
    precision: Callable[[], Any] = nullcontext,
) -> Rung:
    """The vectorized form, jitted where the library does that, on arrays that are there already."""
    assert case.vectorized is not None
    vectorized = case.vectorized
    with precision():
        started = time.perf_counter()
        arrays = [backend.from_numpy(array) for array in inputs]
        for array in arrays:
            backend.synchronize(array)
        transfer = time.perf_counter() - started
        compiled = backend.jit(lambda *given: vectorized(backend.xp, *given))
    run = synchronized(lambda: compiled(*arrays), backend)

    def run_in_precision() -> Any:
        with precision():
            return run()

    def to_host(result: Any) -> Any:
        if isinstance(result, tuple | list):
            return tuple(backend.to_numpy(part) for part in result)
        return backend.to_numpy(result)

    return Rung(f"{title} ({backend.device})", run_in_precision, to_host, transfer)


def prepare_rungs(case: Case, inputs: Inputs, n: int, libraries: frozenset[str]) -> dict[str, Rung]:
    """All rungs of a case that can run here and were asked for; the reference comes first.

    Parameters
    ----------
    case : Case
    inputs : tuple of ndarray
    n : int
    libraries : set of str
        Names of backends that can be used here. What needs none (loops, peers) is always there.
    """
    found: dict[str, Rung] = {}
    if case.vectorized is not None:
        vectorized, namespace = case.vectorized, get_backend("numpy").xp
        found[VECTORIZED] = Rung(VECTORIZED, lambda: vectorized(namespace, *inputs), _as_is)
    if case.loop is not None:
        loop = case.loop
        if case.loop_numbers(n) <= MOST_LOOP_NUMBERS:
            found[LOOP] = Rung(LOOP, lambda: loop(*inputs), _as_is)
        if "numba" in libraries:
            compiled = compile_loop(loop)
            found[COMPILED] = Rung(COMPILED, lambda: compiled(*inputs), _as_is)
    if case.fused is not None and "numba" in libraries:
        found[FUSED] = Rung(FUSED, case.fused(*inputs), _as_is)
    if case.vectorized is not None:
        for name, (title, precision) in DEVICE_LIBRARIES.items():
            if name in libraries:
                rung = device_rung(case, inputs, get_backend(name), title, precision)
                found[rung.name] = rung
    for name, prepare in case.peers.items():
        run = prepare(*inputs)
        if run is not None:
            found[name] = Rung(name, run, _as_is)
    return found


_compiled: dict[Any, Any] = {}


def compile_loop(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The loop compiled by Numba; functions of `loops` that it calls are compiled too."""
    if loop not in _compiled:
        import types

        from numba import njit

        namespace = dict(loop.__globals__)
        for name in loop.__code__.co_names:
            called = namespace.get(name)
            if callable(called) and getattr(called, "__module__", None) == loop.__module__:
                namespace[name] = compile_loop(called)
        own = types.FunctionType(loop.__code__, namespace, loop.__name__)
        _compiled[loop] = njit(own)
    return _compiled[loop]
