"""The one place that chooses between a backend's fused kernel and the generic one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backends import Backend, fused_enabled


def run_kernel(
    backend: Backend,
    name: str,
    generic: Callable[..., Any],
    *arguments: Any,
    fused: bool | None = None,
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
    """
    kernel = backend.kernels.get(name)
    if kernel is not None and fused_enabled(fused) and kernel.accepts(*arguments):
        return kernel.call(*arguments)
    return generic(*arguments, backend=backend)
