"""What the encoder learns about one column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .table import Categories, Table

MAX_LEVELS = 100
ID_LEVELS = 20
ID_SHARE = 0.5
MISSING = "(missing)"
OTHER = "(other)"


@dataclass(frozen=True)
class NumberColumn:
    """A numeric column: ``(x - mean) / scale``, and the median where x is missing.

    Parameters
    ----------
    name : str
    median, mean, scale : float
        Of the training rows; mean and scale after missing values were filled.
    indicator : bool
        Whether a further 0/1 column says that the value was missing.

    Examples
    --------
    >>> NumberColumn("age", 38.0, 38.6, 13.7, False).name
    'age'
    """

    name: str
    median: float
    mean: float
    scale: float
    indicator: bool


@dataclass(frozen=True)
class CategoryColumn:
    """A categorical column: one 0/1 column per level.

    Parameters
    ----------
    name : str
    levels : tuple of str
        Sorted texts that have a column of their own.
    missing : bool
        Whether missing values have a column (they do when there were any in training).
    other : bool
        Whether all further texts share a column; without it they are all zeros.

    Examples
    --------
    >>> CategoryColumn("job", ("cook", "smith"), True, False).feature_names
    ('job=cook', 'job=smith', 'job=(missing)')
    """

    name: str
    levels: tuple[str, ...]
    missing: bool
    other: bool

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of its columns in the matrix."""
        extra = (MISSING,) * self.missing + (OTHER,) * self.other
        return tuple(f"{self.name}={level}" for level in (*self.levels, *extra))

    @property
    def width(self) -> int:
        """How many columns it has in the matrix."""
        return len(self.levels) + self.missing + self.other

    def positions(self, column: Categories) -> NDArray[np.int64]:
        """Return the column of each row's one, -1 where the row is all zeros."""
        unseen = len(self.levels) + self.missing if self.other else -1
        where = {level: at for at, level in enumerate(self.levels)}
        missing = len(self.levels) if self.missing else -1
        table = [*(where.get(level, unseen) for level in column.levels), missing]
        positions: NDArray[np.int64] = np.asarray(table, dtype=np.int64)[column.codes]
        return positions

    def count_unseen(self, column: Categories) -> int:
        """Count the rows whose text has no column of its own."""
        known = set(self.levels)
        table = np.asarray([*(level not in known for level in column.levels), False])
        return int(table[column.codes].sum())


def fit_number(
    table: Table,
    name: str,
    rows: NDArray[np.intp],
    dropped: dict[str, str],
    notes: list[str],
) -> NumberColumn | None:
    """Learn a numeric column; constant ones go to ``dropped``.

    Examples
    --------
    >>> table = Table("demo", ("x",), np.array([[1.0], [np.nan], [3.0]]), {"x": 0})
    >>> fit_number(table, "x", np.arange(3), {}, [])
    NumberColumn(name='x', median=2.0, mean=2.0, scale=0.816496580927726, indicator=True)
    """
    column = np.asarray(table.column(name))
    whole = column[rows].astype(np.float64)
    missing = np.isnan(whole)
    known = whole[~missing]
    if not known.size:
        dropped[name] = "has no value in the training rows"
        return None
    if known.min() == known.max() and not missing.any():
        dropped[name] = f"is constant ({known[0]:g})"
        return None
    if column.size > 2 and not missing.any() and np.all(np.diff(column.astype(np.float64)) == 1):
        notes.append(f"column {name!r} counts the rows; if that is all it does, use --drop {name}")
    median = float(np.median(known))
    filled = np.where(missing, median, whole)
    scale = float(filled.std())
    # a column that is constant but for missing values says nothing beyond its indicator
    scale = scale if scale > 0 else 1.0
    return NumberColumn(name, median, float(filled.mean()), scale, bool(missing.any()))


def fit_sparse(
    table: Table, names: list[str], rows: NDArray[np.intp], dropped: dict[str, str]
) -> list[NumberColumn]:
    """Learn the columns of a CSR matrix: no mean, scaled to a largest magnitude of 1.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> table = Table("demo", ("a", "b"), csr_matrix([[0.0, 4.0], [0.0, 0.0]]), {"a": 0, "b": 1})
    >>> gone = {}
    >>> [column.scale for column in fit_sparse(table, ["a", "b"], np.arange(2), gone)], gone
    ([4.0], {'a': 'is zero in all training rows'})
    """
    part = table.block[rows]
    largest = np.asarray(abs(part).max(axis=0).toarray(), dtype=np.float64).ravel()
    columns = []
    for name in names:
        scale = float(largest[table.position[name]])
        if scale:
            columns.append(NumberColumn(name, 0.0, 0.0, scale, False))
        else:
            dropped[name] = "is zero in all training rows"
    return columns


def fit_category(
    name: str,
    column: Categories,
    rows: NDArray[np.intp],
    dropped: dict[str, str],
    notes: list[str],
) -> CategoryColumn | None:
    """Learn a categorical column; constant and identifier-like ones go to ``dropped``.

    Examples
    --------
    >>> column = Categories(np.array([0, 1, -1], dtype=np.int32), ("cook", "smith"))
    >>> fit_category("job", column, np.arange(3), {}, [])
    CategoryColumn(name='job', levels=('cook', 'smith'), missing=True, other=False)
    """
    codes = column.codes[rows]
    missing = bool((codes < 0).any())
    counts = np.bincount(codes[codes >= 0], minlength=len(column.levels))
    seen = np.flatnonzero(counts)
    if not seen.size:
        dropped[name] = "has no value in the training rows"
        return None
    if seen.size == 1 and not missing:
        dropped[name] = f"is constant ({column.levels[seen[0]]!r})"
        return None
    n_known = int(counts.sum())
    if seen.size > ID_LEVELS and seen.size > ID_SHARE * n_known:
        share = f"{seen.size} distinct texts in {n_known} rows"
        dropped[name] = f"looks like an identifier or free text ({share})"
        return None
    other = seen.size > MAX_LEVELS
    if other:
        notes.append(
            f"column {name!r}: the {MAX_LEVELS} most frequent of {seen.size} texts, and others"
        )
        seen = np.sort(seen[np.argsort(-counts[seen], kind="stable")][:MAX_LEVELS])
    return CategoryColumn(name, tuple(column.levels[code] for code in seen), missing, other)


def as_categories(table: Table, name: str) -> Categories:
    """Return a categorical column; numbers become the text that a CSV file would hold.

    Examples
    --------
    >>> as_categories(Table("demo", ("x",), np.array([[2.0], [0.5]]), {"x": 0}), "x").levels
    ('0.5', '2')
    """
    if name in table.categories:
        return table.categories[name]
    column = np.asarray(table.column(name), dtype=np.float64)
    values, codes = np.unique(column, return_inverse=True, equal_nan=True)
    texts = [
        f"{value:.0f}" if float(value).is_integer() else repr(float(value)) for value in values
    ]
    return Categories(np.where(np.isnan(column), -1, codes).astype(np.int32), tuple(texts))
