"""What kind of array something is, found out without importing any array library."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .record import Array, Namespace


def _is_instance(array: Any, module: str, names: tuple[str, ...]) -> bool:
    # Only a library that the user has already imported can have made the array.
    loaded = sys.modules.get(module)
    if loaded is None:
        return False
    types = tuple(kind for name in names if isinstance(kind := getattr(loaded, name, None), type))
    return bool(types) and isinstance(array, types)


def is_cupy_array(array: Any) -> bool:
    """Whether `array` is a `cupy.ndarray`."""
    return _is_instance(array, "cupy", ("ndarray",))


def is_jax_array(array: Any) -> bool:
    """Whether `array` is a `jax.Array` (a traced one included)."""
    return _is_instance(array, "jax", ("Array",))


def is_torch_tensor(array: Any) -> bool:
    """Whether `array` is a `torch.Tensor`."""
    return _is_instance(array, "torch", ("Tensor",))


def array_backend_name(array: Any) -> str:
    """Name of the backend whose kind of array this is; "numpy" for everything on the host."""
    if is_cupy_array(array):
        return "cupy"
    if is_jax_array(array):
        return "jax"
    if is_torch_tensor(array) and array.device.type == "cuda":
        return "cupy"
    return "numpy"


def jax_device_name(device: Any) -> str:
    """Name of a `jax.Device` as the other libraries spell it: "cpu", "cuda:0", "tpu:0"."""
    if device.platform == "cpu" and device.id == 0:
        return "cpu"
    # JAX calls the platform of both makers "gpu"; the text of a device tells them apart.
    platform = str(device).split(":")[0] if device.platform == "gpu" else device.platform
    return f"{platform}:{device.id}"


def device_of(array: Any) -> str:
    """Where the array lives: "cpu", "cuda:0", or "traced" inside a function that JAX compiles."""
    if is_cupy_array(array):
        return f"cuda:{array.device.id}"
    if is_torch_tensor(array):
        return str(array.device)
    if is_jax_array(array):
        if isinstance(array, sys.modules["jax"].core.Tracer):
            return "traced"
        return ",".join(sorted(jax_device_name(device) for device in array.devices()))
    return "cpu"


def filled(xp: Namespace, found: Array | float, like: Array) -> Array:
    """What a formula returned, as an array: a constant formula may return one number.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import filled
    >>> filled(np, 1.0, np.zeros(3)).tolist()
    [1.0, 1.0, 1.0]
    """
    # A parameter of the loss is a number too, though a compiled function sees it as an array.
    return found if getattr(found, "ndim", 0) else xp.full_like(like, found)


def describe_array(array: Any) -> str:
    """A short description for an error: type, dtype, device."""
    kind = type(array)
    module = kind.__module__.split(".")[0]
    dtype = getattr(array, "dtype", None)
    dtype_text = f" of {dtype}" if dtype is not None else ""
    return f"{module}.{kind.__name__}{dtype_text} ({device_of(array)})"


def _tensor_trouble(tensor: Any) -> str | None:
    # Why a tensor cannot be shared as it is, and the call that makes one that can. A lazily negated
    # one is not refused by PyTorch's own export, and would arrive with the wrong sign.
    if tensor.requires_grad:
        return (
            "with requires_grad=True was given; xpfit does not take part in PyTorch's graph. "
            "Pass tensor.detach()."
        )
    if tensor.is_conj() or tensor.is_neg():
        return "that is lazily conjugated was given. Pass tensor.resolve_conj().resolve_neg()."
    if tensor.device.type not in {"cpu", "cuda"}:
        return (
            f"on device {tensor.device} was given; only cpu and cuda tensors can be shared. "
            "Pass tensor.cpu()."
        )
    if str(tensor.layout) != "torch.strided":
        return f"of layout {tensor.layout} was given. Pass tensor.to_dense()."
    return None


def as_backend_array(array: Any) -> Any:
    """A PyTorch tensor as an array of the backend that owns its device, sharing memory by DLPack;
    anything else as it is.

    Strides are kept, so a transposed or sliced tensor is shared too.

    Raises
    ------
    TypeError
        For a tensor that needs a gradient, is lazily conjugated or negated, sparse, on a device
        that no backend owns, or of a dtype that its array library lacks (bfloat16 in NumPy).

    Examples
    --------
    >>> from xpfit.backends import as_backend_array
    >>> as_backend_array([1.0, 2.0])
    [1.0, 2.0]
    """
    if not is_torch_tensor(array):
        return array
    trouble = _tensor_trouble(array)
    if trouble is not None:
        message = f"a torch.Tensor {trouble}"
        raise TypeError(message)
    if array.device.type == "cpu":
        from_dlpack = np.from_dlpack
    else:
        from .registry import get_backend

        source = f"torch.Tensor on {array.device}"
        from_dlpack = get_backend("cupy", source=source).xp.from_dlpack
    try:
        return from_dlpack(array)
    # NumPy and CuPy raise different types for a dtype that they lack.
    except (RuntimeError, BufferError, TypeError, ValueError) as problem:
        library = "NumPy" if array.device.type == "cpu" else "CuPy"
        message = (
            f"a torch.Tensor of {array.dtype} was given, which {library} cannot share "
            f"({problem}). Pass tensor.float(), or tensor.half()."
        )
        raise TypeError(message) from problem


def bucket_size(n_rows: int) -> int:
    """The next larger (or same) number whose binary digits after the first three are zero.

    Sizes of arrays for which programs are compiled: a new size is rarely another program.

    Examples
    --------
    >>> from xpfit.backends import bucket_size
    >>> [bucket_size(n) for n in (1, 7, 9, 100, 569, 4001)]
    [1, 7, 10, 112, 640, 4096]
    """
    step = 1 << max(0, (n_rows - 1).bit_length() - 3)
    return -(-n_rows // step) * step
