"""Draw the regularization paths of two data sets, with the strength that cross-validation chose.

    python examples/plot_path.py [folder]

The picture of docs/pictures.md is made by this script. Needs matplotlib.
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer, load_diabetes

from xpfit import (
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    plots,
    regularization_path,
)


def main(folder: Path) -> None:
    """Write the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(12.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)

    # Columns of this set have one scale, and names.
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    lasso = LassoCV().fit(X, y)
    path = regularization_path(Lasso(), X, y)
    plots.plot_regularization_path(path, ax=left, chosen=lasso.alpha_)
    left.set_title("Lasso: diabetes", loc="left", fontsize=11)

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = (X - X.mean()) / X.std()
    options = {"l1_ratios": [1.0], "scoring": "neg_log_loss"}
    path = regularization_path(LogisticRegression(l1_ratio=1.0), X, y, n_strengths=60)
    chosen = LogisticRegressionCV(Cs=path.values, **options).fit(X, y).C_
    plots.plot_regularization_path(path, ax=right, top=6, chosen=chosen)
    right.set_title("Logistic regression, L1: breast cancer", loc="left", fontsize=11)

    figure.savefig(folder / "regularization-path.png", dpi=110)
    sys.stdout.write(
        f"alpha {lasso.alpha_:.3g} keeps {(lasso.coef_ != 0).sum()} of 10 columns; C {chosen:.3g}\n"
        f"wrote {folder / 'regularization-path.png'}\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
