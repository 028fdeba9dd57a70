"""CSV and Parquet, by pyarrow."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv, parquet

from .errors import DataError, quoted
from .table import Categories, Table, check_names, is_number

# "None" and "-" are left out on purpose: both are categories in published tables.
MISSING = ("", "?", "NA", "N/A", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "Null", "n/a", "<NA>")
_DELIMITERS = (",", ";", "\t", "|")
_DAY = 86400.0
# A text column of which at least this share of the known cells are numbers gets a note.
_MOSTLY_NUMBERS = 0.5


def read_csv(path: Path, text_columns: tuple[str, ...] = ()) -> Table:
    """Read a CSV file: types inferred, white space stripped, missing markers recognised.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv``, or either with ``.gz``; the delimiter (comma, semicolon, tab, bar)
        is taken from the header.
    text_columns : tuple of str
        Columns to read as text whatever they look like.

    Raises
    ------
    DataError
        When the file is cut off, not UTF-8, or has no header.
    """
    header, delimiter = _header(path)
    names = [name.strip() for name in header]
    check_names(names, str(path))
    if all(is_number(name) for name in names):
        reason = f"its first line holds numbers ({quoted(names, 3)}), not column names"
        raise DataError(str(path), reason, "add a header line that names the columns")
    forced = {
        raw: pa.string() for raw, name in zip(header, names, strict=True) if name in text_columns
    }
    try:
        table = _parse(path, delimiter, len(names), forced)
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            raise _broken(path, error) from error
        # A type inferred from the first rows did not hold for a later one: read text, decide after.
        table = _parse(path, delimiter, len(names), {raw: pa.string() for raw in header})
    except (OSError, pa.ArrowException) as error:
        raise _broken(path, error) from error
    read = _table(path, names, table.columns, frozenset(text_columns))
    return replace(read, notes=(*read.notes, *_note_of_the_end(path)))


def _note_of_the_end(path: Path) -> tuple[str, ...]:
    """A file that was cut within its last cell still reads well: only the line break is gone."""
    if path.suffix.lower() == ".gz":
        # gzip knows its length: a cut file was refused.
        return ()
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) in b"\r\n":
            return ()
    return (
        "the file does not end with a line break; if it was cut off, its last cell is incomplete",
    )


def read_parquet(path: Path) -> Table:
    """Read a Parquet file.

    Parameters
    ----------
    path : Path
        Nested columns are refused.

    Raises
    ------
    DataError
        When the file is corrupt or cut off, or a column has a type that is no number or text.
    """
    try:
        table = parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise _broken(path, error) from error
    names = [name.strip() for name in table.column_names]
    # pandas stores a named or filtered index as a column of this form; it is no feature
    keep = [i for i, name in enumerate(names) if not name.startswith("__index_level_")]
    names = [names[i] for i in keep]
    check_names(names, str(path))
    return _table(path, names, [table.column(i) for i in keep], frozenset())


def _header(path: Path) -> tuple[list[str], str]:
    """Return the raw column names and the delimiter."""
    opener = gzip.open if path.suffix.lower() == ".gz" else Path.open
    try:
        with opener(path, "rb") as stream:
            first = stream.readline().decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, error) from error
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    counts = {mark: first.count(mark) for mark in _DELIMITERS}
    delimiter = max(counts, key=lambda mark: counts[mark])
    try:
        parse = csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False)
        options = csv.ReadOptions(autogenerate_column_names=True, use_threads=False)
        row = csv.read_csv(pa.BufferReader(first.rstrip("\r\n").encode() + b"\n"), options, parse)
    except pa.ArrowInvalid as error:
        raise _broken(path, error) from error
    return [
        str(column[0].as_py() if column[0].is_valid else "") for column in row.columns
    ], delimiter


def _parse(path: Path, delimiter: str, width: int, types: dict[str, pa.DataType]) -> pa.Table:
    """Parse the file with pyarrow."""
    return csv.read_csv(
        path,
        # Threads of pyarrow that still run when the process exits can abort it.
        read_options=csv.ReadOptions(use_threads=False),
        parse_options=csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            # in a file of one column, an empty line is a missing value and not decoration
            ignore_empty_lines=width > 1,
        ),
        convert_options=csv.ConvertOptions(
            null_values=list(MISSING), strings_can_be_null=True, column_types=types
        ),
    )


def _broken(path: Path, error: Exception) -> DataError:
    """Say in plain words what pyarrow or zlib could not read."""
    text = " ".join(str(error).split())
    cut = ("Truncated", "end-of-stream", "Expected", "magic bytes", "got 0", "Unexpected end")
    if "Empty CSV file" in text:
        return DataError(str(path), "the file is empty", "check how it was written")
    if any(mark in text for mark in cut):
        reason = f"the file is cut off or corrupt ({text[:160]})"
    else:
        reason = f"the file cannot be read ({text[:160]})"
    return DataError(str(path), reason, "fetch or write it again, and compare its size")


def _not_utf8(path: Path, name: str = "") -> DataError:
    where = f"column {name!r}" if name else "its header"
    with path.open("rb") as stream:
        marked = stream.read(2) in (b"\xff\xfe", b"\xfe\xff")
    was = "utf-16" if marked else "latin1"
    remedy = f"convert it, for example: iconv -f {was} -t utf-8 old.csv > new.csv"
    return DataError(str(path), f"{where} is not UTF-8 text", remedy)


def _table(path: Path, names: list[str], columns: list[Any], as_text: frozenset[str]) -> Table:
    """Sort arrow columns into the numeric block and the categories."""
    numeric: dict[str, NDArray[np.float64]] = {}
    categories: dict[str, Categories] = {}
    notes: list[str] = []
    for name, chunked in zip(names, columns, strict=True):
        if pa.types.is_date(chunked.type) or pa.types.is_timestamp(chunked.type):
            notes.append(f"column {name!r} holds dates: read as days since 1970-01-01")
        column = _column(path, name, chunked, name in as_text)
        if isinstance(column, Categories):
            categories[name] = column
            note = "" if name in as_text else _note_of_numbers(name, column)
            notes += [note] if note else []
        else:
            numeric[name] = column
    n_rows = len(columns[0]) if columns else 0
    # Fortran order: the columns arrive one by one, and are read one by one when fitted
    block = np.empty((n_rows, len(numeric)), dtype=np.float64, order="F")
    for j, values in enumerate(numeric.values()):
        block[:, j] = values
    position = {name: j for j, name in enumerate(numeric)}
    return Table(str(path), tuple(names), block, position, categories, notes=tuple(notes))


def _note_of_numbers(name: str, column: Categories) -> str:
    """Say which cells made categories of a column that is numbers for the most part."""
    rows = column.rows_of_text()
    if not rows.size:
        return ""
    n_known = int((column.codes >= 0).sum())
    if rows.size <= (1.0 - _MOSTLY_NUMBERS) * n_known:
        return (
            f"column {name!r} is read as categories: {rows.size} of {n_known} cells are no "
            f"numbers, the first is {column.levels[column.codes[rows[0]]]!r} in data row "
            f"{rows[0] + 1}; mend or empty them to have it read as numbers"
        )
    decimal = [level for level in column.levels if _has_decimal_comma(level)]
    if decimal and all(is_number(level.replace(",", ".", 1)) for level in column.levels):
        return (
            f"column {name!r} is read as categories: its numbers have commas ({decimal[0]!r}); "
            "write decimals with a point, and thousands without a mark"
        )
    return ""


def _has_decimal_comma(text: str) -> bool:
    return text.count(",") == 1 and is_number(text.replace(",", "."))


def _column(path: Path, name: str, chunked: Any, as_text: bool) -> Categories | NDArray[np.float64]:
    """Turn one arrow column into numbers or categories."""
    kind = chunked.type
    if pa.types.is_null(kind):
        return np.full(len(chunked), np.nan)
    if pa.types.is_boolean(kind):
        codes = pc.fill_null(pc.cast(chunked, pa.int32()), -1).to_numpy()
        return Categories(codes, ("false", "true"))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(chunked)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        instants = pc.cast(chunked, pa.timestamp("us"), safe=False)
        return _numbers(pc.cast(instants, pa.int64())) / (1e6 * _DAY)
    if pa.types.is_time(kind):
        chunked = pc.cast(chunked, pa.string())
    if pa.types.is_dictionary(kind):
        chunked = pc.cast(chunked, kind.value_type)
    if pa.types.is_binary(chunked.type) or pa.types.is_large_binary(chunked.type):
        raise _not_utf8(path, name)
    if not (pa.types.is_string(chunked.type) or pa.types.is_large_string(chunked.type)):
        remedy = "turn it into numbers or text, or write the file without it"
        asked = f"column {name!r} of {path}"
        raise DataError(asked, f"its type is {kind}", remedy)
    return _text(chunked, as_text)


def _numbers(chunked: Any) -> NDArray[np.float64]:
    """Return float64 with NaN for missing."""
    values = pc.cast(chunked, pa.float64(), safe=False)
    return np.asarray(pc.fill_null(values, float("nan")).to_numpy(), dtype=np.float64)


def _text(chunked: Any, as_text: bool) -> Categories | NDArray[np.float64]:
    """Strip, recognise missing markers, and see whether the texts are numbers after all.

    All of it happens on the distinct texts only.
    """
    encoded = chunked.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    raw_levels = [str(level).strip() for level in encoded.dictionary.to_pylist()]
    raw_codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    levels = sorted({level for level in raw_levels if level not in MISSING})
    if levels and not as_text and all(is_number(level) for level in levels):
        values = [np.nan if level in MISSING else float(level) for level in raw_levels]
        numbers: NDArray[np.float64] = np.asarray([*values, np.nan])[raw_codes]
        return numbers
    where = {level: code for code, level in enumerate(levels)}
    recoded = np.asarray([*(where.get(level, -1) for level in raw_levels), -1], dtype=np.int32)
    return Categories(recoded[raw_codes], tuple(levels))
