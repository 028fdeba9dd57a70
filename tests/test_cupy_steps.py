"""CuPy's kernels of one block: which arguments they take, the numbers of a step, whole fits.

The test at the end needs a GPU.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from cuda_emulation import Emulated, Kernel, Namespace, RawModule, emulated
from emulated_passes import NUMPY
from test_cupy_lbfgs import NUMBERS, UPDATE, Walk, arguments, flat, generic

from xpfit.backends import Backend
from xpfit.backends.cupy_kernels import geometry, step_launch
from xpfit.core.dispatch import has_kernel
from xpfit.core.fit import fit_linear_model
from xpfit.core.linalg import Dense, InverseFactor
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, SQUARED_HINGE
from xpfit.core.solvers import full_step, lbfgs, preconditioner
from xpfit.core.solvers.lbfgs import Memory


def test_updates_that_are_not_taken(emulation: Backend) -> None:
    takes = UPDATE.accepts
    walk = Walk(4)
    memory = lbfgs.empty_memory(NUMPY.xp, walk.thetas[0])
    n_slots, memory, slot, before, here, solver = given = arguments(memory, walk.step(3))
    assert takes(*given)
    assert takes(*arguments(memory, walk.step(3), dtype=np.float32))

    def with_solver(solver: Any) -> bool:
        return takes(n_slots, memory, slot, before, here, solver)

    inverse = solver.dense
    assert not with_solver(InverseFactor(inverse))
    assert not with_solver(Dense(emulated(np.asfortranarray(inverse))))
    assert not with_solver(Dense(inverse.astype(np.float32)))
    assert not with_solver(Dense(inverse[:3, :3]))
    assert not takes(n_slots, memory, n_slots, before, here, solver)
    assert not takes(lbfgs.MEMORY + 1, memory, slot, before, here, solver)
    apart = emulated(np.zeros(8))[::2]
    assert not takes(n_slots, memory, slot, before, here._replace(gradient=apart), solver)
    assert not takes(n_slots, memory, slot, before._replace(theta=apart), here, solver)
    turned = memory._replace(products=emulated(np.asfortranarray(memory.products + 1.0)))
    assert not takes(n_slots, turned, slot, before, here, solver)
    assert not takes(*arguments(memory, walk.step(3), dtype=np.complex128))
    assert not takes(*arguments(memory, walk.step(3), dtype=np.float16))


@pytest.mark.parametrize(("size", "capacity"), [(1024, 20), (1025, 20), (3, 32), (3, 33)])
def test_how_many_parameters_and_pairs(emulation: Backend, size: int, capacity: int) -> None:
    pairs = np.zeros((capacity, size))
    memory = Memory(pairs, pairs, np.eye(capacity), np.ones(()))
    point = lbfgs.Point(np.zeros(size), np.zeros(size))
    given = 1, 0, point, point, Dense(np.zeros((size, size)))
    assert UPDATE.accepts(*arguments(memory, given)) == (size <= 1024 and capacity <= 32)
    # Core makes the dense inverse for what the kernel takes, and for nothing else.
    assert preconditioner.MAX_DENSE == geometry.MOST_PARAMETERS


def test_numbers_that_are_not_taken(emulation: Backend) -> None:
    takes, vector, value = NUMBERS.accepts, emulated(np.zeros(4)), emulated(np.zeros(()))
    assert takes(vector, vector, value, vector)
    assert not takes(vector, vector, 0.0, vector)
    assert not takes(vector, vector, vector, vector)
    assert not takes(vector, emulated(np.zeros(8))[::2], value, vector)
    assert not takes(vector, vector, value.astype(np.float32), vector)
    for size in (0, 1, 1 << 14, (1 << 14) + 1):
        vector = emulated(np.zeros(size))
        assert takes(vector, vector, value, vector) == (0 < size <= 1 << 14)


def numbers(vectors: Any, value: float, move: Any, dtype: Any = np.float64) -> np.ndarray:
    start, along, gradient = (move(np.asarray(vector, dtype)) for vector in vectors)
    given = start, along, move(np.asarray(value, dtype)), gradient
    if move is np.asarray:
        return full_step.step_numbers(*given, backend=NUMPY)
    assert NUMBERS.accepts(*given)
    return np.asarray(NUMBERS.call(*given))


@pytest.mark.parametrize("size", [1, 31, 33, 300, 1024, 10_000])
def test_the_numbers_of_a_step(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    vectors = np.random.default_rng(size).standard_normal((3, size))
    expected = numbers(vectors, 0.7, np.asarray)
    seen = set()
    for turns in (1, 255, 1023):
        monkeypatch.setattr(RawModule, "order", turns)
        step_launch._compiled.cache_clear()
        actual = numbers(vectors, 0.7, emulated)
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12 * size**0.5)
        assert actual[3] == np.max(np.abs(vectors[2]))
        seen.add(actual.tobytes())
    assert len(seen) == 1
    short = numbers(vectors, 0.7, emulated, np.float32)
    assert short.dtype == np.float32
    np.testing.assert_allclose(short, expected, rtol=1e-4, atol=1e-4 * size**0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_numbers_that_are_not_finite(emulation: Backend, which: int, bad: float) -> None:
    for size, where in ((1, 0), (300, 0), (300, 77), (300, 299)):
        vectors = np.random.default_rng(0).standard_normal((3, size))
        vectors[which, where] = bad
        expected = numbers(vectors, np.nan, np.asarray)
        actual = numbers(vectors, np.nan, emulated)
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
        np.testing.assert_array_equal(np.isinf(actual), np.isinf(expected))


FITS = [(HALF_BINOMIAL, 30, 1), (HALF_MULTINOMIAL, 8, 3), (SQUARED_HINGE, 30, 1)]


def data_of(d: int, n_outputs: int, n: int = 569) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) * np.geomspace(0.1, 10.0, d)
    raw = X @ rng.standard_normal((d, max(2, n_outputs))) / d**0.5
    return X, np.argmax(raw + rng.gumbel(size=raw.shape), axis=1).astype(float)


def fitted(backend: Backend, move: Any, loss: Any, data: Any, **options: Any) -> Any:
    X, y = data
    return fit_linear_model(
        move(X), move(y), loss=loss, backend=backend, l2_reg_strength=1e-3, solver="lbfgs",
        tol=1e-10, **options,
    )  # fmt: skip


@pytest.mark.parametrize(("loss", "d", "n_outputs"), FITS, ids=lambda part: str(part)[:40])
def test_whole_fits(emulation: Backend, loss: Any, d: int, n_outputs: int) -> None:
    assert has_kernel(emulation, "lbfgs_update")
    data = data_of(d, n_outputs)
    expected = fitted(NUMPY, np.asarray, loss, data, n_outputs=n_outputs)
    Kernel.launched.clear()
    ours = fitted(emulation, emulated, loss, data, n_outputs=n_outputs)
    assert ours.result.converged
    raw, raw_expected = (data[0] @ fit.W + fit.b for fit in (ours, expected))
    np.testing.assert_allclose(raw, raw_expected, rtol=1e-8, atol=1e-8)
    count, n_iter = Counter(Kernel.launched), ours.result.n_iter
    assert n_iter >= 5
    assert count["lbfgs_update"] == count["step_numbers"] == n_iter
    # Without the update as one launch the answer is the same.
    Kernel.launched.clear()
    generic_fit = fitted(emulation, emulated, loss, data, n_outputs=n_outputs, fused=False)
    assert not Kernel.launched
    np.testing.assert_allclose(ours.W, generic_fit.W, atol=1e-8)


def test_no_kernel_is_launched_for_samples_either(emulation: Backend) -> None:
    Kernel.launched.clear()
    fitted(emulation, emulated, HALF_BINOMIAL, data_of(10, 1, n=4000), fused=False)
    assert not Kernel.launched


def test_launches_of_an_iteration(emulation: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is left to the library on a GPU: each function of arrays is a launch there.
    functions, ends = [], []
    by_name = Namespace.__getattr__

    def ufunc(self: Any, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        functions.append(function.__name__)
        plain = [np.asarray(x) if isinstance(x, Emulated) else x for x in inputs]
        return emulated(getattr(function, method)(*plain, **options))

    def named(self: Namespace, name: str) -> Any:
        if name in {"concat", "stack", "where", "take", "zeros", "arange", "solve"}:
            functions.append(name)
        return by_name(self, name)

    monkeypatch.setattr(Emulated, "__array_ufunc__", ufunc, raising=False)
    monkeypatch.setattr(Namespace, "__getattr__", named)
    Kernel.launched.clear()
    callbacks = [lambda *_: ends.append((len(Kernel.launched), len(functions)))]
    fitted(emulation, emulated, HALF_BINOMIAL, data_of(30, 1), callbacks=callbacks)
    # From the seventh to the eighth: no Hessian is estimated there.
    (launched, called), (launched_then, called_then) = ends[7:9]
    expected = ["lbfgs_update", "row_pass", "add_slots", "step_numbers"]
    assert Kernel.launched[launched:launched_then] == expected
    # The penalty, and sums that become a mean (core/objective.py).
    rest = {"multiply": 2, "matmul": 1, "divide": 2, "add": 2, "concat": 1}
    assert Counter(functions[called:called_then]) == rest


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [1, 31, 300, 1024])
def test_on_a_gpu_the_update_is_the_generic_one(
    cupy_backend: Backend, size: int, dtype: str
) -> None:
    walk, kernel = Walk(size), cupy_backend.kernels["lbfgs_update"]
    for k, memory in walk.memories(lbfgs.MEMORY + 2):
        if k in {0, 1, lbfgs.MEMORY + 2}:
            results = []
            for _ in range(2):
                given = arguments(memory, walk.step(k), cupy_backend.from_numpy, dtype)
                assert kernel.accepts(*given)
                kept, along, theta = kernel.call(*given)
                results.append([cupy_backend.to_numpy(part) for part in (*kept, along, theta)])
            expected, tolerance = flat(generic(memory, walk.step(k))), 1e-11
            if dtype == "float32":
                tolerance = 1e-3
            for ours, again, theirs in zip(*results, expected, strict=True):
                np.testing.assert_array_equal(ours, again)
                scale = float(np.max(np.abs(theirs), initial=0.0))
                np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)
