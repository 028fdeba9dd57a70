"""A table in memory: one numeric block, categorical columns, and what is no feature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, quoted, suggestion


def is_number(text: str) -> bool:
    """Whether Python reads the text as a number.

    Examples
    --------
    >>> is_number("1e3"), is_number("1,5")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Categories:
    """A categorical column: a code per row, and the text that each code stands for.

    Parameters
    ----------
    codes : ndarray of int32, shape (n_rows,)
        Position in ``levels``; -1 where the value is missing.
    levels : tuple of str
        The distinct texts.

    Examples
    --------
    >>> Categories(np.array([0, -1, 1], dtype=np.int32), ("no", "yes")).texts().tolist()
    ['no', '', 'yes']
    """

    codes: NDArray[np.signedinteger[Any]]
    levels: tuple[str, ...]

    def texts(self) -> NDArray[np.str_]:
        """The text of every row, empty where it is missing."""
        texts: NDArray[np.str_] = np.asarray([*self.levels, ""], dtype=np.str_)[self.codes]
        return texts

    def rows_of_text(self) -> NDArray[np.intp]:
        """The rows whose text is no number.

        Examples
        --------
        >>> Categories(np.array([0, 1, -1], dtype=np.int32), ("3.5", "old")).rows_of_text().tolist()
        [1]
        """
        is_text = np.asarray([*(not is_number(level) for level in self.levels), False])
        return np.flatnonzero(is_text[self.codes])


Column: TypeAlias = NDArray[Any] | Categories


@dataclass(frozen=True)
class Table:
    """Columns of a file, in few arrays.

    Leaving a column out only shortens ``names``; the arrays stay shared.

    Parameters
    ----------
    source : str
        Where the rows come from; it is named in messages.
    names : tuple of str
        The columns that may serve as features, in file order.
    block : ndarray or scipy CSR matrix, shape (n_rows, n_numeric)
        All numeric columns, in the dtype in which they are stored; missing values are NaN.
    position : mapping of str to int
        The column of ``block`` that holds a numeric column.
    categories : mapping of str to Categories
        The categorical columns.
    aside : mapping of str to ndarray or Categories
        Columns that never serve as features: ``y`` of an npz file, the labels of a LIBSVM file.
    absent_is_zero : bool
        A column that the file does not mention is all zero (LIBSVM), not an error.
    notes : tuple of str
        What a reader had to decide.

    Examples
    --------
    >>> table = Table("demo", ("age",), np.array([[31.0], [45.0]]), {"age": 0})
    >>> table.n_rows, table.kind("age")
    (2, 'numeric')
    """

    source: str
    names: tuple[str, ...]
    block: Any
    position: Mapping[str, int]
    categories: Mapping[str, Categories] = field(default_factory=dict)
    aside: Mapping[str, Column] = field(default_factory=dict)
    absent_is_zero: bool = False
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self.block.shape[0])

    @property
    def default_target(self) -> str | None:
        """The target that the file itself names: ``y``, where the format has one."""
        return "y" if "y" in self.aside else None

    def has(self, name: str) -> bool:
        """Whether there is a column of that name, as a feature or aside."""
        return name in self.names or name in self.aside

    def kind(self, name: str) -> str:
        """Return ``"numeric"`` or ``"categorical"``."""
        column = self.aside.get(name)
        if isinstance(column, Categories) or (column is None and name in self.categories):
            return "categorical"
        return "numeric"

    def column(self, name: str, asker: str = "") -> Column:
        """Return one column.

        Raises
        ------
        DataError
            When there is no such column; the message names the ones that come close.
        """
        if name in self.aside:
            return self.aside[name]
        if name not in self.names:
            asked = f"column {name!r} of {self.source}"
            remedy = suggestion(name, [*self.names, *self.aside])
            raise DataError(asked, "there is no such column", remedy, asker)
        if name in self.categories:
            return self.categories[name]
        values = self.block[:, [self.position[name]]]
        dense = values if isinstance(values, np.ndarray) else values.toarray()
        return np.asarray(dense).ravel()

    def without(self, names: Iterable[str], asker: str = "") -> Table:
        """Return the table less these columns.

        Raises
        ------
        DataError
            When one of them does not exist.
        """
        gone = set(names)
        for name in gone:
            if not self.has(name):
                self.column(name, asker)
        return replace(
            self,
            names=tuple(name for name in self.names if name not in gone),
            aside={name: column for name, column in self.aside.items() if name not in gone},
        )

    def rows(self, index: NDArray[np.intp]) -> Table:
        """Return the table of these rows, copied."""
        return replace(
            self,
            block=self.block[index],
            categories={
                k: Categories(v.codes[index], v.levels) for k, v in self.categories.items()
            },
            aside={
                k: Categories(v.codes[index], v.levels) if isinstance(v, Categories) else v[index]
                for k, v in self.aside.items()
            },
        )


def column_from_array(values: NDArray[Any], where: str) -> Column:
    """Make a column of a one-dimensional array: numbers stay, text and booleans become categories.

    Raises
    ------
    DataError
        For any other dtype.

    Examples
    --------
    >>> column_from_array(np.array(["b", "a", "b"]), "y").codes.tolist()
    [1, 0, 1]
    """
    if values.dtype == np.bool_:
        return Categories(values.astype(np.int32), ("false", "true"))
    if values.dtype.kind in "US":
        text = values.astype(np.str_) if values.dtype.kind == "S" else values
        levels, codes = np.unique(np.char.strip(text), return_inverse=True)
        codes = codes.astype(np.int32)
        if levels.size and levels[0] == "":
            return Categories(codes - 1, tuple(levels[1:].tolist()))
        return Categories(codes, tuple(levels.tolist()))
    if values.dtype.kind in "iuf":
        return values
    raise DataError(where, f"its values have dtype {values.dtype}", "store numbers or text")


def check_names(names: Iterable[str], source: str) -> None:
    """Refuse duplicate column names.

    Raises
    ------
    DataError
        When a name occurs twice.

    Examples
    --------
    >>> check_names(["a", "b"], "demo")
    """
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    twice = [f"{name!r} ({count} times)" for name, count in seen.items() if count > 1]
    if twice:
        reason = f"duplicate column names: {', '.join(twice[:8])}"
        raise DataError(source, reason, "give every column its own name in the header")


def check_finite(
    table: Table, names: Iterable[str], remedy: str = "replace them in the file"
) -> None:
    """Refuse infinities in numeric columns, naming the columns.

    Raises
    ------
    DataError
        When a column holds an infinity, or a sparse block a NaN.
    """
    block = table.block
    if np.dtype(block.dtype).kind != "f":
        return
    chosen = [name for name in names if name in table.position]
    if not isinstance(block, np.ndarray):
        found = np.unique(block.indices[~np.isfinite(block.data)]).tolist()
        bad = [name for name in chosen if table.position[name] in set(found)]
    else:
        bad = [name for name in chosen if np.isinf(block[:, table.position[name]]).any()]
    if bad:
        what = "infinite values" if isinstance(block, np.ndarray) else "infinite values or NaN"
        reason = f"{what} in {len(bad)} column(s): {quoted(bad)}"
        raise DataError(table.source, reason, remedy)
