"""Pictures of predictions: ranking, calibration, thresholds, residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plots import BLUE, FULL, GRID, HALF, INK, MUTED, ORANGE, new_figure

MAX_POINTS = 5000


def roc(y: NDArray[np.int64], score: NDArray[np.float64]) -> str:
    """ROC curve of a binary model.

    Parameters
    ----------
    y : ndarray of 0 and 1
        Both occur.
    score : ndarray
        Probability of 1.
    """
    from sklearn import metrics

    false_rate, true_rate, _ = metrics.roc_curve(y, score)
    with new_figure(HALF, 3.9) as (_, axes, drawn):
        axes.plot([0, 1], [0, 1], ":", color=MUTED, lw=1)
        axes.fill_between(false_rate, true_rate, color=BLUE, alpha=0.08, lw=0)
        axes.plot(false_rate, true_rate, color=BLUE)
        axes.set(xlabel="false positive rate", ylabel="true positive rate")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))
        axes.set_title(f"ROC curve, area {metrics.roc_auc_score(y, score):.3f}")
    return drawn[0]


def precision_recall(y: NDArray[np.int64], score: NDArray[np.float64]) -> str:
    """Precision against recall of a binary model.

    Parameters
    ----------
    y : ndarray of 0 and 1
        Both occur.
    score : ndarray
        Probability of 1.
    """
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(y, score, drop_intermediate=True)
    base = float(y.mean())
    with new_figure(HALF, 3.9) as (_, axes, drawn):
        axes.axhline(base, ls=":", color=MUTED, lw=1)
        axes.text(0.01, base + 0.015, f"share of positives {base:.2f}", color=MUTED, size=9)
        # the last point is (0, 1) by convention and not a threshold of the model
        axes.plot(recall[:-1], precision[:-1], color=ORANGE)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))
        mean = metrics.average_precision_score(y, score)
        axes.set_title(f"Precision and recall, average {mean:.3f}")
    return drawn[0]


def calibration(y: NDArray[np.int64], score: NDArray[np.float64]) -> str:
    """Observed share of positives against predicted probability, over a histogram.

    Parameters
    ----------
    y : ndarray of 0 and 1
    score : ndarray
        Probability of 1.
    """
    edges = np.linspace(0, 1, 11)
    where = np.clip(np.digitize(score, edges) - 1, 0, 9)
    counts = np.bincount(where, minlength=10)
    filled = counts > 0
    observed = np.bincount(where, weights=y, minlength=10)[filled] / counts[filled]
    predicted = np.bincount(where, weights=score, minlength=10)[filled] / counts[filled]
    error = np.sqrt(observed * (1 - observed) / counts[filled])
    with new_figure(HALF, 3.6) as (_, axes, drawn):
        axes.bar(edges[:-1] + 0.05, counts / counts.sum(), width=0.094, color=GRID)
        axes.plot([0, 1], [0, 1], ":", color=MUTED, lw=1)
        axes.errorbar(predicted, observed, error, fmt="o-", color=BLUE, ms=4, elinewidth=1)
        axes.set(xlabel="predicted probability", ylabel="observed share", ylim=(-0.02, 1.16))
        axes.set_title("Calibration (bars: share of rows)")
    return drawn[0]


def thresholds(y: NDArray[np.int64], score: NDArray[np.float64], chosen: float) -> str:
    """F1, precision and recall against the threshold.

    Parameters
    ----------
    y : ndarray of 0 and 1
    score : ndarray
        Probability of 1.
    chosen : float
        The threshold to mark.
    """
    grid = np.linspace(0.02, 0.98, 97)
    values = np.array([threshold_scores(y, score, threshold) for threshold in grid])
    with new_figure(HALF, 3.6) as (_, axes, drawn):
        axes.axvline(chosen, ymax=0.88, color=INK, lw=1, ls=":")
        axes.text(chosen + 0.015, 0.02, f"{chosen:.2f}", size=9, color=INK)
        for column, (name, colour) in enumerate(
            (("F1", INK), ("precision", ORANGE), ("recall", BLUE))
        ):
            axes.plot(
                grid, values[:, column], color=colour, label=name, lw=2.2 - 0.6 * bool(column)
            )
        axes.set(xlabel="threshold", ylim=(-0.02, 1.16), xlim=(0, 1))
        axes.set_title("Scores against the threshold")
        axes.legend(ncols=3, loc="upper center", fontsize=9, columnspacing=1.2, handlelength=1.5)
    return drawn[0]


def threshold_scores(
    y: NDArray[np.int64], score: NDArray[np.float64], threshold: float
) -> tuple[float, float, float]:
    """Return F1, precision and recall at a threshold; precision is NaN where nothing is predicted.

    Examples
    --------
    >>> threshold_scores(np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9]), 0.3)
    (1.0, 1.0, 1.0)
    """
    predicted = score >= threshold
    hits = float((predicted & (y == 1)).sum())
    found, there = float(predicted.sum()), float((y == 1).sum())
    precision = hits / found if found else float("nan")
    return 2 * hits / max(found + there, 1.0), precision, hits / max(there, 1.0)


def best_threshold(y: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """Return the threshold with the highest F1.

    Examples
    --------
    >>> round(best_threshold(np.array([0, 1, 1]), np.array([0.2, 0.4, 0.9])), 2)
    0.21
    """
    grid = np.linspace(0.02, 0.98, 97)
    return float(grid[np.argmax([threshold_scores(y, score, at)[0] for at in grid])])


def _scatter(axes: Any, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Draw points; of many, a fixed sample."""
    keep = np.arange(len(y))
    if len(y) > MAX_POINTS:
        keep = np.random.default_rng(0).choice(len(y), MAX_POINTS, replace=False)
    # points become one picture inside the SVG: thousands of paths would be megabytes
    axes.scatter(x[keep], y[keep], s=9, alpha=0.35, lw=0, color=BLUE, rasterized=True)


def true_predicted(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> str:
    """True against predicted values.

    Parameters
    ----------
    y, predicted : ndarray, shape (n_rows,)
        Of many rows, a fixed sample of 5,000 is drawn.
    """
    with new_figure(HALF, 3.7) as (_, axes, drawn):
        _scatter(axes, predicted, y)
        low = max(float(y.min()), float(predicted.min()))
        high = min(float(y.max()), float(predicted.max()))
        axes.plot([low, high], [low, high], color=INK, lw=1)
        axes.set(xlabel="predicted", ylabel="true")
        axes.set_title("True against predicted")
    return drawn[0]


def residuals(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> str:
    """Residuals against predicted values.

    Parameters
    ----------
    y, predicted : ndarray, shape (n_rows,)
        Of many rows, a fixed sample of 5,000 is drawn.
    """
    with new_figure(HALF, 3.7) as (_, axes, drawn):
        _scatter(axes, predicted, y - predicted)
        axes.axhline(0, color=INK, lw=1)
        axes.set(xlabel="predicted", ylabel="true minus predicted")
        axes.set_title("Residuals")
    return drawn[0]


def residual_histogram(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> str:
    """Distribution of the residuals.

    Parameters
    ----------
    y, predicted : ndarray, shape (n_rows,)
    """
    with new_figure(FULL, 2.6) as (_, axes, drawn):
        axes.hist(y - predicted, bins=60, color=BLUE, alpha=0.75)
        axes.axvline(0, color=INK, lw=1)
        axes.set(xlabel="true minus predicted", ylabel="rows")
        axes.set_title("Distribution of the residuals")
    return drawn[0]
