"""Random problems for the passes, and their comparison with the loops of `helpers`."""

from __future__ import annotations

import functools

import numpy as np
from helpers import LOSS_NAMES, assert_matches, loop_pass, loss_called, table_of, targets_for

from xpfit.backends import Backend
from xpfit.core.passes import (
    PassSums,
    curvature_product,
    loss_gradient,
    predict_raw,
    weighted_gram,
)

DTYPES = ("float64", "float32", "float16", "int8", "uint8", "int32", "bool")


class Case:
    """A random problem on the host, and its oracle."""

    def __init__(self, name: str, dtype: str, order: str, size: tuple[int, int], weighted: bool):
        rng = np.random.default_rng([*size, LOSS_NAMES.index(name), DTYPES.index(dtype)])
        n_outputs = 3 if name == "half_multinomial" else 1
        self.name, self.loss = name, loss_called(name)
        self.X = table_of(dtype, order, size, rng)
        self.y = targets_for(name, size[0], rng)
        self.weight = rng.uniform(0.1, 3.0, size[0]) if weighted else None
        self.W, self.D = rng.standard_normal((2, size[1], n_outputs)) * 0.3 / size[1] ** 0.5
        self.b, self.c = rng.standard_normal((2, n_outputs)) * 0.3

    def oracle(self):
        return loop_pass(self.name, self.X, self.y, self.weight, self.W, self.b, self.D, self.c)

    def on(self, backend: Backend):
        """(X, y, weight, W, b, loss) and (D, c) as arrays of the backend, in its precision."""
        X = backend.from_numpy(self.X)
        dtype = host_dtype(backend, X)
        # Rounded before the oracle sees them, so that both start from the same numbers.
        for name in ("y", "weight", "W", "b", "D", "c"):
            if getattr(self, name) is not None:
                setattr(self, name, getattr(self, name).astype(dtype))
        y, W, b, D, c = map(backend.from_numpy, (self.y, self.W, self.b, self.D, self.c))
        weight = None if self.weight is None else backend.from_numpy(self.weight)
        return (X, y, weight, W, b, self.loss), (D, c)


def host_dtype(backend: Backend, X) -> np.dtype:
    """The compute dtype of X as NumPy's."""
    compute = backend.compute_dtype(X.dtype)
    return backend.to_numpy(backend.xp.zeros(1, dtype=compute)).dtype


def check(actual, expected, dtype, backend: Backend) -> None:
    """Sums of n terms agree to a few units of the largest."""
    expected = np.asarray(expected).astype(dtype)
    epsilon = float(np.finfo(dtype).eps)
    scale = float(np.max(np.abs(expected), initial=1.0))
    assert_matches(actual, expected, backend=backend, rtol=64 * epsilon, atol=64 * epsilon * scale)


def check_all_passes(case: Case, backend: Backend, fused: bool | None = None) -> None:
    data, direction = case.on(backend)
    dtype, oracle = case.W.dtype, case.oracle()
    same = functools.partial(check, dtype=dtype, backend=backend)
    sums = loss_gradient(*data, backend=backend, fused=fused)
    assert isinstance(sums, PassSums)
    same(sums.loss, oracle.loss)
    same(sums.grad_W, oracle.grad_W)
    same(sums.grad_b, oracle.grad_b)
    product_W, product_b = curvature_product(*data, *direction, backend=backend, fused=fused)
    same(product_W, oracle.product_W)
    same(product_b, oracle.product_b)
    if case.name != "half_multinomial":
        sums, gram = weighted_gram(*data, backend=backend, fused=fused)
        assert isinstance(sums, PassSums)
        same(sums.loss, oracle.loss)
        same(sums.grad_W, oracle.grad_W)
        same(sums.grad_b, oracle.grad_b)
        same(gram, oracle.gram)
    raw = predict_raw(data[0], data[3], data[4], backend=backend, fused=fused)
    same(raw, case.X.astype(np.float64) @ case.W.astype(np.float64) + case.b)
