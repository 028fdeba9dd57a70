"""The rungs of a case that can run here, each prepared for the same inputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...backends import Backend, get_backend
from ..peers import jax_in_64_bits
from .case import Case, Contestant, Inputs

LOOP, VECTORIZED, COMPILED, FUSED = "Python loop", "NumPy", "Numba", "fused Numba"
BACKEND_OF = {COMPILED: "numba", FUSED: "numba"}
# Title, and the context in which the library keeps 64 bits.
DEVICE_LIBRARIES: dict[str, tuple[str, Callable[[], Any]]] = {
    "jax": ("JAX", jax_in_64_bits),
    "cupy": ("CuPy", nullcontext),
}
# A loop in Python makes some millions of trips a second; it is timed up to this many.
MOST_LOOP_NUMBERS = 1_000_000


def _as_is(result: Any) -> Any:
    return result


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
    is_peer : bool
        It is no rung of the ladder, but another library, or another way.
    """

    name: str
    run: Callable[[], Any]
    to_host: Callable[[Any], Any] = _as_is
    transfer: float | None = None
    is_peer: bool = False


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
    fused: bool = False,
) -> Rung:
    """The vectorized form, jitted where the library does that, on arrays that are there already;
    or the backend's fused pass."""
    with precision():
        started = time.perf_counter()
        arrays = [backend.from_numpy(array) for array in inputs]
        for array in arrays:
            backend.synchronize(array)
        transfer = time.perf_counter() - started
        prepare = _fused_run if fused else _vectorized_run
        run = synchronized(prepare(case, backend, arrays), backend)

    def run_in_precision() -> Any:
        with precision():
            return run()

    def to_host(result: Any) -> Any:
        if isinstance(result, tuple | list):
            return tuple(backend.to_numpy(part) for part in result)
        return backend.to_numpy(result)

    return Rung(f"{title} ({backend.device})", run_in_precision, to_host, transfer)


def _vectorized_run(case: Case, backend: Backend, arrays: list[Any]) -> Contestant:
    assert case.vectorized is not None
    vectorized = case.vectorized
    compiled = backend.jit(lambda *given: vectorized(backend.xp, *given))
    return lambda: compiled(*arrays)


def _fused_run(case: Case, backend: Backend, arrays: list[Any]) -> Contestant:
    assert case.fused_on_device is not None
    return case.fused_on_device(backend, *arrays)


def prepare_rungs(
    case: Case, inputs: Inputs, n: int, libraries: frozenset[str]
) -> tuple[dict[str, Rung], dict[str, str]]:
    """The rungs of a case that can run here and were asked for; the reference comes first.

    Parameters
    ----------
    case : Case
    inputs : tuple of ndarray
    n : int
    libraries : set of str
        Names of backends that can be used here. NumPy, loops and other libraries need none.

    Returns
    -------
    rungs : dict
    failed : dict
        Why one could not be prepared: a device without room, say.
    """
    found: dict[str, Rung] = {}
    failed: dict[str, str] = {}
    for name, prepare in _makers(case, inputs, n, libraries).items():
        try:
            rung = prepare()
        except Exception as problem:  # a finding, not the end of the run
            failed[name] = f"failed: {type(problem).__name__}: {problem}"
            continue
        if rung is not None:
            found[rung.name] = rung
    return found, failed


def _makers(
    case: Case, inputs: Inputs, n: int, libraries: frozenset[str]
) -> dict[str, Callable[[], Rung | None]]:
    makers: dict[str, Callable[[], Rung | None]] = {}
    if case.vectorized is not None:
        vectorized, namespace = case.vectorized, get_backend("numpy").xp
        makers[VECTORIZED] = lambda: Rung(VECTORIZED, lambda: vectorized(namespace, *inputs))
    if case.loop is not None:
        loop = case.loop
        if case.loop_numbers(n) <= MOST_LOOP_NUMBERS:
            makers[LOOP] = lambda: Rung(LOOP, lambda: loop(*inputs))
        if BACKEND_OF[COMPILED] in libraries:
            compiled = compile_loop(loop)
            makers[COMPILED] = lambda: Rung(COMPILED, lambda: compiled(*inputs))
    if case.fused is not None and BACKEND_OF[FUSED] in libraries:
        fused = case.fused
        makers[FUSED] = lambda: Rung(FUSED, fused(*inputs))
    if case.vectorized is not None:
        for name, (title, precision) in DEVICE_LIBRARIES.items():
            if name in libraries:
                backend = get_backend(name)
                makers[title] = partial(device_rung, case, inputs, backend, title, precision)
                if case.fused_on_device is not None:
                    own = f"fused {title}"
                    makers[own] = partial(
                        device_rung, case, inputs, backend, own, precision, fused=True
                    )
    for name, way in case.peers.items():
        if case.peer_backends.get(name) in {None, *libraries}:
            makers[name] = partial(_peer, name, way, inputs)
    return makers


def _peer(name: str, way: Callable[..., Any], inputs: Inputs) -> Rung | None:
    run = way(*inputs)
    return None if run is None else Rung(name, run, is_peer=True)


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
