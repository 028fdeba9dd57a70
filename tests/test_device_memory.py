"""A device that runs out of memory, or fails, in the middle of a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from xpfit.backends import (
    Backend,
    DeviceFailedError,
    DeviceMemoryError,
    cupy_backend,
    get_backend,
    jax_backend,
)
from xpfit.core.device_work import SMALLEST_BLOCK
from xpfit.core.fit import fit_linear_model
from xpfit.core.losses import HALF_BINOMIAL

ROW_BYTES = 8 * 40


class SmallDevice:
    """NumPy as if on a device that can hold a converted block of at most `capacity` bytes."""

    def __init__(self, capacity: int, block_bytes: int | None = 1 << 20) -> None:
        self.capacity, self.freed, self.tried = capacity, 0, 0
        self.backend: Backend = replace(
            get_backend("numpy"), name="small", device="small:0", block_bytes=block_bytes,
            xp=_Namespace(get_backend("numpy").xp, self), free_unused=self._free,
        )  # fmt: skip

    def take(self, n_bytes: int) -> None:
        self.tried += 1
        if n_bytes > self.capacity:
            message = f"cannot allocate {n_bytes} bytes"
            raise MemoryError(message)

    def _free(self) -> None:
        self.freed += 1


class _Namespace:
    def __init__(self, xp: Any, device: SmallDevice) -> None:
        self._xp, self._device = xp, device

    def __getattr__(self, name: str) -> Any:
        return getattr(self._xp, name)

    def astype(self, array: Any, dtype: Any, **options: Any) -> Any:
        if array.ndim == 2:
            self._device.take(array.shape[0] * ROW_BYTES)
        return self._xp.astype(array, dtype, **options)


def table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, size=(20_000, 40)).astype(np.uint8)
    return X, (X[:, 0] + rng.normal(size=20_000) > 4).astype(float)


def fit(backend: Backend, X: Any, y: Any) -> Any:
    return fit_linear_model(
        X, y, loss=HALF_BINOMIAL, backend=backend, l2_reg_strength=1e-3, solver="newton",
        who="LogisticRegression",
    )  # fmt: skip


@pytest.mark.parametrize("block_bytes", [1 << 20, None])
def test_blocks_are_halved_until_they_fit(block_bytes: int | None) -> None:
    X, y = table()
    device = SmallDevice(200_000, block_bytes)
    found, expected = fit(device.backend, X, y), fit(get_backend("numpy"), X, y)
    np.testing.assert_allclose(found.W, expected.W, rtol=1e-9)
    assert found.result.n_passes == expected.result.n_passes
    # 1 MiB became 128 KiB in three steps (1 GiB in thirteen), once for the whole fit.
    assert device.freed == (3 if block_bytes else 13)


def test_what_does_not_fit_at_all_says_so() -> None:
    X, y = table()
    device = SmallDevice(SMALLEST_BLOCK // 4)
    with pytest.raises(DeviceMemoryError) as caught:
        fit(device.backend, X, y)
    text = str(caught.value)
    assert (
        "LogisticRegression on X of uint8, 20,000 x 40 ran out of memory on device small:0" in text
    )
    assert "cannot allocate" in text
    assert "shorter dtype" in text
    assert device.tried < 20  # it ends
    # What fits in no block does not make the blocks of later passes small.
    tried, device.capacity, device.freed = device.tried, 1 << 30, 0
    fit(device.backend, X, y)
    assert device.freed == 0
    assert device.tried - tried < 200


def test_a_device_that_fails_is_named() -> None:
    def broken(*_: Any, **__: Any) -> Any:
        message = "the device is gone\nand more lines of it"
        raise OSError(message)

    def trouble_of(problem: BaseException) -> Any:
        return "failed" if isinstance(problem, OSError) else None

    backend = replace(get_backend("numpy"), device="cuda:0", trouble_of=trouble_of)
    X, y = table()
    with pytest.raises(
        DeviceFailedError, match="device cuda:0 failed during LogisticRegression on"
    ):
        fit(replace(backend, cholesky=broken), X, y)


def test_other_errors_stay_what_they_are() -> None:
    def broken(_: Any) -> Any:
        message = "mine"
        raise KeyError(message)

    with pytest.raises(KeyError, match="mine"):
        fit(replace(get_backend("numpy"), cholesky=broken), *table())


class OutOfMemoryError(MemoryError):
    """Named as CuPy's."""


class CUDARuntimeError(RuntimeError):
    """Named as CuPy's."""


class CUDADriverError(RuntimeError):
    """Named as CuPy's."""


class CUBLASError(RuntimeError):
    """Named as CuPy's."""


class XlaRuntimeError(RuntimeError):
    """Named as JAX's."""


@pytest.mark.parametrize(
    ("trouble_of", "problem", "expected"),
    [
        (cupy_backend.trouble_of, OutOfMemoryError("Out of memory allocating 8 bytes"), "memory"),
        (cupy_backend.trouble_of, CUDARuntimeError("cudaErrorMemoryAllocation: no"), "memory"),
        (cupy_backend.trouble_of, CUDADriverError("CUDA_ERROR_OUT_OF_MEMORY: no"), "memory"),
        (cupy_backend.trouble_of, CUBLASError("CUBLAS_STATUS_ALLOC_FAILED"), "memory"),
        (cupy_backend.trouble_of, CUDARuntimeError("cudaErrorInvalidValue: no"), None),
        (cupy_backend.trouble_of, CUDARuntimeError("cudaErrorECCUncorrectable: no"), "failed"),
        (cupy_backend.trouble_of, ValueError("shapes"), None),
        (jax_backend.trouble_of, XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "memory"),
        (jax_backend.trouble_of, XlaRuntimeError("INTERNAL: device lost"), "failed"),
        (jax_backend.trouble_of, XlaRuntimeError("INVALID_ARGUMENT: shapes"), None),
        (jax_backend.trouble_of, ValueError("INTERNAL"), None),
    ],
)
def test_what_libraries_say(
    trouble_of: Callable[[BaseException], Any], problem: BaseException, expected: Any
) -> None:
    assert trouble_of(problem) == expected
