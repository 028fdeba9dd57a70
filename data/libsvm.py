"""LIBSVM text: ``label index:value index:value ...`` per line.

Read with NumPy: the reader of scikit-learn would do, but only the estimators may import it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from .errors import DataError
from .table import Table


def read_libsvm(path: Path) -> Table:
    """Read a LIBSVM file into a CSR matrix; its labels are the column ``y``.

    Columns are named ``x<index>`` with the index that the file writes, so two files of one
    kind fit each other whatever their first or last index is.

    Parameters
    ----------
    path : Path
        ``.svm`` or ``.libsvm``, or either with ``.gz``. ``# comments`` and ``qid:`` are skipped.

    Raises
    ------
    DataError
        When the file is cut off, or a line is not of this form; the message has its number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "demo.svm"
    ...     _ = file.write_text("+1 1:0.5 3:2\\n-1 2:1\\n")
    ...     table = read_libsvm(file)
    >>> table.names, table.block.toarray().tolist()
    (('x1', 'x2', 'x3'), [[0.5, 0.0, 2.0], [0.0, 1.0, 0.0]])
    """
    from scipy.sparse import csr_matrix

    labels: list[float] = []
    counts: list[int] = []
    indices: list[int] = []
    values: list[float] = []
    for number, line in _lines(path):
        tokens = line.split()
        try:
            labels.append(float(tokens[0]))
            pairs = [token.split(b":") for token in tokens[1:] if not token.startswith(b"qid:")]
            row = [(int(index), float(value)) for index, value in pairs]
        except ValueError as error:
            raise _bad_line(path, number, line) from error
        columns = [index for index, _ in row]
        if any(a >= b for a, b in pairwise(columns)) or min(columns, default=0) < 0:
            raise _bad_line(path, number, line, "its indices do not increase")
        counts.append(len(row))
        indices.extend(columns)
        values.extend(value for _, value in row)
    if not labels:
        raise DataError(str(path), "it has no rows", "check how it was written")
    if not indices:
        raise DataError(str(path), "no line has an index:value pair", "check how it was written")
    first, width = min(min(indices), 1), max(indices) + 1
    column = np.asarray(indices, dtype=np.int32) - first
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    block = csr_matrix((np.asarray(values), column, indptr), shape=(len(labels), width - first))
    names = tuple(f"x{j}" for j in range(first, width))
    position = {name: j for j, name in enumerate(names)}
    return Table(
        str(path), names, block, position, aside={"y": np.asarray(labels)}, absent_is_zero=True
    )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield line numbers and lines that hold something, without comments."""
    opener = gzip.open if path.suffix.lower() == ".gz" else Path.open
    try:
        with opener(path, "rb") as stream:
            for number, line in enumerate(stream, start=1):
                content = line.partition(b"#")[0].strip()
                if content:
                    yield number, content
    except (OSError, EOFError, zlib.error) as error:
        reason = f"the file is cut off or corrupt ({error})"
        raise DataError(str(path), reason, "fetch it again, and compare its size") from error


def _bad_line(path: Path, number: int, line: bytes, why: str = "") -> DataError:
    shown = line[:60].decode("utf-8", "replace")
    reason = why or "it is not of the form: label index:value index:value ..."
    remedy = "mend the line, or write the file again"
    if b"," in line.split()[0]:
        reason, remedy = "it has several labels", "keep one label per row: xpfit fits one target"
    return DataError(f"line {number} of {path} ({shown!r})", reason, remedy)
