"""The fused CUDA passes, run on the CPU thread by thread against the generic ones on NumPy.

`cuda_emulation.py` says how, and what this cannot show.
"""

from __future__ import annotations

from pathlib import Path

import cuda_emulation
import numpy as np
import pytest
from cuda_emulation import Kernel, RawModule, emulated
from emulated_passes import NUMPY, Problem
from helpers import LOSS_NAMES, loss_called, run_python
from pass_cases import DTYPES, Case, check_all_passes

from xpfit.backends import Backend
from xpfit.backends.cupy_kernels import geometry, launch, row_kernel, source
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL

POINTWISE = [name for name in LOSS_NAMES if name != "half_multinomial"]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", POINTWISE)
def test_every_pointwise_loss(emulation: Backend, name: str, order: str) -> None:
    for rows, weighted in ((65, True), (1, False)):
        Problem(loss_called(name), (rows, 17), order, weighted).check(emulation)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("d", [1, 3, 64, 300, 1000])
def test_every_width(emulation: Backend, d: int, order: str) -> None:
    for rows, weighted in ((1, True), (2, False), (333, True)):
        Problem(HALF_BINOMIAL, (rows, d), order, weighted).check(emulation)


def test_the_widest_rows(emulation: Backend) -> None:
    Problem(HALF_BINOMIAL, (5, 4096), "C", True).check(emulation)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("d", "n_classes"), [(1, 2), (3, 3), (64, 10), (300, 2), (17, 70)])
def test_every_number_of_classes(emulation: Backend, d: int, n_classes: int, order: str) -> None:
    for rows, weighted in ((1, True), (65, False), (130, True)):
        Problem(HALF_MULTINOMIAL, (rows, d), order, weighted, n_classes).check(emulation)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["half_binomial", "half_multinomial"])
def test_every_dtype(emulation: Backend, name: str, dtype: str, order: str) -> None:
    size = (65, 16) if order == "C" else (64, 17)  # the contiguous side is one for vectors
    check_all_passes(Case(name, dtype, order, size, True), emulation)
    assert "row_pass" in Kernel.launched or "multinomial_pass" in Kernel.launched


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_short_floats_are_read_exactly(emulation: Backend, dtype: str) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    if dtype == "float16":
        with np.errstate(invalid="ignore"):
            expected = bits.view(np.float16).astype(np.float32)
    else:
        expected = (bits.astype(np.uint32) << 16).view(np.float32)
    cut = geometry.row_geometry(bits.size, 1, (2, 4), True, 256)
    assert cut is not None
    text = source.predict_raw_source(dtype, "float32", cut)
    kernel = RawModule(code=text, options=launch.OPTIONS).get_function("predict_raw")
    out = emulated(np.zeros(bits.size, np.float32))
    w, b = emulated(np.ones(1, np.float32)), emulated(np.zeros(1, np.float32))
    size = np.int64(bits.size), np.int32(1), np.int64(bits.size), np.int32(1)
    kernel((1,), (256,), (emulated(bits), w, b, *size, out), shared_mem=cut.shared_bytes(1, 4))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_classes", [1, 3])
def test_slots_of_several_tiles(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, n_classes: int, order: str
) -> None:
    monkeypatch.setattr(geometry, "MOST_SLOTS", 2)
    loss = HALF_MULTINOMIAL if n_classes > 1 else HALF_BINOMIAL
    for d in (3, 300):
        Problem(loss, (2500 if d == 3 else 301, d), order, True, n_classes).check(emulation)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_classes", [1, 3])
def test_results_do_not_depend_on_who_runs_when(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch, n_classes: int, order: str
) -> None:
    loss = HALF_MULTINOMIAL if n_classes > 1 else HALF_BINOMIAL
    for d in (3, 64, 300):
        problem = Problem(loss, (700, d), order, True, n_classes)
        seen = set()
        # Blocks of the grid, and the order in which the threads of a block take turns: a missing
        # barrier would show.
        for blocks, turns in ((None, 1), (None, 1), (1, 1), (3, 1), (None, 255), (None, 97)):
            monkeypatch.setattr(RawModule, "blocks", blocks)
            monkeypatch.setattr(RawModule, "order", turns)
            launch._compiled.cache_clear()
            results = problem.passes(emulation, None, emulated)
            seen.add(b"".join(result.tobytes() for result in results))
        assert len(seen) == 1


def test_a_missing_barrier_is_noticed(emulation: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the barrier between its warps, one adds to sums that another has not written yet.
    broken = row_kernel.FINISH.replace("        __syncthreads();\n", "", 1)
    assert broken != row_kernel.FINISH
    monkeypatch.setattr(row_kernel, "FINISH", broken)
    problem = Problem(HALF_BINOMIAL, (700, 3), "C", True)
    seen = set()
    for turns in (1, 255, 97):
        monkeypatch.setattr(RawModule, "order", turns)
        launch._compiled.cache_clear()
        seen.add(b"".join(r.tobytes() for r in problem.passes(emulation, None, emulated)))
    assert len(seen) > 1


def test_a_barrier_that_some_never_reach_is_noticed() -> None:
    if reason := cuda_emulation.why_not():
        pytest.skip(reason)
    text = """
typedef double Number;
constexpr int THREADS = 64;
extern "C" __global__ void __launch_bounds__(THREADS)
waits(int n) {
    if (int(threadIdx.x) < n) __syncthreads();
}
"""
    kernel = RawModule(code=text, options=launch.OPTIONS).get_function("waits")
    kernel((2,), (64,), (np.int32(64),))
    with pytest.raises(AssertionError, match="a barrier that others never reach"):
        kernel((2,), (64,), (np.int32(63),))
    with pytest.raises(AssertionError, match="int64"):
        kernel((2,), (64,), (np.int64(64),))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows_in_the_sums(emulation: Backend, bad: float, order: str) -> None:
    for loss, K in ((HALF_BINOMIAL, 1), (HALF_MULTINOMIAL, 3)):
        problem = Problem(loss, (65, 17), order, False, K)
        problem.X[40, 5] = bad
        with np.errstate(invalid="ignore"):
            actual = problem.passes(emulation, None, emulated)
            expected = problem.passes(NUMPY, False, np.asarray)
        for ours, theirs in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))


def test_views_that_no_vector_may_be_read_from(emulation: Backend) -> None:
    for order in ("C", "F"):
        problem = Problem(HALF_BINOMIAL, (64, 16), order, True)
        apart = np.empty(64 * 16 + 1)[1:]  # 8 bytes behind an address that 16 divides
        shifted = apart.reshape(64, 16, order=order)
        shifted[...] = problem.X
        problem.data = (shifted, *problem.data[1:])
        assert launch._alignment(emulated(shifted)) == 8
        problem.check(emulation)


# Each array ends where memory that may not be touched begins: one entry too many ends the process.
AT_THE_EDGE = """
import ctypes, mmap, sys
sys.path.insert(0, {tests!r})
import numpy as np
from cuda_emulation import emulated, emulated_backend
from emulated_passes import Problem
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL

PAGE, kept = mmap.PAGESIZE, []

def at_the_edge(array):
    array = np.asarray(array)
    pages = -(-array.nbytes // PAGE)
    memory = mmap.mmap(-1, (pages + 1) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + pages * PAGE), PAGE, 0) == 0
    kept.append(memory)
    start = pages * PAGE - array.nbytes
    order = "C" if array.flags.c_contiguous else "F"
    moved = np.ndarray(array.shape, array.dtype, memory, start, order=order)
    moved[...] = array
    return emulated(moved)

with emulated_backend() as backend:
    for order in {orders!r}:
        for shape in ((65, 16), (64, 17), (7, 300), (1, 1)):
            for loss, n_classes in ((HALF_BINOMIAL, 1), (HALF_MULTINOMIAL, 3)):
                problem = Problem(loss, shape, order, True, n_classes)
                problem.passes(backend, None, at_the_edge)
    print("done")
    sys.stdout.flush()
    if not {orders!r}:
        moved = at_the_edge(np.zeros(8))
        ctypes.memmove(ctypes.create_string_buffer(16), moved.ctypes.data + 56, 16)
        print("still there")
    sys.stdout.flush()
    import os
    os._exit(0)
"""


@pytest.mark.parametrize("beyond", [False, True])
def test_nothing_is_read_behind_an_array(beyond: bool) -> None:
    if reason := cuda_emulation.why_not():
        pytest.skip(reason)
    tests = str(Path(__file__).parent)
    code = AT_THE_EDGE.replace("{tests!r}", repr(tests))
    code = code.replace("{orders!r}", repr("" if beyond else "CF"))
    result = run_python(code)
    assert result.stdout.split() == ["done"], result.stderr
    assert (result.returncode != 0) == beyond
