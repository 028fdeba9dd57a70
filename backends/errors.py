"""What can go wrong when a backend is chosen. Every text has four parts: what was asked, who asked,
why it cannot be, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class UnknownBackendError(ValueError):
    """The name is not that of a backend."""


class BackendUnavailableError(ImportError):
    """The backend exists, but cannot be used here: not installed, broken, or no device."""


class MixedBackendError(TypeError):
    """Arrays of several libraries or devices, or arrays that contradict a `backend=` argument."""


class PrecisionError(TypeError):
    """The backend would silently compute in a lower precision than that of the data."""


class DeviceMemoryError(MemoryError):
    """The memory of a device does not suffice."""


class DeviceFailedError(RuntimeError):
    """A device stopped working, or is gone."""


class KernelCompileError(TypeError):
    """A loss uses what cannot be compiled into a fused kernel."""


class NotUsable(Exception):  # noqa: N818 - a signal inside this folder, never seen by users
    """Raised by a backend module's `make`: why it cannot be used, and what to do."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


def unknown_backend(name: object, source: str, known: Sequence[str]) -> UnknownBackendError:
    """The error for a name that is not among those known, with the nearest one that is."""
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UnknownBackendError(
        f"unknown backend {name!r} (from {source}). Known: {', '.join(known)}.{hint}"
    )


def unavailable(
    name: str, source: str, why: str, remedy: str, usable: Sequence[str]
) -> BackendUnavailableError:
    """The error for a backend that cannot be used on this machine."""
    return BackendUnavailableError(
        f"backend {name!r} (from {source}) {why}. {remedy} "
        f"Usable here: {', '.join(usable)}. No fallback is made."
    )


def contradicts_arrays(
    name: str, source: str, array_description: str, array_backend: str
) -> MixedBackendError:
    """The error for a `backend=` argument that does not fit the arrays."""
    return MixedBackendError(
        f"backend {name!r} (from {source}) was asked for, but the data are {array_description}, "
        f"which belong to backend {array_backend!r}; data are never moved between devices "
        f"unasked. Leave backend= out, or convert the arrays first."
    )


def mixed_arrays(descriptions: Sequence[str], who: str) -> MixedBackendError:
    """The error for arrays of several libraries in one call."""
    return MixedBackendError(
        f"inputs of {who} come from different libraries or devices: {'; '.join(descriptions)}. "
        "Move them to one, with its asarray: y = cupy.asarray(y), y = jax.numpy.asarray(y)."
    )


def not_compilable(what: str, why: str) -> KernelCompileError:
    """The error for formulas that Numba cannot compile."""
    return KernelCompileError(
        f"the fused Numba kernel {what} cannot be compiled: {why}. Write the formulas with "
        "arithmetic, numbers and functions of xp for one number at a time (exp, log, log1p, "
        "tanh, where, maximum, ...; xp.where instead of if), or run them as they are, on whole "
        "arrays, with backend='numpy' or XPFIT_FUSED=0."
    )


def not_translatable(what: str, why: str) -> KernelCompileError:
    """The error for formulas that cannot be written as CUDA C++."""
    return KernelCompileError(
        f"the fused CUDA kernel of {what} cannot be written: {why}. Write the formulas with "
        "arithmetic, comparisons, numbers and functions of xp for one number at a time (exp, log, "
        "log1p, tanh, where, maximum, ...; xp.where instead of if), or run them as they are, on "
        "whole arrays, with fused=False or XPFIT_FUSED=0."
    )


_WHERE_X_IS_LARGE = (
    "Free arrays there, give X in a shorter dtype (float16, uint8: it is read as it is stored), or "
    "use fewer rows at a time; solver='lbfgs' needs no matrix of all columns by all columns."
)


def out_of_memory(
    what: str, device: str, cause: BaseException, advice: str | None = None
) -> DeviceMemoryError:
    """The error for work that does not fit into a device beside what is there already.

    `advice` says what is large, and what to do; None: X is.
    """
    return DeviceMemoryError(
        f"{what} ran out of memory on device {device} ({_first_line(cause)}). "
        f"{_WHERE_X_IS_LARGE if advice is None else advice}"
    )


def device_failed(what: str, device: str, cause: BaseException) -> DeviceFailedError:
    """The error for a device that fails in the middle of its work."""
    return DeviceFailedError(
        f"device {device} failed during {what} ({_first_line(cause)}). Nothing was changed on the "
        "host. Check the device (nvidia-smi), then start again in a new process: such an error "
        "stays with the old one."
    )


def spread_array(what: str, remedy: str) -> MixedBackendError:
    """The error for an array that lies on several devices."""
    return MixedBackendError(
        f"{what} is spread over several devices, and a fit or a prediction takes place on one. "
        f"Gather it first, with jax.{remedy}, or give each device its own rows."
    )


def _first_line(cause: BaseException) -> str:
    text = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    return f"{type(cause).__name__}: {text[:200]}"


def too_narrow(what: str, name: str, source: str, why: str, remedy: str) -> PrecisionError:
    """The error for data that the backend could only hold in a lower precision."""
    return PrecisionError(
        f"{what} was given to backend {name!r} (in {source}), but {why}. {remedy} "
        "Nothing is truncated unasked."
    )
