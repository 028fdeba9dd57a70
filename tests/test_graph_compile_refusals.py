"""What `compile` refuses: whatever depends on the numbers in an array, with the place;
and what it reads anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpfit.core.graph import TracingError, Variable, compile, grad, namespace

xp = namespace(np)
A = np.asarray([[0.5, 0.25], [1.5, 2.0]])


def branch(x: Any) -> Any:
    if xp.sum(x) > 0.0:
        return x
    return -x


def loop(x: Any) -> Any:
    while xp.max(x) < 100.0:
        x = x * 2.0
    return x


REFUSED: dict[str, Any] = {
    r"in branch: if xp\.sum\(x\) > 0\.0:\)": branch,
    r"in loop: while xp\.max\(x\) < 100\.0:\)": loop,
    r"float\(\) of it|float\(x\)": lambda x: x * float(x[0]),
    r"int\(\) of it|int\(x\)": lambda x: x * int(x[0]),
    "an index depends": lambda x: [1.0, 2.0][xp.argmax(x)] * x,
    "where a mask is true": lambda x: xp.sum(x[x > 0.0]),
    "returned tuple, and not one array": lambda x: xp.nonzero(x)[0],
    "cannot follow": lambda x: np.linalg.norm(x),
}


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("transform", [lambda f: f, lambda f: grad(lambda x: xp.sum(f(x)))])
def test_what_depends_on_numbers_is_refused_with_the_place(text: str, transform: Any) -> None:
    x = np.asarray([1.0, 2.0])
    with pytest.raises(TypeError, match=text) as caught:
        compile(transform(REFUSED[text]))(x)
    if isinstance(caught.value, TracingError):
        assert "test_graph_compile_refusals.py, line " in str(caught.value)


def test_a_shape_that_depends_on_numbers_is_found_out() -> None:
    fast = compile(lambda x: xp.unique(x) * 1.0)
    assert fast(np.asarray([2.0, 1.0])).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"unique of shape \(1,\), where it was \(2,\)"):
        fast(np.asarray([2.0, 2.0]))


def test_other_refusals() -> None:
    kept = []
    compile(lambda x: kept.append(x) or x * 1.0)(A)
    with pytest.raises(TracingError, match="left behind"):
        kept[0] * 2.0
    outside = Variable(2.0)
    with pytest.raises(TracingError, match="Variable"):
        compile(lambda x: x * outside)(A)
    with pytest.raises(TypeError, match="argument of type object"):
        compile(lambda x: x)(object())
    with pytest.raises(TypeError, match="cannot be called"):
        compile(A)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nunpy"):
        compile(lambda x: x, backend="nunpy")(A)


def test_arrays_from_around_are_read_anew() -> None:
    shift, one = np.zeros(3), np.ones(())
    for backend in ("numpy", "numba"):
        fast = compile(lambda x: x * one + shift, backend=backend)
        shift[:], one[...] = 0.0, 1.0
        assert fast(np.ones(3)).tolist() == [1.0] * 3
        shift[1], one[...] = 5.0, 2.0
        assert fast(np.ones(3)).tolist() == [2.0, 7.0, 2.0]
