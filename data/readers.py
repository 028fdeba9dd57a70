"""Read a file into a Table, by its extension."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .errors import DataError
from .table import Table, check_names

EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
    ".svm": "libsvm",
    ".libsvm": "libsvm",
}
_COMPRESSIBLE = {"csv", "libsvm"}


def file_format(path: Path) -> str:
    """Say which reader takes a file.

    Parameters
    ----------
    path : Path
        Only the name is looked at.

    Raises
    ------
    DataError
        When the extension is unknown.

    Examples
    --------
    >>> file_format(Path("adult.csv.gz"))
    'csv'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = (suffixes[-2] if len(suffixes) > 1 else "") if zipped else "".join(suffixes[-1:])
    found = EXTENSIONS.get(suffix, "")
    if not found or (zipped and found not in _COMPRESSIBLE):
        shown = (suffix + ".gz" if zipped else suffix) or "(none)"
        reason = f"its extension {shown} names no format that xpfit reads"
        known = ".csv, .csv.gz, .tsv, .tsv.gz, .parquet, .npz, .svm, .svm.gz or .libsvm"
        raise DataError(str(path), reason, f"give it the extension of its format: {known}")
    return found


def read_table(path: str | Path, text_columns: Iterable[str] = ()) -> Table:
    """Read a CSV, Parquet, npz or LIBSVM file.

    Parameters
    ----------
    path : str or Path
        The file; its extension says the format. CSV, TSV and LIBSVM may be gzipped.
    text_columns : iterable of str
        Columns of a CSV file to be read as text whatever they look like, so that a file to be
        predicted is read as the training file was.

    Returns
    -------
    Table
        With at least one row and one column.

    Raises
    ------
    DataError
        When the file is missing, empty, cut off, corrupt, or its columns have no proper names.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "demo.csv"
    ...     _ = file.write_text("age,job\\n31,cook\\n45,?\\n")
    ...     table = read_table(file)
    >>> table.names, table.kind("job"), table.categories["job"].codes.tolist()
    (('age', 'job'), 'categorical', [0, -1])
    """
    path = Path(path)
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*") if p.stem[:3] == path.stem[:3])[:5]
        hint = f"; {path.parent} has {', '.join(near)}" if near else ""
        raise DataError(str(path), "the file does not exist", f"check the path{hint}")
    if path.is_dir():
        raise DataError(str(path), "it is a folder, not a file", "name one file")
    kind = file_format(path)
    if path.stat().st_size == 0:
        raise DataError(str(path), "the file is empty", "check how it was written")
    table = _reader(kind, path, tuple(text_columns))
    check_names([*table.names, *table.aside], str(path))
    if not table.n_rows:
        raise DataError(str(path), "it has column names but no rows", "check how it was written")
    return table


def _reader(kind: str, path: Path, text_columns: tuple[str, ...]) -> Table:
    """Call the reader; each is imported when needed, because pyarrow takes a while."""
    try:
        if kind == "npz":
            from .npz import read_npz

            return read_npz(path)
        if kind == "libsvm":
            from .libsvm import read_libsvm

            return read_libsvm(path)
        from .arrow import read_csv, read_parquet

        return read_csv(path, text_columns) if kind == "csv" else read_parquet(path)
    except PermissionError as error:
        raise DataError(str(path), "it may not be read", "check its permissions") from error
