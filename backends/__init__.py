"""Array libraries: one record each, and the rules that choose among them."""

from __future__ import annotations

from .arrays import as_backend_array, bucket_size, describe_array, device_of, filled
from .constants import NORM_FLOOR
from .errors import (
    BackendUnavailableError,
    DeviceFailedError,
    DeviceMemoryError,
    KernelCompileError,
    MixedBackendError,
    PrecisionError,
    UnknownBackendError,
    device_failed,
    out_of_memory,
)
from .record import Array, Backend, BackendStatus, FusedKernel, Namespace
from .registry import (
    available_backends,
    backend_of,
    checked_default,
    context_choice,
    default_name,
    fused_enabled,
    get_backend,
    is_host_backend,
    resolve_backend,
    use_backend,
    use_fused,
)

__all__ = [
    "NORM_FLOOR",
    "Array",
    "Backend",
    "BackendStatus",
    "BackendUnavailableError",
    "DeviceFailedError",
    "DeviceMemoryError",
    "FusedKernel",
    "KernelCompileError",
    "MixedBackendError",
    "Namespace",
    "PrecisionError",
    "UnknownBackendError",
    "as_backend_array",
    "available_backends",
    "backend_of",
    "bucket_size",
    "checked_default",
    "context_choice",
    "default_name",
    "describe_array",
    "device_failed",
    "device_of",
    "filled",
    "fused_enabled",
    "get_backend",
    "is_host_backend",
    "out_of_memory",
    "resolve_backend",
    "use_backend",
    "use_fused",
]
