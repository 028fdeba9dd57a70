"""Held-out rows: drawn by a seeded generator, or named by a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, quoted
from .table import Categories, Table

_TRAIN = {"train", "training"}
_TEST = {"test", "testing", "holdout", "validation", "valid", "val"}


@dataclass(frozen=True)
class Split:
    """Positions of the training and of the held-out rows.

    Parameters
    ----------
    train, test : ndarray of int
        Sorted; ``test`` is empty when nothing is held out.
    how : str
        A sentence about it, for the report.

    Examples
    --------
    >>> Split(np.array([0, 1]), np.array([2]), "by hand").test.tolist()
    [2]
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    how: str


def random_split(
    n_rows: int, test_size: float = 0.25, seed: int = 0, classes: NDArray[Any] | None = None
) -> Split:
    """Draw the held-out rows, class by class where classes are given.

    Parameters
    ----------
    n_rows : int
        How many rows there are.
    test_size : float
        The share held out, at least 0 and less than 1.
    seed : int
        Of ``numpy.random.default_rng``.
    classes : ndarray, shape (n_rows,), optional
        Each class gives the same share; a class of a single row stays in training.

    Raises
    ------
    DataError
        When one of the parts would be empty.

    Examples
    --------
    >>> split = random_split(8, 0.25, seed=0, classes=np.array([0, 0, 0, 0, 1, 1, 1, 1]))
    >>> len(split.train), len(split.test), bool((split.test < 4).any() and (split.test > 3).any())
    (6, 2, True)
    """
    if test_size == 0:
        return Split(np.arange(n_rows), np.arange(0), "nothing held out")
    generator = np.random.default_rng(seed)
    if classes is None:
        groups = [np.arange(n_rows)]
    else:
        codes = np.unique(classes, return_inverse=True)[1]
        order = np.argsort(codes, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    test = []
    for group in groups:
        size = min(round(test_size * group.size), group.size - 1)
        test.append(generator.permutation(group)[:size])
    held_out = np.sort(np.concatenate(test))
    if not held_out.size:
        asked = f"--test-size {test_size} of {n_rows} rows"
        raise DataError(asked, "no row would be held out", "raise --test-size, or set it to 0")
    mask = np.ones(n_rows, dtype=bool)
    mask[held_out] = False
    how = f"random{', stratified by class' if classes is not None else ''}, seed {seed}"
    return Split(np.flatnonzero(mask), held_out, how)


def split_by_column(table: Table, name: str, asker: str = "--split-column") -> Split:
    """Follow a column whose values say ``train`` or ``test``.

    Parameters
    ----------
    table : Table
    name : str
        The column.
    asker : str
        Who named it, for the message.

    Raises
    ------
    DataError
        When the column is missing, holds other values, or gives no training rows.

    Examples
    --------
    >>> column = Categories(np.array([1, 0, 1], dtype=np.int32), ("test", "train"))
    >>> table = Table("demo", ("part",), np.empty((3, 0)), {}, {"part": column})
    >>> split_by_column(table, "part").train.tolist()
    [0, 2]
    """
    column = table.column(name, asker)
    asked = f"column {name!r} of {table.source}"
    remedy = "write train or test in every row, or use --test-size instead"
    if not isinstance(column, Categories):
        raise DataError(asked, "it holds numbers, not train and test", remedy, asker)
    lowered = [level.lower() for level in column.levels]
    other = [level for level in column.levels if level.lower() not in _TRAIN | _TEST]
    if other:
        raise DataError(asked, f"it also holds {quoted(other, 4)}", remedy, asker)
    if (column.codes < 0).any():
        missing = int((column.codes < 0).sum())
        raise DataError(asked, f"it has {missing} missing value(s)", remedy, asker)
    is_train = np.asarray([level in _TRAIN for level in lowered])[column.codes]
    if is_train.all() or not is_train.any():
        which = "test" if is_train.all() else "train"
        raise DataError(asked, f"it has no row that says {which}", remedy, asker)
    return Split(np.flatnonzero(is_train), np.flatnonzero(~is_train), f"by column {name!r}")


def looks_like_split(table: Table, name: str) -> bool:
    """Whether a column holds nothing but ``train`` and ``test``.

    Examples
    --------
    >>> column = Categories(np.array([1, 0], dtype=np.int32), ("test", "train"))
    >>> looks_like_split(Table("demo", ("s",), np.empty((2, 0)), {}, {"s": column}), "s")
    True
    """
    column = table.categories.get(name, table.aside.get(name))
    if not isinstance(column, Categories):
        return False
    levels = {level.lower() for level in column.levels}
    return bool(levels & _TRAIN) and bool(levels & _TEST) and levels <= _TRAIN | _TEST
