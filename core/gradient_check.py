"""Are the gradients right? Differences of the function itself answer, entry by entry.

For networks `core.network.check_network` does it layer by layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..backends import Backend, resolve_backend
from .optimizers.tree import Tree, aligned, leaves, unflatten
from .text_table import text_table

HostArray = np.ndarray[Any, Any]
EPSILON = float(np.finfo(np.float64).eps)


class Method(NamedTuple):
    """A formula for a derivative: sum_k factor_k f(x + place_k h) / h, off by order h**order."""

    stencil: tuple[tuple[int, float], ...]  # place_k, factor_k
    order: int
    rtol: float
    atol: float


METHODS = {
    "forward": Method(((1, 1.0), (0, -1.0)), 1, 1e-4, 1e-6),
    "backward": Method(((0, 1.0), (-1, -1.0)), 1, 1e-4, 1e-6),
    "central": Method(((1, 0.5), (-1, -0.5)), 2, 5e-6, 1e-8),
    "fourth_order": Method(((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12)), 4, 5e-6, 1e-9),
}


def _method(name: str) -> Method:
    if name not in METHODS:
        message = f"There are no {name!r} differences. Choose one of {', '.join(METHODS)}."
        raise ValueError(message)
    return METHODS[name]


def finite_difference(
    function: Callable[[Any], Any], x: Any, step: float = 1e-3, method: str = "fourth_order"
) -> Any:
    """Derivative of an element-wise (or one-argument) function by differences.

    fourth_order: (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / (12 h), off by order h**4;
    central: (f(x + h) - f(x - h)) / (2 h), h**2; forward, backward: from x to one side, h.

    Parameters
    ----------
    function : callable
    x : float or array
    step : float
        h. Too large a step bends, too small a one rounds: eps**(1 / (order + 1)) is about best.
    method : {"fourth_order", "central", "forward", "backward"}

    Examples
    --------
    >>> round(finite_difference(math.exp, 0.0), 9), round(
    ...     finite_difference(math.exp, 0.0, method="forward"), 9)
    (1.0, 1.000500167)
    """
    terms = [factor * function(x + place * step) for place, factor in _method(method).stencil]
    return sum(terms[1:], terms[0]) / step


@dataclass(frozen=True)
class Comparison:
    """One array of a gradient beside differences.

    Attributes
    ----------
    name : str
    shape : tuple of int
    n_checked : int
        Entries that were compared.
    absolute_error, relative_error : float
        The largest; the relative one as `gradient_check` defines it.
    worst : tuple of int
        Index of the entry of the largest relative error, and what stands there:
    gradient, difference : float
    passed : bool
    """

    name: str
    shape: tuple[int, ...]
    n_checked: int
    absolute_error: float
    relative_error: float
    worst: tuple[int, ...]
    gradient: float
    difference: float
    passed: bool


@dataclass(frozen=True, repr=False)
class GradientReport:
    """What a check found; `str` of it is a table, and `assert report.passed, report` a test.

    Attributes
    ----------
    method : str
    rtol : float
        Relative errors up to this pass.
    comparisons : tuple of Comparison
    """

    method: str
    rtol: float
    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        """Whether every array passed."""
        return all(one.passed for one in self.comparisons)

    def __str__(self) -> str:
        head = ["array", "", "entries", "abs. error", "rel. error", "worst at", "gradient",
                "differences"]  # fmt: skip
        rows = [
            [
                one.name, "ok" if one.passed else "WRONG",
                f"{one.n_checked:,} of {math.prod(one.shape):,}",
                f"{one.absolute_error:.1e}", f"{one.relative_error:.1e}",
                ", ".join(map(str, one.worst)), f"{one.gradient:.9g}", f"{one.difference:.9g}",
            ]
            for one in self.comparisons
        ]  # fmt: skip
        wrong = [one.name for one in self.comparisons if not one.passed]
        said = f"{len(wrong)} of {len(rows)} wrong: {', '.join(wrong)}" if wrong else "all right"
        kind = self.method.replace("_", "-")
        title = f"Gradients beside {kind} differences, up to {self.rtol:g}: {said}"
        return f"{title}\n\n{text_table(head, rows, left=2)}"

    __repr__ = __str__


def gradient_check(
    function: Callable[[Tree], Any],
    gradient: Tree | Callable[[Tree], Tree],
    at: Tree,
    *,
    method: str = "fourth_order",
    step: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    max_entries: int | None = None,
    backend: Backend | str | None = None,
) -> GradientReport:
    """Compare a gradient with differences of its function, entry by entry.

    relative error = abs(g - d) / max(abs(g), abs(d), floor),
    floor = atol * max(1, abs(function)) / rtol

    An entry that disagrees is tried again with steps ten and a hundred times smaller, because a
    step may cross a kink (of a ReLU, say); a wrong formula stays wrong.

    Parameters
    ----------
    function : callable
        Of the tree, to one number.
    gradient : tree, or callable of the tree
        Shaped as `at`.
    at : array or float, or dict, list or tuple of them, nested at will
        float64: differences of float32 have three digits left.
    method : {"fourth_order", "central", "forward", "backward"}
    step : float or None
        Times max(1, abs(entry)). None: eps**(1 / (order + 1)), where rounding and bending meet.
    rtol, atol : float or None
        None: 5e-6 and 1e-9 (fourth order), 5e-6 and 1e-8 (central), 1e-4 and 1e-6 (one side).
    max_entries : int or None
        Of each array so many are compared, drawn at random but always the same; None: all.
    backend : Backend, str or None

    Returns
    -------
    GradientReport

    Raises
    ------
    ValueError
        For an unknown method, arrays that are not float64, and a gradient of other shapes.

    Examples
    --------
    >>> def cost(p):
    ...     return np.sum(np.sin(p["a"])) + p["b"][0] ** 2
    >>> at = {"a": np.asarray([0.0, 1.0]), "b": np.asarray([3.0])}
    >>> gradient_check(cost, lambda p: {"a": np.cos(p["a"]), "b": 2 * p["b"]}, at).passed
    True
    >>> [one.passed for one in gradient_check(
    ...     cost, lambda p: {"a": np.cos(p["a"]), "b": 2.002 * p["b"]}, at).comparisons]
    [True, False]
    """
    kind = _method(method)
    found = gradient(at) if callable(gradient) else gradient
    pairs = list(aligned(("the parameters", "the gradient"), (at, found)))
    record = resolve_backend(backend, *leaves(at), who="gradient_check")
    start = [_on_host(record, leaf, f"at{path}") for path, (leaf, _) in pairs]
    plan = _Plan(
        kind,
        EPSILON ** (1 / (kind.order + 1)) if step is None else step,
        kind.rtol if rtol is None else rtol,
        kind.atol if atol is None else atol,
        max_entries,
    )

    def value(values: list[HostArray]) -> float:
        arrays = [record.from_numpy(each) for each in values]
        return float(record.to_numpy(function(unflatten(at, arrays))))

    comparisons = []
    for k, (path, (_, g)) in enumerate(pairs):
        g = np.asarray(record.to_numpy(g) if isinstance(g, record.array_type) else g)
        if g.shape != start[k].shape:
            message = (
                f"The gradient{path} has the shape {g.shape}, what it is the gradient of "
                f"{start[k].shape}. A gradient has the shape of its array."
            )
            raise ValueError(message)

        def one(changed: HostArray, k: int = k) -> float:
            return value([*start[:k], changed, *start[k + 1 :]])

        comparisons.append(_compare(plan, one, g, start[k], path or "x"))
    return GradientReport(method, plan.rtol, tuple(comparisons))


def _on_host(backend: Backend, leaf: Any, name: str) -> HostArray:
    array = np.asarray(backend.to_numpy(leaf) if isinstance(leaf, backend.array_type) else leaf)
    if array.dtype != np.float64:
        message = (
            f"gradient_check: {name} is {array.dtype}. Differences need the digits of float64: "
            "cast it (JAX holds float64 where JAX_ENABLE_X64=1)."
        )
        raise ValueError(message)
    return array


class _Plan(NamedTuple):
    method: Method
    step: float
    rtol: float
    atol: float
    max_entries: int | None


def _compare(
    plan: _Plan, function: Callable[[HostArray], float], g: HostArray, x: HostArray, name: str
) -> Comparison:
    floor = plan.atol * max(1.0, abs(function(x))) / plan.rtol
    worst: tuple[float, int, float] = (-1.0, 0, 0.0)
    absolute, chosen = 0.0, chosen_entries(x.size, plan.max_entries)
    for at in chosen:
        own = float(g.flat[at])
        tries = []
        for shrink in (1.0, 0.1, 0.01):
            d = _derivative(plan, function, x, at, shrink)
            error = abs(own - d) / max(abs(own), abs(d), floor)
            # NaN would pass every comparison.
            tries.append((error if math.isfinite(error) else math.inf, d))
            if tries[-1][0] <= plan.rtol:
                break
        error, d = min(tries)
        absolute = max(absolute, abs(own - d) if math.isfinite(error) else math.inf)
        worst = max(worst, (error, at, d))
    error, at, d = worst
    where = tuple(int(k) for k in np.unravel_index(at, x.shape)) if x.size else ()
    own = float(g.flat[at]) if x.size else 0.0
    return Comparison(
        name, x.shape, len(chosen), absolute, max(error, 0.0), where, own, d, error <= plan.rtol
    )


def _derivative(
    plan: _Plan, function: Callable[[HostArray], float], x: HostArray, at: int, shrink: float
) -> float:
    centre = float(x.flat[at])
    h = shrink * plan.step * max(1.0, abs(centre))
    total = 0.0
    for place, factor in plan.method.stencil:
        changed = x.copy()
        changed.flat[at] = centre + place * h
        total += factor * function(changed)
    return total / h


def chosen_entries(size: int, most: int | None) -> list[int]:
    """Which entries are compared: all, or `most` of them, drawn at random but always the same."""
    if most is None or size <= most:
        return list(range(size))
    return sorted(np.random.default_rng(0).choice(size, most, replace=False).tolist())
