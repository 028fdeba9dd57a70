"""JAX: compiled kernels on the CPU, a GPU or a TPU.

Nothing global is switched: float64 needs JAX's own 64-bit mode, and data that would be truncated
without it are an error. `make` starts JAX's client, which is what finds the devices; importing
this module does not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any

import numpy as np

from .arrays import describe_array, jax_device_name
from .errors import NotUsable, spread_array, too_narrow
from .record import Array, Backend, FusedKernel, Trouble

# The generic passes then need this much for a converted block, however long X is. Larger than on
# a host: each block is a few dispatches, and inside a traced function the loop is unrolled.
BLOCK_BYTES = 1 << 26

REMEDY_64_BIT = (
    "Set JAX_ENABLE_X64=1 before jax is imported, or call "
    'jax.config.update("jax_enable_x64", True), or pass float32.'
)


def _import_jax() -> Any:
    try:
        import jax
    except ModuleNotFoundError as problem:
        if problem.name == "jax":
            why = "is not installed: no module named 'jax'"
            raise NotUsable(why, "Install it with: pip install 'xpfit[jax]'.") from problem
        why = f"is installed but failed to import: {problem}"
        remedy = "Install jax and jaxlib of one version: pip install -U 'xpfit[jax]'."
        raise NotUsable(why, remedy) from problem
    except Exception as problem:  # a broken jaxlib raises whatever its loader does
        why = f"is installed but failed to import: {type(problem).__name__}: {problem}"
        remedy = "Install jax and jaxlib of one version: pip install -U 'xpfit[jax]'."
        raise NotUsable(why, remedy) from problem
    return jax


def _find_devices() -> list[Any]:
    jax = _import_jax()
    try:
        return list(jax.devices())
    except RuntimeError as problem:
        why = f"is installed ({jax.__version__}) but finds no device: {problem}"
        raise NotUsable(why, "Check the environment variable JAX_PLATFORMS.") from problem


def devices() -> tuple[str, ...]:
    """Devices that JAX can use here, the default one first: ("cpu",), ("cuda:0", "cuda:1")."""
    return tuple(jax_device_name(device) for device in _find_devices())


def is_64_bit() -> bool:
    """Whether JAX keeps float64 at this moment, in this thread."""
    return bool(_import_jax().dtypes.canonicalize_dtype(np.float64) == np.float64)


def compute_dtype(dtype: Any) -> Any:
    """float64 for float64, float32 for shorter floats; integers and bool get the widest there is.

    Raises
    ------
    PrecisionError
        For float64 while JAX is in its 32-bit mode.
    """
    import jax.numpy as jnp

    if not jnp.issubdtype(dtype, jnp.floating):
        return np.dtype(np.float64 if is_64_bit() else np.float32)
    # By size: a bfloat16 is beyond NumPy's own finfo, and JAX's has no types.
    if np.dtype(dtype).itemsize <= 4:
        return np.dtype(np.float32)
    if not is_64_bit():
        why = "JAX is in its 32-bit mode, so results would silently be float32"
        what = "float64 X"
        raise too_narrow(what, "jax", "compute_dtype()", why, REMEDY_64_BIT)
    return np.dtype(np.float64)


def from_numpy(array: np.ndarray[Any, Any]) -> Array:
    """A host array as a JAX array of the same dtype, on JAX's default device.

    On the CPU the two may share memory: do not write to the host array afterwards.

    Raises
    ------
    PrecisionError
        For float64 or complex128 values, or integers beyond 32 bits, while JAX is in its 32-bit
        mode. Wide integers whose values fit become 32-bit integers.
    """
    import jax.numpy as jnp

    array = np.asarray(array)
    if array.dtype.kind in "iufc" and array.dtype.itemsize > 4 and not is_64_bit():
        array = _narrowed(array)
    return jnp.asarray(array)


def _narrowed(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # complex64 takes 8 bytes, and is short.
    if array.dtype == np.complex64:
        return array
    if array.dtype.kind in "iu":
        short = np.dtype(f"{array.dtype.kind}4")
        limits = np.iinfo(short)
        if array.size == 0 or (array.min() >= limits.min and array.max() <= limits.max):
            return array.astype(short)
    why = "JAX is in its 32-bit mode and would silently truncate it"
    what = f"a {array.dtype} array"
    raise too_narrow(what, "jax", "from_numpy()", why, REMEDY_64_BIT)


def to_numpy(array: Array) -> np.ndarray[Any, Any]:
    """The values on the host; waits for them. Read-only, and on the CPU without a copy."""
    return np.asarray(array)


def at_add(x: Array, index: Any, values: Array) -> Array:
    """x with `values` added at `index` (repeated indices add up), as a new array."""
    return x.at[index].add(values)


def set_row(x: Array, index: Any, row: Array) -> Array:
    """x with `row` at `index`; in place where a compiled function was handed the memory of x."""
    return x.at[index].set(row)


def jit(function: Callable[..., Any], donate: tuple[int, ...] = ()) -> Callable[..., Any]:
    """`jax.jit`; arguments at the positions `donate` are gone after a call."""
    run: Callable[..., Any] = _import_jax().jit(function, donate_argnums=donate)
    return run


def trouble_of(problem: BaseException) -> Trouble | None:
    """What an exception of JAX's runtime says of the device: its status comes first in the text.

    The host may run out of memory too, before arrays are sent.
    """
    if isinstance(problem, MemoryError):
        return "memory"
    if "RuntimeError" not in type(problem).__name__:
        return None
    text = str(problem)
    if "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower():
        return "memory"
    lost = ("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "ABORTED")
    return "failed" if text.startswith(lost) else None


def on_device_of(array: Array) -> AbstractContextManager[Any]:
    """A context whose default device is that of the array, where it is on one that is not default.

    Raises
    ------
    MixedBackendError
        For an array whose rows are spread over several devices.
    """
    jax, devices = _import_jax(), array.devices()
    if len(devices) != 1:
        raise spread_array(describe_array(array), "device_put(X, jax.devices()[0])")
    default = jax.config.jax_default_device or jax.devices()[0]
    if devices == {default}:
        # A default device is part of the key of a compiled program: setting the one that holds
        # anyway would compile everything twice.
        return nullcontext()
    context: AbstractContextManager[Any] = jax.default_device(next(iter(devices)))
    return context


def make() -> Backend:
    """The record of this backend.

    Raises
    ------
    NotUsable
        Where JAX is not installed, does not import, or finds no device.
    """
    jax = _import_jax()
    found = _find_devices()
    from .jax_epoch import accepts_epoch, minibatch_epoch
    from .jax_kernels import KERNELS
    from .jax_network import accepts_network, accepts_network_epoch, network_epoch, network_sums

    return Backend(
        name="jax",
        version=jax.__version__,
        xp=jax.numpy,
        array_type=jax.Array,
        device=jax_device_name(found[0]),
        from_numpy=from_numpy,
        to_numpy=to_numpy,
        synchronize=jax.block_until_ready,
        jit=jit,
        compiles=True,
        at_add=at_add,
        compute_dtype=compute_dtype,
        block_bytes=BLOCK_BYTES,
        set_row=set_row,
        trouble_of=trouble_of,
        on_device_of=on_device_of,
        kernels=MappingProxyType(
            {
                **KERNELS,
                "minibatch_epoch": FusedKernel(minibatch_epoch, accepts_epoch),
                "network_epoch": FusedKernel(network_epoch, accepts_network_epoch),
                "network_sums": FusedKernel(network_sums, accepts_network),
            }
        ),
    )
