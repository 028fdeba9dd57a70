"""Draw what happens in a descent: cost, learning rates, decision boundary, surface of the cost.

    python examples/plot_descent.py [folder]

The pictures of docs/pictures.md are made by this script. Needs matplotlib.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from xpfit import DescentPath, LogisticRegression, SGDClassifier, SGDRegressor, plots

STEPS = {"learning_rate": "constant", "random_state": 0, "tol": None}


def cancer() -> tuple[np.ndarray, np.ndarray]:
    """Thirty standardized columns, two classes."""
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def cost(X: np.ndarray, y: np.ndarray) -> Figure:
    """Training and validation cost of two optimizers."""
    options = {"batch_size": 32, "max_iter": 40, "early_stopping": True, "n_iter_no_change": 40}
    plain = SGDClassifier(eta0=0.02, **STEPS, **options).fit(X, y)
    adam = SGDClassifier(optimizer="adam", eta0=0.02, **STEPS, **options).fit(X, y)
    axes = plots.plot_cost(plain, adam, labels=["descent", "Adam"])
    return axes.figure


def rates() -> Figure:
    """Six rates for a regression; the largest is too large."""
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    model = SGDRegressor(batch_size=32, max_iter=30, **STEPS)
    return plots.plot_learning_rates(model, X, y, [0.0003, 0.001, 0.003, 0.01, 0.1, 5.0]).figure


def boundary() -> Figure:
    """Three classes in a plane."""
    X, y = load_iris(as_frame=True, return_X_y=True)
    X, names = X[["petal length (cm)", "petal width (cm)"]], load_iris().target_names
    return plots.plot_decision_boundary(
        LogisticRegression(C=10.0).fit(X, names[y]), X, names[y]
    ).figure


def surface(X: np.ndarray, y: np.ndarray) -> Figure:
    """One problem of two coefficients: full batches, momentum, and batches of 16, side by side."""
    X = X[:, [0, 1]] @ np.array([[1.0, 0.8], [0.0, 0.6]])
    ways = {
        "plain": {"batch_size": len(y), "eta0": 1.0, "max_iter": 60},
        "momentum 0.9": {"batch_size": len(y), "eta0": 0.3, "momentum": 0.9, "max_iter": 60},
        "Adam, batches of 16": {
            "optimizer": "adam", "batch_size": 16, "eta0": 0.02, "max_iter": 60,
        },
    }  # fmt: skip
    figure = Figure(figsize=(12.0, 4.2), layout="constrained")
    grid = figure.subplots(1, 3, sharex=True, sharey=True)
    for axes, (title, options) in zip(grid, ways.items(), strict=True):
        path = DescentPath()
        model = SGDClassifier(alpha=0.01, callbacks=path, **{**STEPS, **options}).fit(X, y)
        plots.plot_loss_surface(model, X, y, ax=axes, path=path, limits=((-3.0, 0.5), (-3.0, 0.5)))
        axes.set_title(title, loc="left", fontsize=11)
        axes.label_outer()
    return figure


def main(folder: Path) -> None:
    """Write the four pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    X, y = cancer()
    figures = {
        "cost": cost(X, y),
        "learning-rates": rates(),
        "decision-boundary": boundary(),
        "loss-surface": surface(X, y),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
        sys.stdout.write(f"wrote {folder / name}.png\n")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
