"""The cost by epoch or iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._inputs import name_of
from .style import COLOURS, axes_for, legend, name_axes, plain, scale_costs


def last_step(model: Any) -> Any:
    """The estimator itself, or the last one of a pipeline."""
    steps = getattr(model, "steps", None)
    return model if steps is None else steps[-1][1]


def counts_epochs(model: Any) -> bool:
    """Whether the history has one entry an epoch, and not one for the start."""
    return hasattr(model, "validation_loss_history_")


def abscissa(model: Any) -> np.ndarray[Any, Any]:
    """The epoch (from 1) or iteration (from 0, the start) of each entry of `loss_history_`."""
    return np.arange(len(model.loss_history_)) + int(counts_epochs(model))


def diverged_at(model: Any) -> int | None:
    """The step at which the descent left the numbers, or None."""
    if getattr(model, "stop_reason_", None) != "diverged":
        return None
    # `t_` counts steps in SGDClassifier, rows in networks.
    descent = getattr(model, "_descent", None)
    return int(model.n_iter_) if descent is None else int(descent.steps_taken) + 1


def _history_of(model: Any) -> Any:
    model = last_step(model)
    check_is_fitted(model)
    if not hasattr(model, "loss_history_"):
        message = (
            f"plot_cost: {name_of(model)} keeps no loss_history_. Pass fitted estimators of xpfit, "
            "or pipelines that end in one."
        )
        raise TypeError(message)
    return model


def _class_names(models: list[Any]) -> list[str]:
    """Names of the classes, numbered where one comes twice."""
    names = [name_of(model) for model in models]
    return [
        f"{name} {names[:k].count(name) + 1}" if names.count(name) > 1 else name
        for k, name in enumerate(names)
    ]


def plot_cost(*models: Any, labels: Sequence[str] | None = None, ax: Any = None) -> Any:
    """Training and validation cost of one or more models, by epoch or iteration.

    Validation cost (`early_stopping=True`) is the dashed line of the same colour; the dot on it is
    the epoch whose parameters were kept. The axis of costs is logarithmic where costs span more
    than a factor of ten.

    Parameters
    ----------
    *models : fitted estimators, or pipelines that end in one
    labels : sequence of str or None
        One for each model; their class names otherwise, numbered where one comes twice.
    ax : matplotlib Axes or None
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    sklearn.exceptions.NotFittedError
    ValueError, TypeError
        For no models, another number of labels, an estimator without a history.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xpfit import LogisticRegression, plots
    >>> model = LogisticRegression().fit(*load_iris(return_X_y=True))
    >>> axes = plots.plot_cost(model)
    >>> axes.get_xlabel(), len(axes.lines)
    ('iteration', 1)
    """
    if not models:
        message = "plot_cost: no model was given. Pass one or more fitted estimators."
        raise ValueError(message)
    fitted = [_history_of(model) for model in models]
    names = _class_names(fitted) if labels is None else list(labels)
    if len(names) != len(fitted):
        message = f"plot_cost: {len(fitted)} models, but {len(names)} labels. Pass one for each."
        raise ValueError(message)
    axes = axes_for(ax)
    costs: list[Any] = []
    for index, (model, name) in enumerate(zip(fitted, names, strict=True)):
        costs += _draw(axes, model, name, COLOURS[index % len(COLOURS)])
    scale_costs(axes, costs)
    units = {"epoch" if counts_epochs(model) else "iteration" for model in fitted}
    name_axes(axes, " or ".join(sorted(units)), "cost (mean loss + penalty)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(axes.lines) > 1 or labels is not None:
        legend(axes)
    return axes


def _draw(axes: Any, model: Any, name: str, colour: str) -> list[Any]:
    cost, at = np.asarray(model.loss_history_), abscissa(model)
    held = np.asarray(getattr(model, "validation_loss_history_", ()))
    step = diverged_at(model)
    what = f"{name}, training" if held.size else name
    what += "" if step is None else f" (diverged at step {step})"
    marker = "o" if len(cost) < 30 else ""
    axes.plot(at, cost, color=colour, marker=marker, markersize=3.5, label=plain(what))
    if held.size:
        best = [int(np.argmin(held))]
        axes.plot(
            np.arange(held.size) + 1, held, "--", color=colour, marker="o", markevery=best,
            label=plain(f"{name}, validation"),
        )  # fmt: skip
    return [cost, held]
