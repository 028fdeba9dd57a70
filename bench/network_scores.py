"""Held-out accuracy of MLPClassifier beside scikit-learn's: python -P -m xpfit.bench.network_scores

The same units, batches, penalty, learning rate and epochs, from five seeds each, on the same rows;
both get standardized float32. Writes network-scores.json and network-scores.md, and the table in
docs/networks.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .machine import describe_machine
from .problems import Matrix, classification_set, data_folder, digits_as_bytes
from .report import put_between_markers
from .sizes import SIZES, Size

SEEDS = 5
# Units of the one hidden layer, epochs, rows to train on (of the rest at most HELD_OUT are scored).
SETS = {
    "dry_bean": (64, 30, 10_000),
    "letter": (128, 30, 16_000),
    "covtype_92962": (128, 15, 20_000),
    "mnist": (128, 10, 20_000),
}
HELD_OUT = 20_000
THEIRS = "scikit-learn"


class Task(NamedTuple):
    """One comparison."""

    name: str
    units: int
    epochs: int
    train: tuple[Matrix, Matrix]
    test: tuple[Matrix, Matrix]


def _parted(name: str, X: Matrix, y: Matrix, units: int, epochs: int, n_train: int) -> Task:
    order = np.random.default_rng(0).permutation(X.shape[0])
    rows, rest = order[:n_train], order[n_train : n_train + HELD_OUT]
    return Task(name, units, epochs, (X[rows], y[rows]), (X[rest], y[rest]))


def tasks(size: Size) -> Iterator[Task]:
    """The data sets; scikit-learn's digits alone at tiny size and without the data folder."""
    folder = data_folder()
    if size == "tiny" or folder is None:
        digits = digits_as_bytes()
        yield _parted("digits", digits.X, digits.y, 16, 3, 1200)
        return
    for name, (units, epochs, n_train) in SETS.items():
        if name == "mnist":
            with np.load(folder / "mnist.npz", allow_pickle=False) as file:
                parts = {key: file[key] for key in file.files}
            train = parts["X_train"][:n_train], parts["y_train"][:n_train]
            yield Task(name, units, epochs, train, (parts["X_test"], parts["y_test"]))
        else:
            found = classification_set(name)
            yield _parted(name, found.X, found.y, units, epochs, n_train)


def accuracies(task: Task, n_seeds: int) -> dict[str, list[float]]:
    """Of each estimator and seed, on the held-out rows."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier as Theirs
    from sklearn.preprocessing import StandardScaler

    from ..estimators.mlp_classifier import MLPClassifier as Ours

    scaler = StandardScaler().fit(task.train[0].astype(np.float64))
    X, X_test = (
        scaler.transform(part.astype(np.float64)).astype(np.float32)
        for part in (task.train[0], task.test[0])
    )
    options = {
        "hidden_layer_sizes": (task.units,), "batch_size": 200, "learning_rate_init": 1e-3,
        "alpha": 1e-4, "max_iter": task.epochs, "n_iter_no_change": task.epochs + 1,
    }  # fmt: skip
    # scikit-learn draws weights as "xavier", and so does ours where nothing is said.
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "xpfit": (Ours, {}),
        "xpfit, he": (Ours, {"initializer": "he"}),
        THEIRS: (Theirs, {}),
    }
    found: dict[str, list[float]] = {name: [] for name in kinds}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for seed in range(n_seeds):
            for name, (kind, more) in kinds.items():
                model = kind(random_state=seed, **options, **more).fit(X, task.train[1])
                found[name].append(float(model.score(X_test, task.test[1])))
    return found


def compared(task: Task, n_seeds: int) -> dict[str, Any]:
    """One row of the table: `noise` is the standard error of each difference of two means."""
    found = accuracies(task, n_seeds)
    means = {name: float(np.mean(values)) for name, values in found.items()}
    spread = {name: _variance(values) / n_seeds for name, values in found.items()}
    return {
        "set": task.name, "n_train": task.train[0].shape[0], "n_test": task.test[0].shape[0],
        "n_features": task.train[0].shape[1], "units": task.units, "epochs": task.epochs,
        "accuracies": found, "means": means,
        "differences": {name: means[name] - means[THEIRS] for name in means if name != THEIRS},
        "noise": {
            name: math.sqrt(spread[name] + spread[THEIRS]) for name in means if name != THEIRS
        },
    }  # fmt: skip


def _variance(values: list[float]) -> float:
    return float(np.var(values, ddof=1)) if len(values) > 1 else 0.0


def _shown(values: list[float]) -> str:
    return f"{100 * np.mean(values):.2f} ± {100 * math.sqrt(_variance(values)):.2f}"


def table(results: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| data | rows, held out | network, epochs | scikit-learn | xpfit | difference | "
        '`initializer="he"` | difference |',
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in results["rows"]:
        cells = [
            row["set"], f"{row['n_train']:,}, {row['n_test']:,}",
            f"{row['n_features']}-{row['units']}, {row['epochs']}",
            _shown(row["accuracies"][THEIRS]),
        ]  # fmt: skip
        for name, difference in row["differences"].items():
            cells.append(_shown(row["accuracies"][name]))
            cells.append(f"{100 * difference:+.2f} ± {100 * row['noise'][name]:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    machine = results["machine"]
    lines += [
        "",
        f"Per cent of the held-out rows, mean and deviation over {results['seeds']} seeds. "
        f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}, scikit-learn "
        f"{machine['versions']['scikit-learn']}, {machine['date']}.",
    ]
    return "\n".join(lines) + "\n"


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -P -m xpfit.bench.network_scores")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    parser.add_argument("--docs", type=Path, default=Path("docs/networks.md"))
    given = parser.parse_args(words)
    results: dict[str, Any] = {"seeds": given.seeds, "rows": []}
    for task in tasks(given.size):
        results["rows"].append(compared(task, given.seeds))
        row = results["rows"][-1]
        sys.stdout.write(f"{row['set']}: {row['means']}, noise {row['noise']}\n")
        sys.stdout.flush()
    results["machine"] = describe_machine()
    given.out.mkdir(parents=True, exist_ok=True)
    text = table(results)
    (given.out / "network-scores.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (given.out / "network-scores.md").write_text(f"# Held-out scores\n\n{text}", "utf-8")
    if given.docs.exists() and "<!-- scores -->" in given.docs.read_text("utf-8"):
        page = given.docs.read_text("utf-8")
        marks = ("<!-- scores -->", "<!-- end of scores -->")
        given.docs.write_text(put_between_markers(page, text, *marks), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
