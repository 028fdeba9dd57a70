"""Make a matrix of a table: numbers standardized, categories one-hot, and the state in plain JSON.

scikit-learn's transformers would do this, but a fitted one can only be saved as a pickle, and no
pickle is ever loaded here. This record holds what they would hold, as numbers and text.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, quoted
from .fitting import (
    CategoryColumn,
    NumberColumn,
    as_categories,
    fit_category,
    fit_number,
    fit_sparse,
)
from .table import Table, check_finite

FORMAT = 1
WIDE = 2000
SPARSE_DENSITY = 0.1
# a sparse file that is fuller than this is standardized like any other: CSR would cost more
SPARSE_BLOCK_DENSITY = 0.25
_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class TableEncoder:
    """What ``fit`` learnt from the training rows.

    Parameters
    ----------
    numbers : tuple of NumberColumn
        Numeric columns: median for missing values, mean, scale, whether there is an indicator.
    categories : tuple of CategoryColumn
        Categorical columns: the texts that have a column of their own.
    sparse : bool
        ``transform`` returns a CSR matrix. Numeric columns of sparse files are then only divided
        by their largest magnitude: subtracting a mean would fill them.
    dropped : mapping of str to str
        Columns that were left out, and why.
    notes : tuple of str
        What else is worth knowing.

    Examples
    --------
    >>> from xpfit.data import Categories
    >>> job = Categories(np.array([0, 1, 0], dtype=np.int32), ("cook", "smith"))
    >>> ages = np.array([[1.0], [2.0], [3.0]])
    >>> table = Table("demo", ("age", "job"), ages, {"age": 0}, {"job": job})
    >>> encoder = TableEncoder.fit(table)
    >>> encoder.feature_names
    ('age', 'job=cook', 'job=smith')
    >>> encoder.transform(table).round(3).tolist()
    [[-1.225, 1.0, 0.0], [0.0, 0.0, 1.0], [1.225, 1.0, 0.0]]
    >>> TableEncoder.from_dict(encoder.to_dict()) == encoder
    True
    """

    numbers: tuple[NumberColumn, ...]
    categories: tuple[CategoryColumn, ...]
    sparse: bool
    dropped: dict[str, str]
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, table: Table, rows: NDArray[np.intp] | None = None) -> TableEncoder:
        """Learn the encoding from the given rows only.

        Parameters
        ----------
        table : Table
            Its ``names`` are the features.
        rows : ndarray of int, optional
            The training rows; all by default.

        Raises
        ------
        DataError
            When a column is infinite somewhere, or no column is of use.
        """
        check_finite(table, table.names, "replace them in the file, or leave them out with --drop")
        rows = np.arange(table.n_rows) if rows is None else rows
        dropped: dict[str, str] = {}
        notes: list[str] = []
        numbers: list[NumberColumn] = []
        categories: list[CategoryColumn] = []
        numeric = [name for name in table.names if name not in table.categories]
        sparse_block = not isinstance(table.block, np.ndarray)
        sparse = sparse_block and _density(table.block) <= SPARSE_BLOCK_DENSITY
        if sparse:
            numbers = fit_sparse(table, numeric, rows, dropped)
        else:
            fitted = (fit_number(table, name, rows, dropped, notes) for name in numeric)
            numbers = [column for column in fitted if column is not None]
        for name in table.names:
            if name in table.categories:
                category = fit_category(name, table.categories[name], rows, dropped, notes)
                categories += [category] if category is not None else []
        if not numbers and not categories:
            why = "; ".join(f"{name!r} {reason}" for name, reason in list(dropped.items())[:5])
            reason = f"no column is left to learn from ({why or 'there is only the target'})"
            raise DataError(table.source, reason, "add columns that vary and are no identifiers")
        encoder = cls(tuple(numbers), tuple(categories), sparse, dropped, tuple(notes))
        return encoder if sparse else encoder._made_sparse_if_wide()

    def _made_sparse_if_wide(self) -> TableEncoder:
        """Choose CSR for output that is very wide and nearly empty."""
        width = len(self.feature_names)
        filled = len(self.numbers) + len(self.categories)
        sparse = width > WIDE and filled <= SPARSE_DENSITY * width
        return TableEncoder(self.numbers, self.categories, sparse, self.dropped, self.notes)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the matrix, in their order."""
        return (
            *(column.name for column in self.numbers),
            *(f"{column.name} (missing)" for column in self.numbers if column.indicator),
            *(name for column in self.categories for name in column.feature_names),
        )

    @property
    def source_names(self) -> tuple[str, ...]:
        """The columns of the table that ``transform`` reads."""
        return (*(c.name for c in self.numbers), *(c.name for c in self.categories))

    def transform(self, table: Table, rows: NDArray[np.intp] | None = None) -> Any:
        """Encode rows.

        Parameters
        ----------
        table : Table
            With the columns seen in ``fit``; others are ignored.
        rows : ndarray of int, optional
            All by default.

        Returns
        -------
        ndarray of float64 or scipy CSR matrix, shape (n_rows, n_features)

        Raises
        ------
        DataError
            When a column is absent, infinite, or has text where numbers were learnt.
        """
        self._check(table)
        rows = np.arange(table.n_rows) if rows is None else rows
        if not self.sparse:
            out = np.zeros((rows.size, len(self.feature_names)))
            self._fill_numbers(table, rows, out)
            self._fill_categories(table, rows, out)
            return out
        from scipy.sparse import csr_matrix, hstack

        parts = [self._sparse_numbers(table, rows), self._sparse_categories(table, rows)]
        return csr_matrix(hstack([part for part in parts if part is not None], format="csr"))

    def _check(self, table: Table) -> None:
        """Compare the columns with those of the training data."""
        absent = [name for name in self.source_names if name not in table.names]
        if absent and not (table.absent_is_zero and not self.categories):
            asked = f"column(s) {quoted(absent)} in {table.source}"
            remedy = "add them; leave cells empty where the value is unknown"
            raise DataError(asked, "the model was trained on them, but they are not there", remedy)
        for name in (column.name for column in self.numbers if column.name in table.categories):
            column = table.categories[name]
            # Text, or true and false. All numbers would not be categories, unless asked for.
            for at in (*column.rows_of_text()[:1], *np.flatnonzero(column.codes >= 0)[:1]):
                level = column.levels[column.codes[at]]
                reason = f"it holds {level!r} (data row {at + 1}); the model was trained on numbers"
                asked = f"column {name!r} of {table.source}"
                raise DataError(asked, reason, "mend these cells, or leave them empty")
        check_finite(table, [column.name for column in self.numbers])

    def _fill_numbers(self, table: Table, rows: NDArray[np.intp], out: NDArray[np.float64]) -> None:
        """Standardize block by block, so that no second copy of the table is held."""
        numbers = self.numbers
        if not numbers:
            return
        medians = np.array([column.median for column in numbers])
        means = np.array([column.mean for column in numbers])
        scales = np.array([column.scale for column in numbers])
        flagged = [j for j, column in enumerate(numbers) if column.indicator]
        chunk = max(1, _CHUNK_BYTES // (8 * len(numbers)))
        for start in range(0, rows.size, chunk):
            part = self._raw_numbers(table, rows[start : start + chunk])
            missing = np.isnan(part)
            part = np.where(missing, medians, part)
            stop = start + len(part)
            out[start:stop, : len(numbers)] = (part - means) / scales
            out[start:stop, len(numbers) : len(numbers) + len(flagged)] = missing[:, flagged]

    def _raw_numbers(self, table: Table, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Gather the numeric columns of some rows as float64; what is absent is missing or zero."""
        absent = 0.0 if table.absent_is_zero else np.nan
        known = [(j, table.position.get(column.name, -1)) for j, column in enumerate(self.numbers)]
        there = [(j, at) for j, at in known if at >= 0]
        out = np.full((rows.size, len(self.numbers)), absent)
        if there:
            to, at = (list(part) for part in zip(*there, strict=True))
            part = table.block[rows][:, at]
            out[:, to] = part if isinstance(part, np.ndarray) else part.toarray()
        return out

    def _fill_categories(
        self, table: Table, rows: NDArray[np.intp], out: NDArray[np.float64]
    ) -> None:
        """Write ones."""
        start = out.shape[1] - sum(column.width for column in self.categories)
        for column in self.categories:
            at = column.positions(as_categories(table, column.name))[rows]
            hit = np.flatnonzero(at >= 0)
            out[hit, start + at[hit]] = 1.0
            start += column.width

    def _sparse_numbers(self, table: Table, rows: NDArray[np.intp]) -> Any:
        """Return the numeric part as CSR."""
        from scipy.sparse import csc_matrix, csr_matrix, diags

        if not self.numbers:
            return None
        centred = any(column.mean != 0 or column.indicator for column in self.numbers)
        if centred or isinstance(table.block, np.ndarray):
            width = len(self.numbers) + sum(column.indicator for column in self.numbers)
            dense = np.zeros((rows.size, width))
            self._fill_numbers(table, rows, dense)
            return csr_matrix(dense)
        # A column that the file does not mention is zero: it reads the empty column at the end.
        n_columns = table.block.shape[1]
        block = csr_matrix(table.block[rows], dtype=np.float64)
        block = csr_matrix((block.data, block.indices, block.indptr), (rows.size, n_columns + 1))
        at = [table.position.get(column.name, n_columns) for column in self.numbers]
        inverse = np.array([1.0 / column.scale for column in self.numbers])
        return csr_matrix(csc_matrix(block)[:, at] @ diags(inverse))

    def _sparse_categories(self, table: Table, rows: NDArray[np.intp]) -> Any:
        """Return the one-hot part as CSR."""
        from scipy.sparse import csr_matrix

        if not self.categories:
            return None
        starts = np.cumsum([0, *(column.width for column in self.categories)])
        at = np.stack(
            [c.positions(as_categories(table, c.name))[rows] for c in self.categories], axis=1
        )
        hit = at >= 0
        indptr = np.concatenate([[0], np.cumsum(hit.sum(axis=1))])
        indices = (at + starts[:-1])[hit]
        shape = (rows.size, int(starts[-1]))
        return csr_matrix((np.ones(indices.size), indices, indptr), shape=shape)

    def unseen(self, table: Table) -> dict[str, int]:
        """Count, per categorical column, the rows whose text was not seen in training."""
        counts = {
            column.name: column.count_unseen(as_categories(table, column.name))
            for column in self.categories
        }
        return {name: count for name, count in counts.items() if count}

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain numbers, text, lists and dictionaries, for JSON."""
        state: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {"format": FORMAT, **state}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> TableEncoder:
        """Restore an encoder from ``to_dict``.

        Raises
        ------
        DataError
            When the state is of another format.
        """
        if state.get("format") != FORMAT:
            reason = f"it has format {state.get('format')!r}, and this version reads {FORMAT}"
            asked = "the encoder in the model file"
            raise DataError(asked, reason, "use the xpfit that wrote it")
        return cls(
            tuple(NumberColumn(**column) for column in state["numbers"]),
            tuple(
                CategoryColumn(**{**column, "levels": tuple(column["levels"])})
                for column in state["categories"]
            ),
            bool(state["sparse"]),
            dict(state["dropped"]),
            tuple(state["notes"]),
        )


def _density(block: Any) -> float:
    return float(block.nnz / max(1, block.shape[0] * block.shape[1]))
