"""Which backend runs: argument > type of the arrays > `use_backend` > XPFIT_BACKEND > NumPy.

An argument is a demand; a context or an environment variable is a default, which arrays outrank.
A misspelt or unavailable name is an error wherever it came from.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from .arrays import array_backend_name, describe_array, device_of
from .errors import NotUsable, contradicts_arrays, mixed_arrays, unavailable, unknown_backend
from .record import Backend, BackendStatus

KNOWN = ("numpy", "numba", "cupy", "jax")
HOST = ("numpy", "numba")
DEVICE_LIBRARIES = ("cupy", "jax")

_context_backend: ContextVar[str | None] = ContextVar("xpfit_backend", default=None)
_context_fused: ContextVar[bool | None] = ContextVar("xpfit_fused", default=None)


@functools.cache
def _make(name: str) -> Backend:
    make: Callable[[], Backend] = import_module(f".{name}_backend", __package__).make
    return make()


def get_backend(name: str, *, source: str = "get_backend()", also: tuple[str, ...] = ()) -> Backend:
    """The record of one backend by name.

    Parameters
    ----------
    name : {"numpy", "numba", "cupy", "jax"}
    source : str
        Who asks; it stands in the error.
    also : tuple of str
        What may be asked for there beside a backend; it stands in the error.

    Raises
    ------
    UnknownBackendError, BackendUnavailableError

    Examples
    --------
    >>> from xpfit.backends import get_backend
    >>> get_backend("numpy").device
    'cpu'
    """
    if name not in KNOWN:
        raise unknown_backend(name, source, (*KNOWN, *also))
    try:
        return _make(name)
    except NotUsable as problem:
        usable = [status.name for status in available_backends() if status.available]
        raise unavailable(name, source, problem.why, problem.remedy, usable) from problem.__cause__


def available_backends() -> list[BackendStatus]:
    """Every known backend: its version and devices, or the reason why it cannot be used here.

    Examples
    --------
    >>> from xpfit.backends import available_backends
    >>> [status.name for status in available_backends() if status.available][0]
    'numpy'
    """
    found = []
    for name in KNOWN:
        try:
            backend = _make(name)
        except NotUsable as problem:
            reason = f"{problem.why}. {problem.remedy}"
            found.append(BackendStatus(name, False, None, (), reason))
        else:
            devices = import_module(f".{name}_backend", __package__).devices()
            found.append(BackendStatus(name, True, backend.version, devices, None))
    return found


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Make `name` the default inside the `with` block, for this thread or task only.

    Examples
    --------
    >>> from xpfit.backends import resolve_backend, use_backend
    >>> with use_backend("numpy"):
    ...     resolve_backend().name
    'numpy'
    """
    get_backend(name, source="use_backend()")
    token = _context_backend.set(name)
    try:
        yield
    finally:
        _context_backend.reset(token)


@contextmanager
def use_fused(enabled: bool) -> Iterator[None]:
    """Allow or forbid fused kernels inside the `with` block. The generic path is the oracle."""
    token = _context_fused.set(bool(enabled))
    try:
        yield
    finally:
        _context_fused.reset(token)


def fused_enabled(fused: bool | None = None) -> bool:
    """Whether fused kernels may run: argument > `use_fused` > XPFIT_FUSED > yes."""
    if fused is not None:
        return fused
    context = _context_fused.get()
    if context is not None:
        return context
    text = os.environ.get("XPFIT_FUSED", "1").strip().lower()
    if text in {"", "1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    message = (
        f"XPFIT_FUSED={text!r} (environment variable) is neither on nor off. "
        "Set it to 1 (fused kernels, the default) or 0 (generic kernels)."
    )
    raise ValueError(message)


def context_choice() -> tuple[str | None, bool | None]:
    """What `use_backend` and `use_fused` say here: quick to ask, for what is kept for each choice.

    Examples
    --------
    >>> from xpfit.backends import context_choice
    >>> context_choice()
    (None, None)
    """
    return _context_backend.get(), _context_fused.get()


def is_host_backend(name: str) -> bool:
    """Whether a backend computes on NumPy's arrays, in the memory of the host.

    Examples
    --------
    >>> from xpfit.backends import is_host_backend
    >>> is_host_backend("numba"), is_host_backend("jax")
    (True, False)
    """
    return name in HOST


def checked_default() -> str | None:
    """The default that a context or the environment sets; one that cannot be used is refused.

    Raises
    ------
    UnknownBackendError, BackendUnavailableError
    """
    name, source = default_name()
    if name is not None:
        get_backend(name, source=source)
    return name


def default_name() -> tuple[str | None, str]:
    """The default that a context or the environment sets, and which of them set it."""
    context = _context_backend.get()
    if context is not None:
        return context, "use_backend()"
    from_environment = os.environ.get("XPFIT_BACKEND", "").strip()
    if from_environment:
        return from_environment, "environment variable XPFIT_BACKEND"
    return None, "default"


def backend_of(*arrays: Any, who: str = "resolve_backend()") -> str | None:
    """Name of the backend that the arrays' types demand: "cupy", "jax", or None for host arrays.

    Raises
    ------
    MixedBackendError
        Where arrays of two libraries, or on two devices, meet.
    """
    present = [array for array in arrays if array is not None]
    kinds = {(array_backend_name(array), device_of(array)) for array in present}
    if len(kinds) > 1:
        # What JAX traces goes wherever the concrete arrays are that it meets.
        kinds.discard(("jax", "traced"))
    if len(kinds) > 1:
        raise mixed_arrays([describe_array(array) for array in present], who)
    name = next(iter(kinds))[0] if kinds else None
    return None if name in HOST else name


def resolve_backend(
    backend: str | Backend | None = None, *arrays: Any, who: str = "resolve_backend()"
) -> Backend:
    """The backend for these arrays: argument > arrays > `use_backend` > XPFIT_BACKEND > NumPy.

    Parameters
    ----------
    backend : str, Backend or None
        A demand. One that the arrays contradict is an error.
    *arrays : arrays of one library (None is passed over)
    who : str
        Who asks; it stands in the error.

    Raises
    ------
    UnknownBackendError, BackendUnavailableError, MixedBackendError
    """
    default = checked_default()
    wanted = backend_of(*arrays, who=who)
    first = next((array for array in arrays if array is not None), None)
    if backend is not None:
        source = f"backend= in {who}"
        chosen = backend if isinstance(backend, Backend) else get_backend(backend, source=source)
        # A record that is not in KNOWN comes from its own author, who knows its arrays.
        contradicted = (
            wanted != chosen.name if wanted is not None else chosen.name in DEVICE_LIBRARIES
        )
        if first is not None and contradicted:
            raise contradicts_arrays(
                chosen.name, source, describe_array(first), array_backend_name(first)
            )
        return chosen
    if wanted is not None:
        return get_backend(wanted, source=f"arrays given to {who}")
    if first is not None:
        return get_backend(default if default in HOST else "numpy")
    return get_backend(default or "numpy")
