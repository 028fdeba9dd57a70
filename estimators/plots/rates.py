"""One descent for each learning rate, side by side."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ...core.epochs import DivergenceError
from .._inputs import name_of
from .cost import abscissa, counts_epochs, diverged_at, last_step
from .style import axes_for, legend, name_axes, scale_costs

# Parameters that hold a learning rate, of our estimators and of scikit-learn's networks.
RATE_NAMES = ("eta0", "learning_rate_init")
# Of a cost and the least first cost, from which on the descent has run away: it would flatten all
# other curves, so it may leave the picture, and its legend says how far it went.
RUNAWAY = 10.0
# Room above the other curves, as a share of their range.
HEADROOM = 0.6


def with_rate(estimator: Any, rate: float) -> Any:
    """An unfitted clone with this learning rate.

    Raises
    ------
    ValueError
        Where the estimator has none, or other parameters set it.
    """
    fresh = clone(estimator)
    last = last_step(fresh)
    who, params = f"plot_learning_rates: {name_of(last)}", last.get_params(deep=False)
    name = next((name for name in RATE_NAMES if name in params), None)
    if name is None:
        message = (
            f"{who} has no learning rate ({' or '.join(RATE_NAMES)}). Pass an SGDClassifier or "
            "SGDRegressor, or a pipeline that ends in one."
        )
        raise ValueError(message)
    optimizer, schedule = params.get("optimizer"), params.get("schedule")
    if schedule is not None and not isinstance(schedule, str):
        message = f"{who}(schedule={schedule!r}) brings its own rate. Set schedule=None or a name."
        raise ValueError(message)
    if hasattr(optimizer, "learning_rate"):
        return _with(fresh, last, optimizer=replace(optimizer, learning_rate=rate))
    decided = params.get("learning_rate") == "optimal" and schedule is None
    if decided and optimizer == "sgd" and not params.get("momentum"):
        message = (
            f"{who}(learning_rate='optimal') computes its rate from alpha and has no use for "
            f"{name}. Set learning_rate='constant' or 'invscaling'."
        )
        raise ValueError(message)
    return _with(fresh, last, **{name: rate})


def _with(whole: Any, last: Any, **changed: Any) -> Any:
    last.set_params(**changed)
    return whole


def plot_learning_rates(
    estimator: Any, X: Any, y: Any, rates: Sequence[float], ax: Any = None
) -> Any:
    """Fit a clone for each learning rate and draw its training cost by epoch.

    A rate with which the descent diverges stays in the legend, with the step at which it did; one
    whose cost grows tenfold without leaving the numbers, with where it ended. Both are dotted, and
    drawn as far as they fit into the picture.

    Parameters
    ----------
    estimator : SGDClassifier, SGDRegressor, or a pipeline that ends in one
        It is not changed. Set `random_state`, so that all rates see the same batches.
    X, y
        As for its `fit`.
    rates : sequence of float
        Each > 0.
    ax : matplotlib Axes or None

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        For no rates, rates that are not positive, an estimator that has no learning rate.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xpfit import SGDClassifier, plots
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SGDClassifier(learning_rate="constant", batch_size=50, max_iter=20, random_state=0)
    >>> axes = plots.plot_learning_rates(model, X, y, [0.001, 0.01, 0.1])
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['0.001', '0.01', '0.1']
    """
    values = np.asarray(rates, dtype=float).reshape(-1)
    if values.size == 0 or not np.all(np.isfinite(values) & (values > 0.0)):
        message = f"plot_learning_rates: rates must be positive numbers, got {list(rates)!r}."
        raise ValueError(message)
    models = [with_rate(estimator, float(rate)) for rate in values]
    axes = axes_for(ax)
    colours = _colours(values)
    fitted = [_fitted(model, X, y) for model in models]
    fates = [_fate(last, fitted) for last in fitted]
    for last, rate, colour, fate in zip(fitted, values, colours, fates, strict=True):
        cost = np.asarray(last.loss_history_)
        style: dict[str, Any] = {"color": colour, "linestyle": ":" if fate else "-"}
        if fate and cost.size:
            style |= {"marker": "x", "markevery": [-1]}
        axes.plot(abscissa(last), cost, label=f"{rate:g}{fate}", **style)
    _limit(axes, fitted, fates)
    name_axes(axes, "epoch" if counts_epochs(fitted[0]) else "iteration",
              "cost (mean loss + penalty)")  # fmt: skip
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend(axes, title="learning rate")
    return axes


def _fitted(model: Any, X: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        # That a slow rate has not arrived is what the picture shows.
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X, y)
        except DivergenceError:
            if diverged_at(last_step(model)) is None:
                raise
    last = last_step(model)
    if not hasattr(last, "loss_history_") and hasattr(last, "loss_curve_"):
        last.loss_history_ = np.asarray(last.loss_curve_)
    return last


def _colours(rates: np.ndarray[Any, Any]) -> list[Any]:
    from matplotlib import colormaps

    order = np.argsort(np.argsort(rates, kind="stable"), kind="stable")
    shades = colormaps["viridis"](np.linspace(0.0, 0.88, rates.size))
    return [shades[place] for place in order]


def _fate(last: Any, fitted: list[Any]) -> str:
    """What became of a descent that did not stay near the others; empty for one that did."""
    step = diverged_at(last)
    if step is not None:
        return f": diverged at step {step}"
    first = min(float(m.loss_history_[0]) for m in fitted if len(m.loss_history_))
    end = float(last.loss_history_[-1])
    return f": cost grew to {end:.2g}" if end > RUNAWAY * abs(first) else ""


def _limit(axes: Any, fitted: list[Any], fates: list[str]) -> None:
    good = [np.asarray(m.loss_history_) for m, fate in zip(fitted, fates, strict=True) if not fate]
    scale_costs(axes, good or [m.loss_history_ for m in fitted])
    if not good or not any(fates):
        return
    values = np.concatenate(good)
    low, high = float(values.min()), float(values.max())
    if axes.get_yscale() == "log":
        axes.set_ylim(low / 1.2, high * (high / low) ** HEADROOM)
    else:
        span = high - low or abs(high) or 1.0
        axes.set_ylim(low - 0.05 * span, high + HEADROOM * span)
