"""Which class a model of two columns predicts where."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._inputs import name_of, to_host
from .style import COLOURS, axes_for, legend, name_axes, plain

MARGIN = 0.08  # of the range of a column, around the points
MANY_POINTS = 3000  # smaller and fainter from here on


def two_columns(X: Any) -> tuple[np.ndarray[Any, Any], list[str]]:
    """X on the host and the names of its columns.

    Raises
    ------
    ValueError
        For another number of columns.
    """
    names = [str(name) for name in getattr(X, "columns", ())]
    host = X.toarray() if hasattr(X, "toarray") else to_host(X)
    points = np.asarray(host, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2:
        message = (
            f"plot_decision_boundary: X has shape {points.shape}, and a plane has two columns. "
            "Fit a model to two columns of X, and pass those."
        )
        raise ValueError(message)
    return points, names if len(names) == 2 else ["column 0", "column 1"]


def _like(X: Any, grid: np.ndarray[Any, Any]) -> Any:
    """The grid as a frame where X is one: models check names of columns."""
    if not hasattr(X, "columns"):
        return grid
    if hasattr(X, "iloc"):
        return type(X)(grid, columns=X.columns)
    return type(X)(grid, schema=list(X.columns))


def _predicted(model: Any, X: Any) -> np.ndarray[Any, Any]:
    if hasattr(model, "predict"):
        return np.asarray(to_host(model.predict(X)))
    scores = np.asarray(to_host(model.decision_function(X)))
    codes = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
    return np.asarray(model.classes_)[codes]


def plot_decision_boundary(
    model: Any, X: Any, y: Any, ax: Any = None, resolution: int = 300
) -> Any:
    """The regions of two columns in which a classifier predicts each class, and the rows on them.

    Parameters
    ----------
    model : fitted classifier
        Any that has `predict` (or `decision_function`) and `classes_`, of two classes or more.
    X : array-like of shape (n_samples, 2)
        On any device; frames name the axes.
    y : array-like of shape (n_samples,)
        Labels; a ring marks rows whose label is not the one predicted.
    ax : matplotlib Axes or None
    resolution : int
        Points of the grid along each axis.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    sklearn.exceptions.NotFittedError
    ValueError, TypeError
        For another number of columns or labels, labels unknown to the model, several labels a
        row, no classifier.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xpfit import LogisticRegression, plots
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression().fit(X[:, 2:], y)
    >>> axes = plots.plot_decision_boundary(model, X[:, 2:], y, resolution=50)
    >>> [text.get_text() for text in axes.get_legend().get_texts()]
    ['0', '1', '2', 'misclassified']
    """
    points, names = two_columns(X)
    check_is_fitted(model)
    if not hasattr(model, "classes_"):
        message = f"plot_decision_boundary: {name_of(model)} has no classes_: pass a classifier."
        raise TypeError(message)
    if resolution < 2:
        message = f"plot_decision_boundary: resolution must be at least 2, got {resolution}."
        raise ValueError(message)
    classes, labels = np.asarray(model.classes_), np.asarray(to_host(y))
    predicted = _predicted(model, X)
    _refuse_several_labels(model, labels, predicted)
    labels = labels.reshape(-1)
    _check_labels(labels, classes, points.shape[0])
    axes = axes_for(ax, 6.0, 4.8)
    _draw_regions(axes, model, X, points, classes, resolution)
    _draw_points(axes, points, labels, classes, predicted != labels)
    name_axes(axes, plain(names[0]), plain(names[1]))
    axes.grid(False)
    legend(axes, frameon=True, framealpha=0.85, edgecolor="none")
    return axes


def _refuse_several_labels(model: Any, labels: Any, predicted: Any) -> None:
    if predicted.ndim == 2 and predicted.shape[1] > 1:
        message = (
            f"plot_decision_boundary: {name_of(model)} predicts {predicted.shape[1]} labels a row, "
            "and a point of the plane has the colour of one class. Fit a model to one column of y, "
            "and draw that."
        )
        raise ValueError(message)
    if labels.ndim > 1 and labels.shape[1:] != (1,):
        message = (
            f"plot_decision_boundary: y has shape {labels.shape}, and {name_of(model)} predicts "
            "one label a row. Pass the labels that the model was fitted to."
        )
        raise ValueError(message)


def _check_labels(labels: Any, classes: Any, n_rows: int) -> None:
    if labels.shape[0] != n_rows:
        message = f"plot_decision_boundary: X has {n_rows} rows, but y has {labels.shape[0]}."
        raise ValueError(message)
    unknown = sorted(set(labels.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        message = (
            f"plot_decision_boundary: y holds {unknown[0]!r}, which is not among the model's "
            f"classes {classes.tolist()!r}. Pass the labels that the model was fitted to."
        )
        raise ValueError(message)


def _draw_regions(
    axes: Any, model: Any, X: Any, points: Any, classes: Any, resolution: int
) -> None:
    from matplotlib.colors import ListedColormap

    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * np.where(high > low, high - low, 1.0)
    sides = [np.linspace(low[j] - margin[j], high[j] + margin[j], resolution) for j in (0, 1)]
    mesh = np.meshgrid(*sides)
    grid = np.stack([side.ravel() for side in mesh], axis=1)
    if not hasattr(X, "columns"):
        grid = grid.astype(np.result_type(np.float32, points.dtype))
    found = _predicted(model, _like(X, grid))
    codes = (found[:, None] == classes[None, :]).argmax(axis=1).reshape(mesh[0].shape)
    shades = ListedColormap([COLOURS[k % len(COLOURS)] for k in range(classes.size)])
    axes.pcolormesh(
        *sides, codes, cmap=shades, vmin=-0.5, vmax=classes.size - 0.5, alpha=0.18,
        shading="nearest", rasterized=True, linewidth=0,
    )  # fmt: skip
    margins = _margins(model, _like(X, grid), codes.ravel(), classes.size)
    for k in range(classes.size if classes.size > 2 else 1):
        inside = margins[:, k].reshape(codes.shape)
        if inside.min() < 0.0 < inside.max():
            axes.contour(*sides, inside, levels=[0.0], colors="#1f2933", linewidths=0.9)
    axes.set_xlim(sides[0][0], sides[0][-1])
    axes.set_ylim(sides[1][0], sides[1][-1])


def _margins(model: Any, X: Any, codes: Any, n_classes: int) -> np.ndarray[Any, Any]:
    """(n_points, n_classes): positive where a class is predicted.

    Scores less the best of the others draw smooth lines. Where they do not decide what is predicted
    (a tuned threshold), membership itself is drawn, as fine as the grid.
    """
    member = np.where(codes[:, None] == np.arange(n_classes)[None, :], 1.0, -1.0)
    if not hasattr(model, "decision_function"):
        return member
    scores = np.asarray(to_host(model.decision_function(X)), dtype=float)
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    if scores.shape != member.shape:
        return member
    others = np.partition(scores, -2, axis=1)[:, -2:]
    best = scores == others[:, 1:]
    margins = scores - np.where(best, others[:, :1], others[:, 1:])
    agrees = np.array_equal(margins > 0.0, member > 0.0)
    return margins if agrees else member


def _draw_points(axes: Any, points: Any, labels: Any, classes: Any, wrong: Any) -> None:
    many = points.shape[0] > MANY_POINTS
    size = 6.0 if many else 22.0
    for k, label in enumerate(classes):
        member = labels == label
        axes.scatter(
            points[member, 0], points[member, 1], s=size, color=COLOURS[k % len(COLOURS)],
            alpha=0.5 if many else 0.9, linewidths=0.0 if many else 0.6, edgecolors="white",
            label=plain(label), rasterized=many,
        )  # fmt: skip
    if wrong.any():
        axes.scatter(
            points[wrong, 0], points[wrong, 1], s=3.2 * size, facecolors="none",
            edgecolors="#1f2933", linewidths=0.8, label="misclassified", rasterized=many,
        )  # fmt: skip
