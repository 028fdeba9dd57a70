"""What one hidden layer adds: a logistic regression and a small network on the same points.

    python examples/plot_hidden_layer.py [folder]

Two classes of points in a plane, in two ways that no straight line parts: half moons, and rings.
docs/images/hidden-layer.png is made by this script. Needs matplotlib.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import make_circles, make_moons

from xpfit import LogisticRegression, MLPClassifier, plots

UNITS = 16


def draw(figure: Figure) -> None:
    """A row for each set of points, a column for each model."""
    sets = {
        "moons": make_moons(300, noise=0.2, random_state=0),
        "rings": make_circles(300, noise=0.1, factor=0.5, random_state=0),
    }
    grid = figure.subplots(2, 2, sharex="row", sharey="row")
    for row, (name, (X, y)) in zip(grid, sets.items(), strict=True):
        labels = np.array(["outer", "inner"] if name == "rings" else ["upper", "lower"])[y]
        line = LogisticRegression().fit(X, labels)
        # float64 lays the boundary through a flat score without the steps of float32.
        network = MLPClassifier(
            (UNITS,), batch_size=32, learning_rate_init=0.01, alpha=0.01, max_iter=150, tol=None,
            dtype="float64", random_state=0,
        ).fit(X, labels)  # fmt: skip
        models = {"logistic regression": line, f"network of {UNITS} ReLU units": network}
        for axes, (title, model) in zip(row, models.items(), strict=True):
            plots.plot_decision_boundary(model, X, labels, ax=axes)
            right = model.score(X, labels)
            axes.set_title(f"{name}: {title}, {right:.0%} right", loc="left", fontsize=11)
            axes.get_legend().remove()
            axes.set(xlabel="", ylabel="")
            n = model.coef_.size + model.intercept_.size if model is line else model.theta_.size
            sys.stdout.write(f"{name}, {title}: {n} numbers, {right:.1%} of the points right\n")
        row[0].legend(loc="upper left", fontsize=8, framealpha=0.85, edgecolor="none")


def main(folder: Path) -> None:
    """Write the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(10.0, 8.0), layout="constrained")
    draw(figure)
    figure.savefig(folder / "hidden-layer.png", dpi=90)
    sys.stdout.write(f"wrote {folder / 'hidden-layer.png'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
