"""The fused rung: one read of the data, on all threads, compiled by Numba.

Element-wise chains and reductions are made from a formula of one number; the passes are those of
`core`. Output arrays are made once: the memory cases show what fresh ones cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from ...backends import Backend, get_backend
from ...backends.numba_kernels.scalar import fetch_add, scalar_namespace
from ...backends.numba_kernels.threads import run_on_threads
from ...core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_SQUARED_ERROR, Loss
from ...core.passes import loss_gradient
from .case import Contestant

# Numbers that a thread takes at a time.
CHUNK = 1 << 16
_FAST = {"reassoc", "contract", "nsz"}
_COMPILE = {"nogil": True, "fastmath": _FAST, "error_model": "numpy"}

Formula = Callable[..., Any]


def fused_map(formula: Formula) -> Callable[..., Contestant]:
    """A fused rung for out[i] = formula(xp, x[i])."""
    compiled = njit(**_COMPILE)(formula)

    @njit(**_COMPILE)
    def part(x, out):  # type: ignore[no-untyped-def] # Numba infers the types
        xp = scalar_namespace()
        for i in range(x.shape[0]):
            out[i] = compiled(xp, x[i])

    @njit(nogil=True)
    def kernel(x, out, chunk, counter):  # type: ignore[no-untyped-def]
        at = fetch_add(counter, chunk)
        while at < x.shape[0]:
            part(x[at : at + chunk], out[at : at + chunk])
            at = fetch_add(counter, chunk)

    def prepare(x: Any) -> Contestant:
        out = np.empty(x.shape[0])

        def run() -> Any:
            counter = np.zeros(1, dtype=np.int64)
            run_on_threads(lambda: kernel(x, out, CHUNK, counter), -(-x.shape[0] // CHUNK))
            return out

        return run

    return prepare


def fused_sum(formula: Formula, n_arrays: int = 1) -> Callable[..., Contestant]:
    """A fused rung for the sum of formula(xp, x[i]) or formula(xp, x[i], y[i]).

    Chunks are added in order: the sum does not depend on the number of threads.
    """
    compiled = njit(**_COMPILE)(formula)

    @njit(**_COMPILE)
    def part_of_one(x, _y):  # type: ignore[no-untyped-def]
        xp = scalar_namespace()
        total = 0.0
        for i in range(x.shape[0]):
            total += compiled(xp, x[i])
        return total

    @njit(**_COMPILE)
    def part_of_two(x, y):  # type: ignore[no-untyped-def]
        xp = scalar_namespace()
        total = 0.0
        for i in range(x.shape[0]):
            total += compiled(xp, x[i], y[i])
        return total

    part = part_of_one if n_arrays == 1 else part_of_two

    @njit(nogil=True)
    def kernel(x, y, chunk, counter, sums):  # type: ignore[no-untyped-def]
        k = fetch_add(counter, 1)
        while k < sums.shape[0]:
            sums[k] = part(x[k * chunk : (k + 1) * chunk], y[k * chunk : (k + 1) * chunk])
            k = fetch_add(counter, 1)

    def prepare(x: Any, y: Any = None) -> Contestant:
        second = x if y is None else y
        sums = np.empty(-(-x.shape[0] // CHUNK))

        def run() -> Any:
            counter = np.zeros(1, dtype=np.int64)
            run_on_threads(lambda: kernel(x, second, CHUNK, counter, sums), sums.shape[0])
            return sums.sum()

        return run

    return prepare


def pass_on(loss: Loss) -> Callable[..., Contestant]:
    """The pass of `core` that a backend fuses, over arrays of that backend."""

    def prepare(backend: Backend, X: Any, y: Any, W: Any, b: Any) -> Contestant:
        matrix = W if W.ndim == 2 else backend.xp.reshape(W, (W.shape[0], 1))

        def run() -> Any:
            sums = loss_gradient(X, y, None, matrix, b, loss, backend=backend, fused=True)
            if W.ndim == 2:
                return sums.loss, sums.grad_W, sums.grad_b
            return sums.loss, sums.grad_W[:, 0], sums.grad_b[0]

        return run

    return prepare


def _on_numba(loss: Loss) -> Callable[..., Contestant]:
    return lambda *inputs: pass_on(loss)(get_backend("numba"), *inputs)


logistic_pass = _on_numba(HALF_BINOMIAL)
squared_error_pass = _on_numba(HALF_SQUARED_ERROR)
softmax_pass = _on_numba(HALF_MULTINOMIAL)


def gradient_descent_step(X: Any, y: Any, w: Any, b: Any) -> Contestant:
    """The fused pass, and the update."""
    run_pass = logistic_pass(X, y, w, b)

    def run() -> Any:
        _, grad_w, grad_b = run_pass()
        return w - 0.1 * grad_w / X.shape[0], b[0] - 0.1 * grad_b / X.shape[0]

    return run


affine = fused_map(lambda xp, x: x * 2.0 + 3.0)
sigmoid = fused_map(lambda xp, x: 1.0 / (1.0 + xp.exp(-x)))
where = fused_map(lambda xp, x: xp.where(x > 0.0, x, 0.1 * x))
sum_of_squares = fused_sum(lambda xp, x: x * x)
dot = fused_sum(lambda xp, x, y: x * y, n_arrays=2)
masked_sum = fused_sum(lambda xp, x: xp.where(x > 0.0, x, 0.0))
