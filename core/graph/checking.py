"""Are the derivatives of the graph right? Both modes and both orders, beside differences."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...backends import Backend, resolve_backend
from ..gradient_check import Comparison, GradientReport, chosen_entries, gradient_check
from ..optimizers.tree import leaves, tree_map, unflatten
from .namespace import space_of
from .node import Box
from .transforms import Function, _as_array, _one_like, jvp, vjp

MODES = ("forward", "reverse")


def check_gradients(
    function: Function,
    *arguments: Any,
    modes: Sequence[str] = MODES,
    order: int = 2,
    method: str = "fourth_order",
    rtol: float | None = None,
    atol: float | None = None,
    max_entries: int | None = 50,
    raise_on_error: bool = True,
    backend: Backend | str | None = None,
) -> GradientReport:
    """Compare the derivatives of a function with differences of it, entry by entry.

    What is differentiated is number = sum(c * function(*arguments)), c drawn at random but always
    the same. Order 2 are the derivatives, by every mode, of the derivative of that number along a
    random direction, found by every mode: "forward over reverse" is what `hvp` does. Differences
    of order 2 are those of the derivative of order 1.

    At a kink differences are the average of both sides, as is the graph's derivative of abs, max
    and maximum. The derivative of `where` is that of the branch taken, and second derivatives do
    not exist there: such points fail.

    Parameters
    ----------
    function : callable
        Of the arguments; returns an array or a tree of arrays.
    *arguments : arrays, numbers, or trees of them
        Where; float64.
    modes : sequence of {"forward", "reverse"}
        A function with a `custom_vjp` inside knows "reverse" alone.
    order : int
        At least 1: all orders up to this one.
    method, rtol, atol, max_entries, backend
        As for `gradient_check`.
    raise_on_error : bool
        False: return the report, whatever it says.

    Returns
    -------
    GradientReport
        One line for each argument and each way to its derivative; `str` of it is a table.

    Raises
    ------
    AssertionError
        Where a derivative is wrong: it names the argument, the entry, what was expected and found.
    TypeError
        For a function that returns no array.
    ValueError
        For an unknown mode or method, an order below 1, and arguments that are not float64.

    Examples
    --------
    >>> from xpfit.core.graph import check_gradients, custom_vjp, namespace
    >>> xp = namespace(np)
    >>> report = check_gradients(lambda x: xp.tanh(x) * x[0], np.asarray([0.5, 1.0]))
    >>> report.passed, report.comparisons[-1].name
    (True, 'argument 0: reverse over reverse')
    >>> off = custom_vjp(lambda x: x * x, lambda g, value, x: (g * 2.002 * x,))
    >>> check_gradients(off, 3.0, modes=["reverse"], order=1, raise_on_error=False).passed
    False
    """
    _require_known(modes, order)
    who = getattr(function, "__name__", "the function")
    at = tree_map(lambda leaf: _as_array(leaf, "check_gradients"), tuple(arguments))
    record = resolve_backend(backend, *leaves(at), who="check_gradients")
    rng = np.random.default_rng(0)
    value = function(*at)
    _require_numbers(who, value)
    number = _weighted(function, _like(record, value, rng))
    options: dict[str, Any] = {
        "method": method, "rtol": rtol, "atol": atol, "max_entries": max_entries, "backend": record,
    }  # fmt: skip
    comparisons: list[Comparison] = []
    rule = 0.0
    for n in range(order):
        for ways in itertools.product(modes, repeat=n + 1):
            # The last way is taken first: "forward over reverse".
            inner = number
            for mode in reversed(ways[1:]):
                inner = _along(inner, mode, _like(record, at, np.random.default_rng(n)))
            gradient = _gradient(record, inner, ways[0], at, max_entries)
            report = gradient_check(_of_tree(inner), gradient, at, **options)
            rule, name = report.rtol, " over ".join(ways)
            comparisons += [
                replace(one, name=f"argument {_readable(one.name)}: {name}")
                for one in report.comparisons
            ]
    report = GradientReport(method, rule, tuple(comparisons))
    if raise_on_error and not report.passed:
        raise AssertionError(_complaint(who, report))
    return report


def _require_known(modes: Sequence[str], order: int) -> None:
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or not modes or isinstance(modes, str):
        message = (
            f"check_gradients was asked for modes={modes!r}. Give a list of one or both of "
            f"{', '.join(MODES)}."
        )
        raise ValueError(message)
    if order < 1:
        message = f"check_gradients was asked for order={order!r}. Give 1, 2 or more."
        raise ValueError(message)


def _require_numbers(who: str, value: Any) -> None:
    kinds = {type(leaf).__name__ for leaf in leaves(value) if not hasattr(leaf, "dtype")}
    if kinds or not leaves(value):
        message = (
            f"check_gradients was given {who}, which returned {', '.join(kinds) or 'nothing'}. It "
            "must return an array, or a tree of arrays; is a return missing?"
        )
        raise TypeError(message)


def _like(record: Backend, tree: Any, rng: np.random.Generator) -> Any:
    """Random numbers for every entry of a tree, none of them near 0."""

    def drawn(leaf: Any) -> Any:
        shape = tuple(getattr(leaf, "shape", ()))
        signs = rng.choice([-1.0, 1.0], size=shape)
        return record.from_numpy(np.asarray(signs * rng.uniform(0.5, 1.5, size=shape)))

    return tree_map(drawn, tree)


def _product(tree: Any, factors: Any) -> Any:
    """sum of tree * factors, over all leaves."""
    total = None
    for leaf, factor in zip(leaves(tree), leaves(factors), strict=True):
        # The factor is plain: on the right, where no library refuses the box.
        one = space_of(leaf if isinstance(leaf, Box) else factor).sum(leaf * factor)
        total = one if total is None else space_of(one).add(total, one)
    return total


def _of_tree(number: Function) -> Function:
    return lambda arguments: number(*arguments)


def _weighted(function: Function, weights: Any) -> Function:
    return lambda *arguments: _product(function(*arguments), weights)


def _along(number: Function, mode: str, direction: Any) -> Function:
    """The derivative of a number along a direction, as a function of the arguments."""
    if mode == "forward":
        return lambda *arguments: jvp(number, arguments, direction)[1]

    def found(*arguments: Any) -> Any:
        value, pull = vjp(number, *arguments)
        return _product(pull(_one_like(value)), direction)

    return found


def _gradient(
    record: Backend, number: Function, mode: str, at: Any, max_entries: int | None
) -> Any:
    """The gradient by one mode; forward mode finds only the entries that are compared."""
    if mode == "reverse":
        value, pull = vjp(number, *at)
        return pull(_one_like(value))
    arrays = leaves(at)
    hosts = [np.asarray(record.to_numpy(array)) for array in arrays]
    found = []
    for k, host in enumerate(hosts):
        own = np.full(host.shape, np.nan)
        for entry in chosen_entries(host.size, max_entries):
            units = [np.zeros(other.shape) for other in hosts]
            units[k].flat[entry] = 1.0
            tangents = unflatten(at, [record.from_numpy(unit) for unit in units])
            own.flat[entry] = float(record.to_numpy(jvp(number, at, tangents)[1]))
        found.append(own)
    return unflatten(at, found)


def _readable(path: str) -> str:
    """ "[0]['W']" -> "0 ['W']"."""
    number, _, rest = path.removeprefix("[").partition("]")
    return f"{number} {rest}".rstrip()


def _complaint(who: str, report: GradientReport) -> str:
    # The first of them: what is wrong in the first order is wrong in the second as well.
    wrong = next(one for one in report.comparisons if not one.passed)
    place = f"[{', '.join(map(str, wrong.worst))}]" if wrong.worst else "its only entry"
    return (
        f"check_gradients of {who}: the derivative with respect to {wrong.name}, at {place}, is "
        f"{wrong.gradient:.9g}; differences of the function expect {wrong.difference:.9g}. "
        "Correct the rule behind it; where the function has a kink there, move the point, or ask "
        f"for order=1.\n\n{report}"
    )
