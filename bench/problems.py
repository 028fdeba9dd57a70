"""The data of the benchmarks: made from a seed, or read from a folder of public data sets."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data.table import is_number
from .sizes import Size

Matrix = np.ndarray[Any, Any]
VARIABLE = "XPFIT_SHARED_DATA"
BLOCK = 1 << 14


class Problem(NamedTuple):
    """A data set of a classification."""

    name: str
    X: Any  # ndarray or CSR matrix
    y: Matrix  # labels 0 ... n_classes - 1, int64
    n_classes: int


def fill_in_blocks(X: Matrix, make: Callable[[int], Matrix]) -> Matrix:
    """Fill X with `make(n_rows)`, a block of rows at a time: no second X is ever in memory."""
    for start in range(0, X.shape[0], BLOCK):
        stop = min(X.shape[0], start + BLOCK)
        X[start:stop] = make(stop - start)
    return X


def gaussian(n_samples: int, n_features: int, seed: int = 0) -> Matrix:
    """Standard normal numbers, float64, C order."""
    rng = np.random.default_rng(seed)
    X = np.empty((n_samples, n_features))
    return fill_in_blocks(X, lambda rows: rng.standard_normal((rows, n_features)))


def small_integers(
    n_samples: int, n_features: int, dtype: str, order: str, seed: int = 0
) -> Matrix:
    """Whole numbers 0 ... 255, the same for every dtype and order: all of them hold these."""
    rng = np.random.default_rng(seed)
    X = np.empty((n_samples, n_features), dtype=dtype, order="F" if order == "F" else "C")
    return fill_in_blocks(X, lambda rows: rng.integers(0, 256, (rows, n_features), np.uint8))


def draw_labels(raw_prediction: Matrix, seed: int = 1) -> Matrix:
    """Labels 0.0 and 1.0, each 1 with probability sigmoid(raw_prediction)."""
    draws = np.random.default_rng(seed).random(raw_prediction.shape)
    return (draws < 0.5 * (1.0 + np.tanh(0.5 * raw_prediction))).astype(np.float64)


def logistic_problem(n_samples: int, n_features: int, condition: float, seed: int = 0) -> Problem:
    """Normal rows with the given condition number, labels from a logistic model.

    X = G Q diag(s) Q', G standard normal, Q orthogonal, s from sqrt(condition) down to
    1 / sqrt(condition). The model's coefficients undo s, so that each direction tells as much
    about y as any other, and raw predictions have deviation 2.
    """
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n_features, n_features)))
    half = 0.5 * np.log10(condition)
    scale = np.logspace(half, -half, n_features)
    X = gaussian(n_samples, n_features, seed + 1)
    mixing = (Q * scale) @ Q.T
    for start in range(0, n_samples, BLOCK):
        rows = slice(start, start + BLOCK)
        X[rows] = X[rows] @ mixing
    direction = rng.standard_normal(n_features)
    direction *= 2.0 / np.linalg.norm(direction)
    coefficients = (Q / scale) @ (Q.T @ direction)
    y = draw_labels(X @ coefficients, seed + 2)
    return Problem(f"condition {condition:g}", X, y.astype(np.int64), 2)


def data_folder() -> Path | None:
    """The folder of data sets: XPFIT_SHARED_DATA, else ../shared/data beside the checkout."""
    named = os.environ.get(VARIABLE, "").strip()
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(named) if named else beside
    return folder if folder.is_dir() else None


def _arrays(path: Path) -> dict[str, Matrix]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _labels(y: Matrix) -> tuple[Matrix, int]:
    classes, codes = np.unique(y, return_inverse=True)
    return codes.astype(np.int64), classes.shape[0]


def standardized(X: Matrix) -> Matrix:
    """Columns with mean 0 and deviation 1, float64; constant columns become 0."""
    X = X.astype(np.float64, order="C")
    X -= X.mean(axis=0)
    deviation = X.std(axis=0)
    X /= np.where(deviation > 0.0, deviation, 1.0)
    return X


def _read_csv(path: Path, target: str, leave_out: frozenset[str]) -> tuple[Matrix, Matrix]:
    """Numbers as they are, text columns one-hot (a missing value is a category)."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    columns: list[Matrix] = []
    for name, values in zip(header, zip(*lines, strict=True), strict=True):
        if name == target or name in leave_out:
            continue
        if all(map(is_number, values)):
            columns.append(np.asarray(values, dtype=np.float64)[:, None])
        else:
            text = np.asarray(values)
            columns.append((text[:, None] == np.unique(text)).astype(np.float64))
    at = header.index(target)
    return np.hstack(columns), np.asarray([line[at] for line in lines])


# Columns of text files that are no features.
CSV_SETS = {"adult": ("income", frozenset({"split"})), "german_credit": ("class", frozenset[str]())}
CSR_SETS = ("a9a", "sms_spam_bow")
DENSE_SETS = (
    "heart_scale", "sonar", "ionosphere", "banknote", "cardiotocography", "spambase",
    "wine_quality", "higgs_7500", "dry_bean", "htru2", "letter", "poker_25010", "credit_default",
    "skin_segmentation", "covtype_92962",
)  # fmt: skip


def _csr_set(folder: Path, name: str) -> Problem:
    import scipy.sparse

    parts = _arrays(folder / f"{name}.npz")
    X = scipy.sparse.csr_matrix(
        (parts["data"].astype(np.float64), parts["indices"], parts["indptr"]),
        shape=tuple(int(size) for size in parts["shape"]),
    )
    return Problem(name, X, *_labels(parts["y"]))


def classification_sets() -> Iterator[Problem]:
    """Every classification set of the data folder, dense ones standardized; smallest first.

    Without the folder: three small sets that scikit-learn brings along.
    """
    folder = data_folder()
    if folder is None:
        yield from bundled_sets()
        return
    for name in (*DENSE_SETS, *CSV_SETS, *CSR_SETS):
        yield classification_set(name)
    parts = _arrays(folder / "mnist.npz")
    yield Problem("mnist", standardized(parts["X_train"]), *_labels(parts["y_train"]))


def classification_set(name: str) -> Problem:
    """The set of this name in the data folder, standardized if it is dense.

    Raises
    ------
    FileNotFoundError
        Without the folder.
    """
    folder = data_folder()
    if folder is None:
        message = f"{name} is not here. Set {VARIABLE} to the folder with the data sets."
        raise FileNotFoundError(message)
    if name in CSR_SETS:
        return _csr_set(folder, name)
    if name in CSV_SETS:
        X, y = _read_csv(folder / f"{name}.csv.gz", *CSV_SETS[name])
        return Problem(name, standardized(X), *_labels(y))
    parts = _arrays(folder / f"{name}.npz")
    return Problem(name, standardized(parts["X"]), *_labels(parts["y"]))


def bundled_sets() -> Iterator[Problem]:
    """Breast cancer, wine and digits, standardized."""
    from sklearn import datasets

    for name in ("breast_cancer", "wine", "digits"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        yield Problem(name, standardized(X), *_labels(y))


def text_counts(size: Size) -> Problem:
    """Word counts of short messages, CSR; made-up counts of few rows where they are not here."""
    folder = data_folder()
    if size == "full" and folder is not None:
        return _csr_set(folder, "sms_spam_bow")
    import scipy.sparse

    rng = np.random.default_rng(4)
    X = scipy.sparse.random_array((300, 600), density=0.02, format="csr", rng=rng)
    y = draw_labels(X @ rng.standard_normal(600), 5)
    return Problem("made-up counts", scipy.sparse.csr_matrix(X), y.astype(np.int64), 2)


def mnist_rows(n_samples: int) -> Problem | None:
    """The first rows of MNIST as uint8; None where the data folder is missing."""
    folder = data_folder()
    if folder is None:
        return None
    parts = _arrays(folder / "mnist.npz")
    X = np.ascontiguousarray(parts["X_train"][:n_samples])
    return Problem("mnist", X, *_labels(parts["y_train"][:n_samples]))


def digits_as_bytes() -> Problem:
    """scikit-learn's 8 x 8 digits as uint8 0 ... 255."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return Problem("digits", np.round(X * (255.0 / 16.0)).astype(np.uint8), *_labels(y))
