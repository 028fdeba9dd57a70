"""Formulas of losses in CUDA C++: the same numbers as in Python, on one number at a time.

g++ compiles the translation here; NVRTC does in test_cupy_compile.py.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import cuda_emulation
import numpy as np
import pytest
from helpers import LOSS_NAMES, loss_called

from xpfit.backends import KernelCompileError
from xpfit.backends.cupy_kernels.formula import HELPERS, can_translate, translate

needs_a_compiler = pytest.mark.skipif(
    cuda_emulation.why_not() is not None, reason=str(cuda_emulation.why_not())
)
EXTREMES = [np.nan, np.inf, -np.inf, 1e3, -1e3, 709.5, -745.0, 40.0, -40.0, 1.0, -1.0, 0.5, 1e-9]
RAW = np.asarray([*EXTREMES, 0.0, -0.0, *np.linspace(-6.0, 6.0, 41)])
STEEPNESS = 2.5
NOTHING, ENDLESS = float("nan"), -float("inf")
TABLE = [1.0]


def evaluated(
    functions: list[Any], y: np.ndarray, raw: np.ndarray, parameters: Any, kind: str
) -> list[np.ndarray]:
    """The C++ translations of formulas, on every pair of numbers."""
    arguments = "".join(f", {number!r}" for number in parameters)
    parts = [HELPERS]
    for index, function in enumerate(functions):
        parts.append(translate(function, f"formula{index}", "a loss"))
        pointers = f"const {kind}* y, const {kind}* raw, {kind}* out"
        call = f"formula{index}<{kind}>(y[i], raw[i]{arguments})"
        loop = f"for (int i = 0; i < n; ++i) out[i] = {call};"
        parts.append(f'extern "C" void apply{index}(int n, {pointers}) {{ {loop} }}')
    library = cuda_emulation.compiled("\n".join(parts))
    y, raw = np.ascontiguousarray(y), np.ascontiguousarray(raw)
    results = []
    for index in range(len(functions)):
        out = np.empty_like(raw)
        addresses = [ctypes.c_void_p(array.ctypes.data) for array in (y, raw, out)]
        library[f"apply{index}"](ctypes.c_int(raw.size), *addresses)
        results.append(out)
    return results


def check(*functions: Any, parameters: tuple[float, ...] = (), kind: str = "double") -> None:
    y, raw = (grid.ravel() for grid in np.meshgrid([0.0, 0.3, 1.0], RAW))
    dtype = np.float64 if kind == "double" else np.float32
    y, raw = y.astype(dtype), raw.astype(dtype)
    rtol = 8 * float(np.finfo(dtype).eps)
    # Differences of nearly equal numbers; 0 would do but for log-cosh in float32.
    atol = 0.0 if kind == "double" else float(np.finfo(dtype).eps)
    results = evaluated([*functions], y, raw, parameters, kind)
    for function, actual in zip(functions, results, strict=True):
        with np.errstate(all="ignore"):
            expected = function(np, y, raw, *(dtype(number) for number in parameters))
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


@needs_a_compiler
@pytest.mark.parametrize("kind", ["double", "float"])
@pytest.mark.parametrize("name", [name for name in LOSS_NAMES if name != "half_multinomial"])
def test_built_in_losses_on_extreme_numbers(name: str, kind: str) -> None:
    loss = loss_called(name)
    check(loss.value, loss.gradient, loss.curvature, parameters=loss.parameters, kind=kind)


def log_cosh(xp: Any, y: Any, raw_prediction: Any) -> Any:
    """A user's own: numbers from around it, and an annotation."""
    residual: Any = raw_prediction - y
    return STEEPNESS * (xp.logaddexp(residual, -residual) - math.pi)


def names_bound_twice(xp: Any, y: Any, raw: Any) -> Any:
    a, b = raw, y
    a, b = b + 1, a
    a += 2
    a *= b
    return a - b / 3 + abs(a)


def powers(xp: Any, y: Any, raw: Any) -> Any:
    return raw**2 + (raw - y) ** 3 - raw**0 + (2.0 + xp.square(y)) ** -2


def comparisons(xp: Any, y: Any, raw: Any) -> Any:
    inside = (raw > -1) & ~(raw >= y) | (raw == 0.5)
    return xp.where(inside, raw, +y) + (raw != y) * 2.0 - xp.where(raw <= 0, True, y < 1)


def extremes(xp: Any, y: Any, raw: Any) -> Any:
    return xp.maximum(raw, y) + xp.minimum(xp.maximum(y, raw), 3) + xp.maximum(ENDLESS, raw)


def nan_wins(xp: Any, y: Any, raw: Any) -> Any:
    return xp.minimum(xp.where(raw > 1.0, NOTHING, y), raw)


def bounded(xp: Any, y: Any, raw: Any) -> Any:
    x = xp.maximum(xp.minimum(raw, 3.0), -3.0)
    rest = xp.expm1(x) + xp.tanh(x) + xp.sinh(x) - xp.cosh(x) + xp.sin(x) * xp.cos(y)
    return rest + xp.atan(x) + xp.floor(x) + xp.sign(raw) + xp.sqrt(xp.abs(x)) + xp.log(x * x + 1)


def words_of_cpp(xp: Any, double: Any, für: Any) -> Any:
    auto = double - für
    template = auto * auto
    return template + auto


def closed_over(factor: float) -> Any:
    def value(namespace: Any, y: Any, raw: Any) -> Any:
        return factor * namespace.log1p(namespace.exp(-namespace.abs(raw))) - y

    return value


OWN = [log_cosh, names_bound_twice, powers, comparisons, extremes, nan_wins, bounded, words_of_cpp]


@needs_a_compiler
@pytest.mark.parametrize("formula", [*OWN, closed_over(0.1)], ids=lambda formula: formula.__name__)
def test_a_users_formula(formula: Any) -> None:
    check(formula)


@needs_a_compiler
def test_a_wrong_translation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from xpfit.backends.cupy_kernels import formula

    monkeypatch.setitem(formula.ONE_ARGUMENT, "exp", "1.001 * exp")
    with pytest.raises(AssertionError):
        check(closed_over(0.1))


def with_an_if(xp: Any, y: Any, raw: Any) -> Any:
    if raw > 0:
        return raw
    return y


def with_a_conditional(xp: Any, y: Any, raw: Any) -> Any:
    return raw if raw > y else y


def with_a_loop(xp: Any, y: Any, raw: Any) -> Any:
    for _ in range(3):
        raw = raw * raw
    return raw


def misspelt(xp: Any, y: Any, raw: Any) -> Any:
    return xp.expp(raw)


def reduces(xp: Any, y: Any, raw: Any) -> Any:
    return raw - xp.max(raw)


def with_a_keyword(xp: Any, y: Any, raw: Any) -> Any:
    return xp.exp(raw, out=y)


def from_a_list(xp: Any, y: Any, raw: Any) -> Any:
    return TABLE[0] * raw


def of_another_function(xp: Any, y: Any, raw: Any) -> Any:
    return misspelt(xp, y, raw)


def with_a_root(xp: Any, y: Any, raw: Any) -> Any:
    return raw**0.5


def chained(xp: Any, y: Any, raw: Any) -> Any:
    return xp.where(0 < raw < y, raw, y)


def of_a_string(xp: Any, y: Any, raw: Any) -> Any:
    return raw + "1"


def without_a_return(xp: Any, y: Any, raw: Any) -> Any:
    raw = raw + 1


def with_more(xp: Any, y: Any, raw: Any, *more: Any) -> Any:
    return raw


@pytest.mark.parametrize(
    ("formula", "why"),
    [
        (with_an_if, r"line 2 has an if \(write xp.where\): if raw > 0:"),
        (with_a_conditional, r"a conditional \(write xp.where\): raw if raw > y else y"),
        (with_a_loop, r"this statement: for _ in range\(3\):"),
        (misspelt, r"a function of xp that is not translated: xp.expp\(raw\)"),
        (reduces, r"not translated: xp.max\(raw\)"),
        (with_a_keyword, r"xp.exp\(raw, out=y\)"),
        (from_a_list, r"TABLE\[0\]"),
        (of_another_function, r"a call of something else than a function of xp"),
        (with_a_root, r"a power that is not a whole number of at most 8: raw \*\* 0.5"),
        (chained, "0 < raw < y"),
        (of_a_string, "something that is not a number: '1'"),
        (without_a_return, "does not end in one return"),
        (with_more, "arguments other than plain ones"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
def test_what_cannot_be_translated_is_explained(formula: Any, why: str) -> None:
    with pytest.raises(KernelCompileError, match=why) as caught:
        translate(formula, "value", "mine")
    text = str(caught.value)
    assert text.startswith("the fused CUDA kernel of mine: value cannot be written: line ")
    assert text.endswith(
        "or run them as they are, on whole arrays, with fused=False or XPFIT_FUSED=0."
    )


def test_functions_without_source_are_known() -> None:
    namespace: dict[str, Any] = {}
    exec("def value(xp, y, raw): return raw - y", namespace)
    assert not can_translate(namespace["value"])
    assert not can_translate(lambda xp, y, raw: raw - y)
    assert not can_translate(np.add)
    assert can_translate(log_cosh)
    with pytest.raises(KernelCompileError, match="its source cannot be read"):
        translate(namespace["value"], "value", "mine")
