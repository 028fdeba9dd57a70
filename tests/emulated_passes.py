"""Random problems for CuPy's fused passes in the emulation, compared with NumPy's generic ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cuda_emulation import Kernel, RawModule, emulated
from helpers import targets_for

from xpfit.backends import Backend, cupy_network, get_backend
from xpfit.backends.cupy_kernels import epoch_launch, step_launch
from xpfit.core.passes import curvature_product, loss_gradient, predict_raw

NUMPY = get_backend("numpy")


class Problem:
    """Random data, on the host and in the emulation."""

    def __init__(self, loss: Any, shape: tuple[int, int], order: str, weighted: bool, K: int = 1):
        rng = np.random.default_rng([*shape, K])
        n, d = shape
        self.X = np.asarray(rng.standard_normal(shape), order=order)
        y = rng.integers(0, K, n).astype(float) if K > 1 else targets_for(loss.name, n, rng)
        weight = rng.uniform(0.1, 3.0, n) if weighted else None
        W, D = rng.standard_normal((2, d, K)) * 0.5 / d**0.5
        b, c = rng.standard_normal((2, K)) * 0.5
        self.data, self.direction = (self.X, y, weight, W, b, loss), (D, c)

    def passes(self, backend: Backend, fused: bool | None, move: Any) -> list[np.ndarray]:
        """All numbers that the three passes give, launched or generic."""
        *arrays, loss = self.data
        moved = [None if array is None else move(array) for array in arrays]
        direction = [move(array) for array in self.direction]
        sums = loss_gradient(*moved, loss, backend=backend, fused=fused)
        products = curvature_product(*moved, loss, *direction, backend=backend, fused=fused)
        raw = predict_raw(moved[0], moved[3], moved[4], backend=backend, fused=fused)
        return [np.asarray(result) for result in (*sums, *products, raw)]

    def check(self, backend: Backend) -> None:
        """Fused passes agree with generic ones to 1e-12 of the largest number."""
        Kernel.launched.clear()
        actual = self.passes(backend, None, emulated)
        expected = self.passes(NUMPY, False, np.asarray)
        if self.data[-1].is_multiclass:
            assert Kernel.launched == ["multinomial_pass", "add_slots"]
        else:
            assert Kernel.launched == ["row_pass", "add_slots"] * 2 + ["predict_raw"]
        for ours, theirs in zip(actual, expected, strict=True):
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape
            scale = max(1.0, float(np.max(np.abs(theirs))))
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * scale)


def results_of_turns(monkeypatch: pytest.MonkeyPatch, run: Any) -> set[bytes]:
    """The different results that there are when the threads of a block take other turns."""
    seen = set()
    for turns in (1, 1, 255, 97, 1023):  # the last of them: backwards, for any number of threads
        monkeypatch.setattr(RawModule, "order", turns)
        step_launch._compiled.cache_clear()
        epoch_launch._compiled.cache_clear()
        cupy_network._compiled.cache_clear()
        seen.add(b"".join(part.tobytes() for part in run()))
    return seen


def without_each_barrier(text: str) -> list[str]:
    """CUDA C++ without its first barrier, without its second, and so on."""
    barrier = "    __syncthreads();\n"
    pieces = text.split(barrier)
    return [
        barrier.join([*pieces[:k], pieces[k] + pieces[k + 1], *pieces[k + 2 :]])
        for k in range(len(pieces) - 1)
    ]
