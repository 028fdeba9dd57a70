"""Static graphs: the numbers of the dynamic ones; what is shared and fused."""

from __future__ import annotations

import math
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from test_graph import CASES, _number

from xpfit.backends import Backend, get_backend, use_backend
from xpfit.backends.graph_steps import NotWritableError
from xpfit.backends.numba_graph import numba_source
from xpfit.core.graph import (
    checkpoint,
    compile,
    grad,
    hessian,
    hvp,
    implicit,
    jacobian,
    namespace,
    value_and_grad,
)
from xpfit.core.graph.static.source import python_function

xp = namespace(np)
rng = np.random.default_rng(3)
A, B = rng.uniform(0.2, 0.9, size=(2, 3)), rng.uniform(0.3, 0.8, size=(2, 3))
# Those for which Numba has no safe code, and which run line by line.
LEFT_TO_NUMPY = {"fancy", "cumulative sum", "solve"}
NOT_STRICT = {
    "where", "fancy", "log-sum-exp", "solve", "row broadcast", "broadcast", "matrix vector",
    "vectors", "outer",
}  # fmt: skip
# One of each kind of code: compiling all of them takes a minute.
REPRESENTATIVE = [
    CASES[name]
    for name in (
        "numbers", "log1p", "logaddexp", "maximum", "sum kept", "max", "where", "permute",
        "slice", "concat", "matmul", "vector matrix", "flip",
    )
]  # fmt: skip


def everything(case: Any, space: Any, second: bool = True) -> Any:
    """A function that returns value, gradients, and a product with the Hessian."""

    def number(a: Any, b: Any) -> Any:
        value = case(space, a, b)
        weight = np.cos(np.arange(math.prod(value.shape))).reshape(value.shape)
        return space.sum(value * space.asarray(weight))

    def of(a: Any, b: Any) -> Any:
        along = hvp(lambda z: number(z, b), a, b) if second else a
        return {"both": value_and_grad(number, (0, 1))(a, b), "along": along}

    return of


def flat(tree: Any) -> list[Any]:
    value, (first, second) = tree["both"]
    return [np.asarray(x) for x in (value, first, second, tree["along"])]


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_are_those_of_the_dynamic_graph(backend: Backend, name: str) -> None:
    if backend.compiles:
        pytest.skip("a second each: JAX compiles them together, see below")
    strict = "strict" in backend.name
    if strict and name in NOT_STRICT:
        pytest.skip("the case itself mixes arrays, or leaves axes out of an index")
    of = everything(CASES[name], namespace(backend.xp), second=not strict)
    a, b = backend.from_numpy(A), backend.from_numpy(B)
    fused = False if backend.name == "numba" else None  # see below
    found = flat(compile(of, backend=backend, fused=fused)(a, b))
    for own, want in zip(found, flat(of(a, b)), strict=True):
        np.testing.assert_allclose(own, want, rtol=1e-12, atol=1e-13)


class Interpreted:
    """What stands in a Numba source, for Python."""

    exp, log, log1p = math.exp, math.log, math.log1p

    @staticmethod
    def sign(x: float) -> float:
        return float(np.sign(x))

    @staticmethod
    def logaddexp(a: float, b: float) -> float:
        return float(np.logaddexp(a, b))


def interpreted(source: str, *arrays: Any) -> Any:
    """The results of a Numba source, run by Python."""
    body = source[source.index("def run(") :]
    scope = {
        "np": np, "math": math, "scalar_namespace": Interpreted,
        "sincos": lambda x: (math.sin(x), math.cos(x)),
        "matrix_vector": np.matmul, "product": np.matmul,
        "larger": np.maximum, "smaller": np.minimum,
        "block_sum": lambda block, n: float(np.sum(block[:n])),
        "block_max": lambda block, n: np.max(block[:n]),
        "block_min": lambda block, n: np.min(block[:n]),
    }  # fmt: skip
    exec(body, scope)
    return scope["run"](*arrays)


@pytest.mark.parametrize("name", CASES)
def test_the_source_for_numba(name: str) -> None:
    of = everything(CASES[name], xp)
    program = compile(of).program(A, B)
    if name in LEFT_TO_NUMPY:
        with pytest.raises(NotWritableError):
            numba_source(program)
        return
    found = interpreted(numba_source(program), A, B, *program.constants)
    for own, want in zip(found, flat(of(A, B)), strict=True):
        np.testing.assert_allclose(own, want, rtol=1e-12, atol=1e-13)


def test_jax_compiles_them_together(jax_backend: Backend) -> None:
    space = namespace(jax_backend.xp)

    def total(a: Any, b: Any) -> Any:
        return sum(_number(case, space, a, b) for case in REPRESENTATIVE)

    a, b = jax_backend.from_numpy(A), jax_backend.from_numpy(B)
    value, found = compile(value_and_grad(total, (0, 1)))(a, b)
    want_value, want = value_and_grad(total, (0, 1))(a, b)
    assert isinstance(value, jax_backend.array_type)
    np.testing.assert_allclose(value, want_value, rtol=1e-12)
    for own, other in zip(found, want, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-11)


def test_numba_compiles_them_together() -> None:
    def total(a: Any, b: Any) -> Any:
        return sum(_number(case, xp, a, b) for case in REPRESENTATIVE)

    fast = compile(value_and_grad(total, (0, 1)), backend="numba")
    program = fast.program(A, B)
    assert get_backend("numba").kernels["graph_program"].accepts(program, python_function)
    value, (first, second) = fast(A, B)
    want_value, (want_first, want_second) = value_and_grad(total, (0, 1))(A, B)
    assert type(value) is np.float64
    np.testing.assert_allclose(value, want_value, rtol=1e-12)
    np.testing.assert_allclose(first, want_first, rtol=1e-11)
    np.testing.assert_allclose(second, want_second, rtol=1e-11)
    # Columns in another order in memory, and an array that may not be written to.
    turned = np.asfortranarray(A)
    turned.setflags(write=False)
    np.testing.assert_allclose(fast(turned, B[::1])[1][0], want_first, rtol=1e-11)


def test_numba_does_what_is_left_to_numpy() -> None:
    of = everything(CASES["fancy"], xp)
    for own, want in zip(flat(compile(of, backend="numba")(A, B)), flat(of(A, B)), strict=True):
        np.testing.assert_allclose(own, want, rtol=1e-12)


def test_what_is_common_is_computed_once_and_what_is_unneeded_not_at_all() -> None:
    def f(x: Any) -> Any:
        unneeded = xp.sum(xp.cos(x))
        assert unneeded is not None
        return xp.sum(xp.exp(x) * 1.0 + xp.exp(x) + x**2 - x**2.0)

    program = compile(f).program(A)
    names = [operation.name for operation in program.operations]
    assert names.count("exp") == 1
    assert names.count("pow") == 2  # x**2 and x**2.0 are not computed alike
    assert "cos" not in names
    assert "multiply" not in names
    assert (program.n_shared, program.n_dropped) == (2, 2)
    assert "exp(v0)" in str(program)
    # The exponential of a gradient is that of the value.
    both = compile(value_and_grad(lambda x: xp.sum(xp.exp(x)))).program(A)
    assert [operation.name for operation in both.operations].count("exp") == 1


def test_chains_and_their_sums_are_one_loop() -> None:
    def f(w: Any, X: Any) -> Any:
        raw = X @ w
        return xp.mean(xp.log1p(xp.exp(-xp.abs(raw))) + xp.maximum(raw, 0.0))

    X, w = rng.normal(size=(700, 4)), rng.normal(size=4)
    program = compile(value_and_grad(f)).program(w, X)
    source = numba_source(program)
    assert len(re.findall(r"for i0 in range\(700\)|i0 = k \+ j", source)) == 1
    value, slope = compile(value_and_grad(f), backend="numba")(w, X)
    want, want_slope = value_and_grad(f)(w, X)
    np.testing.assert_allclose(value, want, rtol=1e-13)
    np.testing.assert_allclose(slope, want_slope, rtol=1e-12)


def test_long_sums_keep_their_digits_and_nan_is_seen() -> None:
    x = rng.uniform(size=300_000)
    x[7] = 1e6
    of = compile(lambda z: (xp.sum(z * 0.1), xp.max(z * 1.5), xp.mean(z + 1.0)), backend="numba")
    total, largest, mean = of(x)
    assert total == pytest.approx(math.fsum(x * 0.1), rel=2e-15)
    assert largest == 1.5e6
    assert mean == pytest.approx(math.fsum(x + 1.0) / x.size, rel=2e-15)
    x[11] = np.nan
    assert all(np.isnan(found) for found in of(x))


def test_float32_stays_float32() -> None:
    x = np.linspace(0.1, 2.0, 900, dtype=np.float32)

    def f(z: Any) -> Any:
        return xp.sum(2.5 * xp.log(z) * z + xp.sin(z) ** 2)

    for backend in ("numpy", "numba"):
        value, slope = compile(value_and_grad(f), backend=backend)(x)
        assert (value.dtype, slope.dtype) == (np.float32, np.float32)
        want, want_slope = value_and_grad(f)(x.astype(np.float64))
        np.testing.assert_allclose(value, want, rtol=1e-6)
        np.testing.assert_allclose(slope, want_slope, rtol=1e-5, atol=1e-6)


def test_another_shape_or_dtype_is_another_program_and_another_number_is_not() -> None:
    calls = []

    def f(x: Any, scale: float, n: int) -> Any:
        calls.append((x.shape, n))
        return xp.sum(x * scale) ** n

    fast = compile(f)
    assert fast(np.ones(3), 2.0, 2) == 36.0
    assert fast(2.0 * np.ones(3), 3.0, 2) == 324.0
    assert len(calls) == 1
    assert fast(np.ones(4), 2.0, 2) == 64.0
    assert fast(np.ones(3, dtype=np.float32), 2.0, 2) == 36.0
    assert fast(np.ones(3), 2.0, n=3) == 216.0
    assert [n for _, n in calls] == [2, 2, 2, 3]


def test_arguments_and_results_may_be_trees() -> None:
    def f(parameters: dict[str, Any], data: list[Any], name: str | None = None) -> Any:
        raw = data[0] @ parameters["W"] + parameters["b"]
        return {"raw": raw, "same": data[0], "kept": (7.0, name and raw * 2.0)}

    X, W = rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    for backend in ("numpy", "numba"):
        fast = compile(f, backend=backend)
        found = fast({"b": np.ones(2), "W": W}, [X])
        np.testing.assert_allclose(found["raw"], X @ W + 1.0)
        np.testing.assert_array_equal(found["same"], X)
        assert found["kept"] == (7.0, None)
        assert fast({"b": np.ones(2), "W": W}, [X], name="x")["kept"][1].shape == (4, 2)


def test_transforms_of_compiled_functions_and_the_other_way_round() -> None:
    cube = compile(lambda x: xp.sum(x**3))
    x = np.asarray([1.0, 2.0])
    np.testing.assert_allclose(grad(cube)(x), 3 * x**2)
    np.testing.assert_allclose(compile(hessian(cube))(x), np.diag(6 * x))
    np.testing.assert_allclose(compile(lambda z: cube(z) * 2.0)(x), 18.0)
    np.testing.assert_allclose(compile(jacobian(grad(checkpoint(cube))))(x), np.diag(6 * x))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["newton", "add", "square", "sum"])
def test_how_a_root_is_found_is_not_looked_at(name: str, backend: str) -> None:
    def newton(x: Any) -> Any:
        y = np.ones_like(x)
        while float(np.max(np.abs(y * y - x))) > 1e-14:
            y = 0.5 * (y + x / y)
        return y

    newton.__name__ = name  # such as that of a function which is known
    root = implicit(lambda x, y: y * y - x, newton)
    fast = compile(value_and_grad(lambda x: xp.sum(root(x) * x)), backend=backend)
    for x in (np.asarray([1.0, 4.0]), np.asarray([2.0, 9.0])):
        value, slope = fast(x)
        np.testing.assert_allclose(value, np.sum(x**1.5), rtol=1e-12)
        np.testing.assert_allclose(slope, 1.5 * np.sqrt(x), rtol=1e-12)


def test_the_backend_may_come_from_around() -> None:
    fast = compile(lambda x: xp.sum(xp.exp(x)))
    with use_backend("numba"):
        inside = fast(A)
    np.testing.assert_allclose(inside, fast(A), rtol=1e-14)
    assert repr(fast).endswith("2 programs>")


def test_threads_trace_for_themselves() -> None:
    fast = compile(grad(lambda x: xp.sum(xp.sin(x) * x)))
    arrays = [rng.normal(size=n) for n in range(1, 30)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fast, arrays))
    for own, x in zip(found, arrays, strict=True):
        np.testing.assert_allclose(own, np.cos(x) * x + np.sin(x), rtol=1e-13)
