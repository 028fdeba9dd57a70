"""NVRTC compiles every fused CUDA kernel for sm_90. No GPU is needed, and none runs them here.

Formulas depend on the dtype of the sums alone, so every loss is compiled for both of these, and
every dtype of X with one loss.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import nvrtc
import pytest
from helpers import LOSS_NAMES, loss_called
from optimizer_cases import CASES
from test_cupy_formulas import bounded, extremes, log_cosh
from test_cupy_graph import INTEGERS, each_function, of_integers
from test_graph import CASES as CASES_OF_GRAPHS
from test_graph_compile import A, B, everything

from xpfit.backends.cupy_graph import LoopLaunch, loop_plan
from xpfit.backends.cupy_kernels import geometry, source
from xpfit.backends.cupy_kernels.epoch_geometry import epoch_cut
from xpfit.backends.cupy_kernels.epoch_source import epoch_source, rule_of
from xpfit.backends.cupy_kernels.network_geometry import NetworkCut
from xpfit.backends.cupy_kernels.network_source import network_source
from xpfit.backends.cupy_kernels.prelude import STORED, itemsize_of
from xpfit.core.graph import compile as compile_graph
from xpfit.core.graph import namespace
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, PointwiseLoss
from xpfit.core.optimizers import Adam

pytestmark = pytest.mark.skipif(nvrtc.why_not() is not None, reason=str(nvrtc.why_not()))

LOSSES = [loss_called(name) for name in LOSS_NAMES if name != "half_multinomial"]
LOSSES.append(PointwiseLoss("own", log_cosh, extremes, bounded))
ELF = b"\x7fELF"
# Registers of a multiprocessor over the threads of a block: more would not launch.
MOST_REGISTERS = 65_536 // geometry.THREADS
# Bytes that a thread may keep in memory for want of registers: a few numbers do not matter.
MOST_SPILLED = 64
ROWS = 1 << 20


def summed_in(stored: str) -> str:
    return "float32" if stored in {"float32", "float16", "bfloat16"} else "float64"


def compile_passes(loss: Any, stored: str, d: int, c_order: bool) -> None:
    """Compile the three passes of a pointwise loss; check what ptxas says of them."""
    computed = summed_in(stored)
    sizes = itemsize_of(stored), itemsize_of(computed)
    cut = geometry.row_geometry(ROWS, d, sizes, c_order, 256)
    assert cut is not None
    names = stored, computed, cut
    formulas = source.formulas_of(loss)
    for text in (
        source.loss_gradient_source(formulas, *names),
        source.curvature_product_source(formulas, *names),
        source.predict_raw_source(*names),
    ):
        check(nvrtc.compiled(text))


def check(compiled: nvrtc.Compiled) -> None:
    assert compiled.cubin.startswith(ELF)
    assert compiled.registers <= MOST_REGISTERS
    assert compiled.spilled <= MOST_SPILLED


@pytest.mark.parametrize("stored", ["float64", "float32"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_every_loss_compiles(loss: Any, stored: str) -> None:
    for c_order in (True, False):
        compile_passes(loss, stored, 64, c_order)


@pytest.mark.parametrize("stored", STORED)
def test_every_dtype_compiles(stored: str) -> None:
    for c_order in (True, False):
        compile_passes(HALF_BINOMIAL, stored, 64 if c_order else 300, c_order)


@pytest.mark.parametrize("stored", ["float64", "float32", "uint8"])
def test_every_width_compiles(stored: str) -> None:
    for d in (3, 64, 1000):
        for c_order in (True, False):
            compile_passes(HALF_BINOMIAL, stored, d, c_order)
    compile_passes(HALF_BINOMIAL, stored, 4096, True)


@pytest.mark.parametrize("stored", STORED)
def test_softmax_compiles(stored: str) -> None:
    computed = summed_in(stored)
    sizes = itemsize_of(stored), itemsize_of(computed)
    for d, n_classes, c_order in ((3, 3, True), (784, 10, True), (784, 10, False)):
        tile = geometry.tile_geometry(ROWS, d, n_classes, sizes, c_order, 256)
        assert tile is not None
        check(nvrtc.compiled(source.multinomial_source(stored, computed, tile)))


@pytest.mark.parametrize("threads", [256, 512, 1024])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernels_of_one_block_compile(dtype: str, threads: int) -> None:
    assert {geometry.threads_of(n) for n in range(1, 1025)} == {256, 512, 1024}
    for make in (source.lbfgs_update_source, source.step_numbers_source):
        compiled = nvrtc.compiled(make(dtype, threads))
        check(compiled)
        assert compiled.registers <= 65_536 // threads
    # The inverse, read once, is all that is large: by loads that may run ahead of writes.
    wide = {"float64": "f64", "float32": "f32"}[dtype]
    assert f"ld.global.nc.{wide}" in nvrtc.ptx(source.lbfgs_update_source(dtype, threads))


def compile_epoch(
    loss: Any, optimizer: Any, stored: str, width: int, batch_size: int, c_order: bool = True
) -> None:
    computed, K = summed_in(stored), 10 if loss.is_multiclass else 1
    n_arrays = 2 + optimizer.n_slots
    cut = epoch_cut(width, K, batch_size, n_arrays, itemsize_of(computed), c_order)
    assert cut is not None
    rule = rule_of(optimizer.rule, optimizer.n_slots, len(optimizer.scalars(1, 0.1)))
    formulas = None if loss.is_multiclass else source.formulas_of(loss)
    compiled = nvrtc.compiled(epoch_source(formulas, rule, stored, computed, cut))
    check(compiled)
    assert compiled.registers <= 65_536 // cut.threads


# Columns and batches for one block of several sizes, and for steps in two launches.
EPOCHS = [(3, 1), (65, 32), (785, 8), (65, 100_000)]


@pytest.mark.parametrize(("width", "batch_size"), EPOCHS)
@pytest.mark.parametrize("stored", ["float64", "float32", "float16", "uint8"])
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_epochs_compile(loss: Any, stored: str, width: int, batch_size: int) -> None:
    compile_epoch(loss, Adam(amsgrad=True), stored, width, batch_size, c_order=width != 65)


@pytest.mark.parametrize("batch_size", [32, 100_000])
@pytest.mark.parametrize("name", CASES)
def test_every_optimizer_compiles(name: str, batch_size: int) -> None:
    compile_epoch(HALF_BINOMIAL, CASES[name].optimizer, "float64", 65, batch_size)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_epochs_of_every_loss_compile(loss: Any) -> None:
    for stored in ("float64", "float32"):
        compile_epoch(loss, Adam(), stored, 65, 32)


@pytest.mark.parametrize(
    ("stored", "computed", "threads", "near"),
    [
        ("float64", "float64", 512, False), ("float64", "float64", 256, True),
        ("float32", "float32", 512, False), ("bfloat16", "float32", 256, True),
        ("uint8", "float32", 512, True),
    ],
)  # fmt: skip
def test_epochs_of_networks_compile(stored: str, computed: str, threads: int, near: bool) -> None:
    optimizer = Adam(amsgrad=True)
    rule = rule_of(optimizer.rule, optimizer.n_slots, len(optimizer.scalars(1, 0.1)))
    cut = NetworkCut(near, threads, near, near, near)
    compiled = nvrtc.compiled(network_source(rule, stored, computed, cut))
    check(compiled)
    assert compiled.registers <= 65_536 // threads


def compile_loops(function: Any, *arrays: np.ndarray) -> None:
    program = compile_graph(partial(function, namespace(np))).program(*arrays)
    loops = [step for step in loop_plan(program) if isinstance(step, LoopLaunch)]
    assert loops
    for loop in loops:
        check(nvrtc.compiled(loop.text))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of what is traced
def test_graphs_compile() -> None:
    for dtype in ("float64", "float32"):
        compile_loops(each_function, *np.ones((2, 5), dtype))
    compile_loops(of_integers, *INTEGERS)

    def gradients(xp: Any, a: Any, b: Any) -> Any:
        return [everything(case, xp, second=False)(a, b) for case in CASES_OF_GRAPHS.values()]

    compile_loops(gradients, A, B)


@pytest.mark.parametrize("stored", ["float64", "float32", "float16", "uint8"])
def test_rows_are_read_16_bytes_at_a_time(stored: str) -> None:
    computed = summed_in(stored)
    sizes = itemsize_of(stored), itemsize_of(computed)
    cut = geometry.row_geometry(ROWS, 64, sizes, True, 256)
    assert cut is not None
    assert cut.vector * sizes[0] == 16
    text = source.loss_gradient_source(source.formulas_of(HALF_BINOMIAL), stored, computed, cut)
    wide = {"float64": "v2.f64", "float32": "v4.f32"}.get(stored, "v4.u32")
    assert f"ld.global.nc.{wide}" in nvrtc.ptx(text)


def test_a_mistake_in_the_text_is_noticed() -> None:
    with pytest.raises(AssertionError, match='identifier "nothing" is undefined'):
        nvrtc.compiled('extern "C" __global__ void f(int* x) { x[0] = nothing; }')


def test_the_compiler_writes_into_memory_of_its_own() -> None:
    # An empty log is one zero, and Python shares its bytes of length one.
    nvrtc.ptx('extern "C" __global__ void f(int* x) { x[0] = 1; }')
    spaces = b"a b"
    assert spaces[1:2][0] == ord(" ")
