"""Static graphs in the details: indices, integers, floats, and whose memory a result is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend, get_backend
from xpfit.core.graph import TracingError, compile, grad, namespace

xp = namespace(np)
X = np.arange(9.0).reshape(3, 3)
x = np.asarray([1.0, 2.0, 3.0])
INDICES = np.asarray([2, 0])
WIDE = np.asarray([2**30], dtype=np.int32)

# Each is computed dynamically and compiled, on NumPy and on Numba.
CASES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "index as argument": (lambda a, i: a[i] * 2.0, (x, INDICES)),
    "index of one": (lambda a, i: a[i], (np.ones(1), np.asarray([0]))),
    "index from around": (lambda a: a[INDICES] * 2.0, (x,)),
    "its gradient": (grad(lambda a, i: xp.sum(a[i])), (x, INDICES)),
    "rows": (lambda W, i: xp.sum(W[i] * 2.0, axis=1), (X, INDICES)),
    "NumPy's integer as index": (lambda a: a[np.int64(0)] * 1.5, (x,)),
    "and in a slice": (lambda a: a[np.int64(1) :] * 1.5, (x,)),
    "as axis of a sum": (lambda a: xp.sum(a * 2.0, axis=np.int64(1)), (X,)),
    "as axis of concat": (lambda a: xp.concat([a, a], axis=np.int64(1)), (X,)),
    "as axes": (lambda a: xp.permute_dims(a, tuple(np.argsort([1, 0]))) * 2.0, (X,)),
    "as shape": (lambda a: xp.reshape(a, (np.prod(a.shape), 1)) * 2.0, (x,)),
    "power of a negative number": (lambda a: (-2.0) ** a, (x,)),
    "new axis of a number": (grad(lambda s, a: xp.sum(s[None] * a)), (np.asarray(2.0), x)),
    "bool against int": (lambda a: xp.where((a > 1.5) < 2, a, 0.0), (x,)),
    "int32 against much": (lambda a: (a < 10**12) * 1.0, (WIDE,)),
    "int32 wraps around": (lambda a: (a + a) * 1.5, (WIDE,)),
    "solve of NaN": (lambda A, b: xp.solve(A, b), (np.full((2, 2), np.nan), np.ones(2))),
    "another byte order": (lambda a: a * 2.0, (x.astype(">f8"),)),
    "nothing": (lambda a: xp.sum(a, axis=0) + 1.0, (np.zeros((0, 2)),)),
    "mean of negative axes": (lambda a: xp.mean(a, axis=(-1, 0), keepdims=True), (X,)),
    "device": (lambda a: xp.zeros(3, device=a.device) + a, (x,)),
}


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_it_is_what_the_dynamic_graph_finds(name: str, backend: str) -> None:
    function, arguments = CASES[name]
    want, found = function(*arguments), compile(function, backend=backend)(*arguments)
    np.testing.assert_allclose(found, want, rtol=1e-14)
    assert np.shape(found) == np.shape(want)
    assert found.dtype == want.dtype


def test_jax_takes_the_same(jax_backend: Backend) -> None:
    jx = namespace(jax_backend.xp)
    given = jax_backend.from_numpy(X)
    fast = compile(lambda a, s: jx.reshape(jx.sum(a * s, axis=np.int64(0)), (np.prod(3), 1)))
    np.testing.assert_allclose(fast(given, 2.0), 2.0 * X.sum(axis=0)[:, None])
    slope = compile(grad(lambda a, s: jx.sum(a) * s, 1))
    np.testing.assert_allclose(slope(given, 2.0), X.sum())


def test_a_float_takes_the_dtype_of_the_arrays() -> None:
    scaled = compile(lambda a, s: a * s)
    assert scaled(x.astype(np.float32), 2.0).dtype == np.float32
    assert scaled(x, 2.0).dtype == np.float64
    assert scaled(np.asarray([1, 2]), 0.5).tolist() == [0.5, 1.0]
    assert scaled(x.astype(np.float32), np.float64(2.0)).dtype == np.float64
    assert compile(lambda s: s * 2.0)(3.0) == 6.0
    strict = pytest.importorskip("array_api_strict")
    assert float(scaled(strict.asarray([1.0, 2.0]), 3.0)[1]) == 6.0


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_results_are_the_callers_own(backend: str) -> None:
    w = np.ones(3)

    def own(f: Any, *arguments: Any) -> Any:
        return compile(f, backend=backend), arguments

    for f, arguments in (
        own(grad(lambda w, a: xp.sum(w * a)), w, x),  # the argument a
        own(lambda a: a * 1.0, x),
        own(lambda a: a, x),
        own(grad(lambda w, a: xp.sum(a)), w, x),  # zeros of the program
        own(grad(lambda b, a: xp.sum(a) + b), np.asarray(1.0), x),  # the seed
        own(lambda a: np.zeros(2), x),
    ):
        first = np.asarray(f(*arguments))
        before = first.copy()
        if first.flags.writeable:
            first += 7.0
        np.testing.assert_array_equal(f(*arguments), before)
        assert x.tolist() == [1.0, 2.0, 3.0]
    one, two = compile(lambda a: (a * 2.0, a * 2.0), backend=backend)(x)
    one += 1.0
    assert two.tolist() == [2.0, 4.0, 6.0]


def test_a_view_of_what_may_not_be_written_to_may_not_either() -> None:
    fixed = X.copy()
    fixed.flags.writeable = False
    turned, doubled = compile(lambda a: (a.T, a * 2.0), backend="numba")(fixed)
    assert not turned.flags.writeable
    assert doubled.flags.writeable


def test_an_array_that_the_function_refills_is_found_out() -> None:
    buffer = np.zeros(3)

    def refilled(a: Any) -> Any:
        total = 0.0
        for k in range(3):
            buffer[:] = 0.0
            buffer[k] = 1.0
            total = total + (k + 1) * xp.sum(a * buffer)
        return total

    assert refilled(x) == 14.0
    with pytest.raises(TracingError, match=r"refilled is compiled, and uses an array .* it writes"):
        compile(refilled)(x)


def test_what_nobody_knows_is_computed_every_time() -> None:
    # Random numbers: neither shared, nor the same in every call.
    noise = compile(lambda a: xp.random.normal(a) - xp.random.normal(a))
    first, second = noise(x), noise(x)
    assert np.all(first != 0.0)
    assert np.all(first != second)
    mask = np.asarray([True, False, True])
    fast = compile(lambda a: xp.sum(a[mask]))
    assert fast(x) == 4.0
    mask[:] = True
    with pytest.raises(ValueError, match="The shape depends on the numbers"):
        fast(x)


def test_a_forgotten_return_is_named() -> None:
    def forgetful(a: Any) -> None:
        a * 2.0

    with pytest.raises(TracingError, match="forgetful is compiled, and returned None"):
        compile(forgetful)(x)


def test_complex_numbers() -> None:
    slope = compile(grad(lambda a, b: a * b * (1 + 2j)))
    assert slope(np.asarray(2.0 + 0j), np.asarray(3.0 + 0j)) == 3 + 6j


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_threads_may_ask_for_one_program_at_once(backend: str) -> None:
    fast = compile(grad(lambda a: xp.sum(xp.sin(a) * a)), backend=backend)
    arrays = [x + k for k in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fast, arrays))
    for own, a in zip(found, arrays, strict=True):
        np.testing.assert_allclose(own, np.cos(a) * a + np.sin(a), rtol=1e-13)


def test_a_long_program_is_left_to_numpy() -> None:
    def chain(a: Any) -> Any:
        for _ in range(700):
            a = xp.sin(a) * a + 1.0
        return xp.sum(a)

    fast = compile(chain, backend="numba")
    assert fast(x * 0.1) == chain(x * 0.1)
    assert not get_backend("numba").kernels["graph_program"].accepts(fast.program(x), None)


def test_it_decorates() -> None:
    @compile(backend="numpy")
    def doubled(a: Any, n: int) -> Any:
        return a * 2.0 * (n % 2) + a // 2.0 - a % 2.0

    np.testing.assert_allclose(doubled(x, 3), x * 2.0 + x // 2.0 - x % 2.0)
    assert doubled.__name__ == "doubled"


def test_integers_have_no_derivative_here_either() -> None:
    with pytest.raises(TypeError, match="integers have no derivative"):
        compile(grad(lambda a: xp.sum(a * 2.0)))(np.arange(3))
