"""The fused update of L-BFGS in CUDA, run on the CPU thread by thread against the generic one.

`cuda_emulation.py` says how, and what this cannot show.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cuda_emulation import emulated
from emulated_passes import NUMPY, results_of_turns, without_each_barrier

from xpfit.backends import Backend
from xpfit.backends.cupy_kernels import lbfgs_kernel, source, step_launch
from xpfit.core.linalg import Dense
from xpfit.core.solvers import lbfgs
from xpfit.core.solvers.lbfgs import MEMORY, Memory, Point

UPDATE, NUMBERS = (step_launch.KERNELS[name] for name in ("lbfgs_update", "step_numbers"))


class Walk:
    """Points whose gradients are those of a quadratic; every fourth step meets negative curvature.

    `step(k)` is what an update is given after k steps: everything but the memory.
    """

    def __init__(self, size: int, seed: int = 0, share: float = 1.0) -> None:
        rng = np.random.default_rng([size, seed])
        factor = np.eye(size) + 0.3 * rng.standard_normal((size, size)) / size**0.5
        self.inverse = share * np.linalg.inv(factor.T @ factor)
        self.inverse += 0.1 * share * np.diag(rng.uniform(size=size))
        self.thetas = rng.standard_normal((2 * MEMORY, size))
        gradients, hessian = [rng.standard_normal(size)], factor.T @ factor
        for k, step in enumerate(np.diff(self.thetas, axis=0)):
            sign = -1.0 if k % 4 == 2 else 1.0
            gradients.append(gradients[-1] + sign * (hessian @ step))
        self.gradients = np.asarray(gradients)

    def point(self, k: int) -> Point:
        return Point(self.thetas[k].copy(), self.gradients[k].copy())

    def step(self, k: int, all_slots: bool = False) -> tuple[int, int, Point, Point, Dense]:
        n_slots = MEMORY if all_slots else min(max(1, k), MEMORY)
        before = self.point(max(0, k - 1))
        return n_slots, max(0, k - 1) % MEMORY, before, self.point(k), Dense(self.inverse)

    def memories(self, last: int, all_slots: bool = False) -> Iterator[tuple[int, Memory]]:
        """The memory before each update, made by the generic one."""
        memory = lbfgs.empty_memory(NUMPY.xp, self.thetas[0])
        for k in range(last + 1):
            yield k, copied(memory)
            memory, *_ = generic(memory, self.step(k, all_slots))


def copied(memory: Memory) -> Memory:
    return Memory(*(np.array(part) for part in memory))


def generic(memory: Memory, given: Any) -> tuple[Memory, np.ndarray, np.ndarray]:
    n_slots, slot, *rest = given
    return lbfgs.generic_update(n_slots, memory, slot, *rest, backend=NUMPY)


def arguments(memory: Memory, given: Any, move: Any = emulated, dtype: Any = np.float64) -> Any:
    """What the fused update is given, all of it on the device."""
    n_slots, slot, before, here, solver = given
    tuples = (memory, before, here, solver)
    moved = [type(t)(*(move(np.asarray(part, dtype)) for part in t)) for t in tuples]
    return n_slots, moved[0], slot, *moved[1:]


def flat(result: tuple[Any, Any, Any]) -> list[np.ndarray]:
    """Steps, changes, products, scale, direction, theta there: each on the host."""
    kept, along, theta = result
    return [np.asarray(part) for part in (*kept, along, theta)]


def fused(*given: Any) -> list[np.ndarray]:
    assert UPDATE.accepts(*given)
    return flat(UPDATE.call(*given))


def check(actual: list[np.ndarray], expected: list[np.ndarray], tolerance: float) -> None:
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.shape == theirs.shape
        finite = np.abs(theirs)[np.isfinite(theirs)]
        scale = float(np.max(finite, initial=0.0))
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)


def check_update(walk: Walk, memory: Memory, given: Any, tolerance: float = 1e-12) -> None:
    expected = flat(generic(copied(memory), given))
    check(fused(*arguments(copied(memory), given)), expected, tolerance)


# Before there is a pair, with few, with all slots taken, and with forgotten ones: the slots and
# the ages then begin in different places.
@pytest.mark.parametrize("all_slots", [False, True])
@pytest.mark.parametrize("size", [1, 2, 31, 33, 300])
def test_updates_are_the_generic_ones(emulation: Backend, size: int, all_slots: bool) -> None:
    walk = Walk(size)
    for k, memory in walk.memories(MEMORY + 5, all_slots):
        if k in {0, 1, 2, 3, 4, MEMORY - 1, MEMORY, MEMORY + 1, MEMORY + 5}:
            check_update(walk, memory, walk.step(k, all_slots))


def test_the_largest_update(emulation: Backend) -> None:
    walk = Walk(1024)
    for k, memory in walk.memories(MEMORY + 3):
        if k in {0, 3, MEMORY + 3}:
            check_update(walk, memory, walk.step(k))


def test_nothing_to_remember_is_remembered_as_nothing(emulation: Backend) -> None:
    walk = Walk(33)
    for k, memory in walk.memories(3):
        n_slots, slot, _, here, solver = walk.step(k)
        check_update(walk, memory, (n_slots, slot, here, here, solver))
        # One point, and not two of the same numbers.
        n_slots, moved, slot, _, here, solver = arguments(memory, walk.step(k))
        kept, along, theta = UPDATE.call(n_slots, moved, slot, here, here, solver)
        assert not np.any(kept[0][slot])
        assert not np.any(kept[1][slot])
        assert kept[2][slot, slot] == 1.0
        assert np.all(np.isfinite(along))
        np.testing.assert_array_equal(theta, here.theta + along)


def test_only_the_memory_is_written_to(emulation: Backend) -> None:
    # Arrays lie amid NaN: what is read beside them shows, and so does what is written there.
    around = []

    def amid_nan(array: np.ndarray) -> Any:
        room = np.full(array.size + 128, np.nan, array.dtype)
        inside = room[64 : 64 + array.size].reshape(array.shape)
        inside[...] = array
        around.append(room)
        return emulated(inside)

    walk = Walk(31)
    for k, memory in walk.memories(MEMORY + 2):
        given = walk.step(k)
        around.clear()
        _, kept, _, *read = moved = arguments(memory, given, amid_nan)
        results = fused(*moved)
        for ours, theirs in zip(results, fused(*arguments(memory, given)), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        for room in around:
            assert np.all(np.isnan(room[:64]))
            assert np.all(np.isnan(room[-64:]))
        for part, result in zip(kept, results, strict=False):
            assert np.shares_memory(part, result)
        for after, original in zip(read, given[2:], strict=True):
            for ours, theirs in zip(after, original, strict=True):
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("share", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_the_estimate_is_rescaled_as_far_as_in_core(emulation: Backend, share: float) -> None:
    assert lbfgs_kernel.MOST_SCALED == lbfgs.MAX_SCALE
    walk = Walk(5, share=share)
    for k, memory in walk.memories(2):
        check_update(walk, memory, walk.step(k))
        scale = fused(*arguments(memory, walk.step(k)))[3]
        if k and share != 1.0:
            assert scale == (lbfgs.MAX_SCALE if share < 1.0 else 1.0 / lbfgs.MAX_SCALE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["theta", "gradient", "before", "before_gradient", "inverse"])
def test_what_is_not_finite_shows(emulation: Backend, where: str, bad: float) -> None:
    walk = Walk(33)
    for k, memory in walk.memories(MEMORY + 2):
        n_slots, slot, before, here, solver = walk.step(k)
        solver = Dense(solver.dense.copy())
        if where == "inverse":
            solver.dense[7, 20] = bad
        else:
            point = before if where.startswith("before") else here
            (point.gradient if where.endswith("gradient") else point.theta)[7] = bad
        if k in {0, 1, 3, MEMORY + 2}:
            given = n_slots, slot, before, here, solver
            with np.errstate(invalid="ignore", over="ignore"):
                expected = flat(generic(copied(memory), given))
                actual = fused(*arguments(copied(memory), given))
            for ours, theirs in zip(actual, expected, strict=True):
                np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))
            if where == "gradient":
                assert not np.any(np.isfinite(actual[4]))


@pytest.mark.parametrize("size", [2, 33, 300])
def test_in_float32(emulation: Backend, size: int) -> None:
    walk = Walk(size)
    for k, memory in walk.memories(MEMORY + 2):
        if k in {0, 1, 4, MEMORY + 2}:
            moved = arguments(memory, walk.step(k), dtype=np.float32)
            actual = fused(*moved)
            assert {part.dtype for part in actual} == {np.dtype(np.float32)}
            check(actual, flat(generic(copied(memory), walk.step(k))), 2e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [5, 12, 300])
def test_results_do_not_depend_on_who_runs_when(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, size: int, dtype: Any
) -> None:
    walk = Walk(size)
    for k, memory in walk.memories(MEMORY + 2):
        if k in {1, MEMORY + 2}:
            given = memory, walk.step(k), emulated, dtype
            run = lambda given=given: fused(*arguments(copied(given[0]), *given[1:]))  # noqa: E731
            assert len(results_of_turns(monkeypatch, run)) == 1


def test_every_barrier_is_needed(emulation: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = Walk(33)
    *_, (last, memory) = walk.memories(MEMORY + 2)
    run = lambda: fused(*arguments(copied(memory), walk.step(last)))  # noqa: E731
    right = results_of_turns(monkeypatch, run)
    for owner, name, count in ((lbfgs_kernel, "UPDATE", 6), (source, "SUM_OVER_WARPS", 1)):
        texts = without_each_barrier(getattr(owner, name))
        assert len(texts) == count
        for k, text in enumerate(texts):
            with monkeypatch.context() as changed:
                changed.setattr(owner, name, text)
                assert results_of_turns(changed, run) != right, (name, k)
