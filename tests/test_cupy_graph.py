"""Static graphs on CuPy: chains of element-wise steps as CUDA kernels, in the emulation.

The test at the end needs a GPU.
"""

from __future__ import annotations

import itertools
import math
import re
from functools import partial
from typing import Any

import numpy as np
import pytest
import test_graph
from cuda_emulation import Emulated, Kernel, RawModule, emulated
from test_graph import CASES
from test_graph_compile import A, B, everything, flat

from xpfit.backends import Backend, cupy_graph
from xpfit.backends.cupy_graph import LoopLaunch, loop_plan
from xpfit.backends.cupy_kernels.graph_source import CUDA, place_of
from xpfit.backends.graph_expressions import PYTHON
from xpfit.core.graph import compile, grad, implicit, library, namespace, value_and_grad
from xpfit.core.graph.static.source import python_source

rng = np.random.default_rng(8)


@pytest.fixture
def xp(emulation: Backend, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The functions of the emulation over nodes."""
    # Its arrays are told for NumPy's where derivatives of pieces are put together.
    monkeypatch.setattr(library, "resolve_backend", lambda *_: emulation)
    return namespace(emulation.xp)


def launched(function: Any, *arrays: Any) -> tuple[Any, int]:
    """What a compiled function returns, and how many loops that launched."""
    Kernel.launched.clear()
    found = function(*arrays)
    assert set(Kernel.launched) <= {"graph_loop"}
    return found, len(Kernel.launched)


def test_the_numbers_are_those_of_the_dynamic_graph(
    emulation: Backend, xp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All in one program, in which steps of one shape share kernels: fewer are compiled.
    for name in ("A", "SQUARE"):  # what cases take from around them
        monkeypatch.setattr(test_graph, name, emulated(getattr(test_graph, name)))
    functions = {name: everything(case, xp, second=False) for name, case in CASES.items()}

    def of(a: Any, b: Any) -> Any:
        return {name: function(a, b) for name, function in functions.items()}

    fast = compile(of, backend=emulation)
    fast(emulated(A), emulated(B))
    found, count = launched(fast, emulated(A), emulated(B))
    program = fast.program(emulated(A), emulated(B))
    assert count == sum(isinstance(step, LoopLaunch) for step in loop_plan(program))
    assert 5 <= count < len(program.operations) // 15
    want = of(A, B)
    for name in CASES:
        for own, other in zip(flat(found[name]), flat(want[name]), strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-13, err_msg=name)


def test_both_languages_have_the_same_names() -> None:
    assert CUDA.sources.keys() == PYTHON.sources.keys()


UNARY = [name for name, text in CUDA.sources.items() if "{1}" not in text]
BINARY = [name for name, text in CUDA.sources.items() if "{1}" in text]
OF_BOOLS = ("logical", "bitwise")


def each_function(xp: Any, a: Any, b: Any) -> dict[str, Any]:
    """Every function of the table that takes numbers, of a and b."""
    found = {}
    for name in UNARY + BINARY:
        if name.startswith(OF_BOOLS) or name in {"broadcast_to", "astype"}:
            continue
        found[name] = getattr(xp, name)(a) if name in UNARY else getattr(xp, name)(a, b)
    both, one = (a > b) & (a < 2.0), xp.isnan(b) | (b <= 0)
    found |= {"and": both, "or": one, "not": ~both, "power": a**3 + b**0, "number": 2.0 / b}
    found |= {"where": xp.where(both, a, b), "chosen": xp.where(one, 1.5, a)}
    found["astype"] = xp.astype(a > b, np.float32) + a
    return found


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_function(emulation: Backend, dtype: str) -> None:
    odd = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 2.0, 40.0, np.inf, -np.inf, np.nan]
    a, b = (np.asarray(x, dtype) for x in zip(*itertools.product(odd, odd), strict=True))
    fast = compile(partial(each_function, namespace(emulation.xp)), backend=emulation)
    with np.errstate(all="ignore"):
        fast(emulated(a), emulated(b))
        found, count = launched(fast, emulated(a), emulated(b))
        want = each_function(namespace(np), a, b)
    assert count == 1
    rtol = 1e-14 if dtype == "float64" else 1e-6
    for name, value in want.items():
        assert found[name].dtype == value.dtype, name
        np.testing.assert_allclose(
            found[name], value, rtol=rtol, atol=rtol, equal_nan=True, err_msg=name
        )


def of_integers(xp: Any, n: Any, m: Any, flags: Any, x: Any, u: Any) -> list[Any]:
    """Functions of int64, int32, bool and float64; no kernel takes uint8, or m < 2**40."""
    return [
        xp.abs(n) * m - n, m * m + 1, n / m, n * x, m > n, n > 0.5, n == m, m < 2**40, flags < 2,
        flags & (m > 3), xp.where(flags, n, m), flags * x, xp.sqrt(m) + n, u < 5,
    ]  # fmt: skip


INTEGERS = (
    np.arange(-6, 6), np.arange(12, dtype=np.int32), np.arange(12) % 3 == 0, np.ones(12),
    np.arange(12, dtype=np.uint8),
)  # fmt: skip


def test_integers_and_bools(emulation: Backend, xp: Any) -> None:
    given = [emulated(array) for array in INTEGERS]
    fast = compile(partial(of_integers, xp), backend=emulation)
    with np.errstate(all="ignore"):
        found = fast(*given)
        want = of_integers(namespace(np), *INTEGERS)
    for own, value in zip(found, want, strict=True):
        assert own.dtype == value.dtype
        np.testing.assert_allclose(own, value, rtol=1e-14)
    program = fast.program(*given)
    left = [program.values[n].name for n in loop_plan(program) if isinstance(n, int)]
    assert left == ["less", "less"]


SHAPES = [(), (1,), (3,), (2, 3), (2, 1), (1, 3), (4, 2, 3), (4, 1, 3), (4, 1, 1), (1, 1, 1),
          (4, 2, 1), (1, 2, 1), (5, 1, 2, 1), (1, 4, 1, 3), (5, 4, 2, 3)]  # fmt: skip


@pytest.mark.parametrize("own", SHAPES, ids=str)
def test_where_an_operand_has_its_entries(own: tuple[int, ...]) -> None:
    held = np.arange(math.prod(own)).reshape(own)
    for other in SHAPES:
        try:
            shape = np.broadcast_shapes(own, other)
        except ValueError:
            continue
        text = place_of(own, shape).replace("LL", "").replace("/", "//")
        found = [eval(text, {"i": i}) for i in range(math.prod(shape))]
        np.testing.assert_array_equal(found, np.broadcast_to(held, shape).ravel())


def test_shapes_that_broadcast(emulation: Backend, xp: Any) -> None:
    arrays = [rng.uniform(0.5, 1.5, size=shape) for shape in ((4, 1, 3), (2, 1), (3,), ())]

    def f(a: Any, b: Any, c: Any, d: Any) -> Any:
        return xp.sum((a * b - xp.log(c)) ** 2 / d + xp.exp(-d) * b)

    fast = compile(value_and_grad(f, (0, 1, 2, 3)), backend=emulation)
    value, slopes = fast(*map(emulated, arrays))
    want, want_slopes = value_and_grad(f, (0, 1, 2, 3))(*arrays)
    np.testing.assert_allclose(value, want, rtol=1e-14)
    for own, other in zip(slopes, want_slopes, strict=True):
        assert own.shape == other.shape
        np.testing.assert_allclose(own, other, rtol=1e-13)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (1, 1), (600,), (3, 200)])
def test_sizes(
    emulation: Backend, xp: Any, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    # Two blocks for 600 entries, so that threads take several.
    monkeypatch.setattr(RawModule, "blocks", 2)
    x = rng.normal(size=shape)
    fast = compile(lambda z: xp.sin(z) * z + 1.0, backend=emulation)
    for _ in range(2):
        found, count = launched(fast, emulated(x))
        assert count == (x.size > 0)
        assert isinstance(found, Emulated)
        assert (found.shape, found.dtype) == (shape, np.float64)
        np.testing.assert_allclose(found, np.sin(x) * x + 1.0, rtol=1e-14)


def test_other_orders_in_memory(emulation: Backend, xp: Any) -> None:
    x = rng.normal(size=(6, 8))
    fast = compile(lambda z: xp.exp(z) * 2.0 - z.T @ z[:, :6], backend=emulation)
    for given in (x[:, :6], x.T[:6, :6], x[::-1, 1:7], np.asfortranarray(x[:, 2:])):
        expected = np.exp(given) * 2.0 - given.T @ given[:, :6]
        np.testing.assert_allclose(fast(emulated(given)), expected, rtol=1e-13)


def test_a_chain_is_one_launch(emulation: Backend, xp: Any) -> None:
    def chain(x: Any) -> Any:
        for _ in range(50):
            x = xp.sin(x) * x + 1.0
        return xp.sum(x)

    x = rng.normal(size=10)
    slope, count = launched(compile(grad(chain), backend=emulation), emulated(x))
    assert count == 1
    np.testing.assert_allclose(slope, grad(chain)(x), rtol=1e-10)


def logistic(xp: Any, w: Any, X: Any, y: Any) -> Any:
    raw = X @ w
    return xp.mean(xp.log1p(xp.exp(-xp.abs(raw))) + xp.maximum(raw, 0.0) - y * raw)


def test_products_and_sums_stay_those_of_the_library(emulation: Backend, xp: Any) -> None:
    X, w = rng.normal(size=(300, 4)), rng.normal(size=4)
    y = (rng.random(300) > 0.5).astype(float)
    of = value_and_grad(partial(logistic, xp))
    fast = compile(of, backend=emulation)
    (value, slope), count = launched(fast, *map(emulated, (w, X, y)))
    # All that has an entry a row, and the division of the mean.
    assert count == 1
    want, want_slope = of(w, X, y)
    np.testing.assert_allclose(value, want, rtol=1e-13)
    np.testing.assert_allclose(slope, want_slope, rtol=1e-12)
    # The oracle: a line for each operation.
    plain = compile(of, backend=emulation, fused=False)
    (value, slope), count = launched(plain, *map(emulated, (w, X, y)))
    assert count == 0
    np.testing.assert_allclose(slope, want_slope, rtol=1e-12)


def test_functions_of_ones_own_are_called(emulation: Backend, xp: Any) -> None:
    def square(x: Any) -> Any:
        return np.sqrt(x)  # by another name: it is not looked at

    root = implicit(lambda x, y: y * y - x, square)
    x = emulated(rng.uniform(1.0, 2.0, size=5))
    fast = compile(lambda z: root(xp.exp(z) * 2.0) * 3.0 + xp.exp(z), backend=emulation)
    found, count = launched(fast, x)
    assert count == 2  # before and after the root
    np.testing.assert_allclose(found, 3.0 * np.sqrt(2.0 * np.exp(x)) + np.exp(x), rtol=1e-13)


def test_numbers_from_around_are_built_in(emulation: Backend, xp: Any) -> None:
    scale, shift = np.float64(1.5), np.float32(0.25)
    x = rng.normal(size=5).astype(np.float32)
    for backend in (emulation, "numba"):
        given = x if backend == "numba" else emulated(x)
        found = compile(lambda z: xp.exp(z * shift) + scale, backend=backend)(given)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, np.exp(x * shift) + scale, rtol=1e-6)


def test_values_are_let_go_after_their_last_use(emulation: Backend, xp: Any) -> None:
    given = [emulated(x) for x in (np.ones(4), np.ones((30, 4)), np.ones(30))]
    fast = compile(value_and_grad(partial(logistic, xp)), backend=emulation)
    program = fast.program(*given)
    source, bound = python_source(program, loop_plan(program))
    assert sum(isinstance(thing, LoopLaunch) for thing in bound.values()) == 1
    named = set(re.findall(r"v\d+", source))
    dropped = re.findall(r"v\d+", "".join(re.findall("del .*", source)))
    assert len(dropped) == len(set(dropped))
    assert named - set(dropped) == {f"v{result.number}" for result in program.results}


def test_when_nothing_is_fused(
    emulation: Backend, xp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = emulated(rng.normal(size=5))
    alone = compile(lambda z: xp.sum(xp.exp(z)), backend=emulation)
    np.testing.assert_allclose(launched(alone, x), (np.sum(np.exp(x)), 0), rtol=1e-14)
    # More arrays than a kernel can take.
    monkeypatch.setattr(cupy_graph, "MOST_ARRAYS", 2)
    two = compile(lambda z: (xp.exp(z) * 2.0, xp.exp(z)), backend=emulation)
    found, count = launched(two, x)
    assert count == 0
    np.testing.assert_allclose(found[0], 2.0 * found[1])
    assert launched(compile(lambda z: xp.exp(z) * 2.0, backend=emulation), x)[1] == 1


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_on_a_gpu_the_numbers_are_those_of_the_lines(cupy_backend: Backend, dtype: str) -> None:
    space = namespace(cupy_backend.xp)

    def f(w: Any, X: Any, y: Any) -> Any:
        raw = X @ w
        loss = space.log1p(space.exp(-space.abs(raw))) + space.maximum(raw, 0.0) - y * raw
        return space.mean(loss) + space.sum(space.tanh(w) ** 2 / (1.0 + space.square(w)))

    given = [rng.normal(size=shape).astype(dtype) for shape in (64, (5_000, 64), 5_000)]
    arrays = [cupy_backend.from_numpy(array) for array in given]
    fused, lines = (compile(value_and_grad(f), fused=choice) for choice in (None, False))
    kernel = cupy_backend.kernels["graph_program"]
    assert kernel.accepts(fused.program(*arrays), None)
    tolerance = 1e-11 if dtype == "float64" else 1e-4
    for own, other in zip(fused(*arrays), lines(*arrays), strict=True):
        assert isinstance(own, cupy_backend.array_type)
        assert own.dtype == dtype
        np.testing.assert_allclose(
            cupy_backend.to_numpy(own), cupy_backend.to_numpy(other), rtol=tolerance, atol=tolerance
        )
