"""NumPy archives: dense ``X``, ``y``; ``X_train`` ... ``y_test``; or the arrays of a CSR matrix."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, quoted
from .table import Column, Table, column_from_array

_CSR = ("data", "indices", "indptr", "shape")
_PARTS = ("X_train", "y_train", "X_test", "y_test")


def read_npz(path: Path) -> Table:
    """Read an npz file; nothing in it is unpickled.

    Parameters
    ----------
    path : Path
        The archive holds ``X`` (rows, columns) or a CSR matrix as ``data``, ``indices``,
        ``indptr``, ``shape``; ``y`` if there is a target; ``feature_names`` if there are names.
        ``X_train``, ``y_train``, ``X_test``, ``y_test`` are put together, with a column
        ``split`` that keeps the two parts apart.

    Raises
    ------
    DataError
        When the archive is corrupt, needs pickle, or its arrays do not fit each other.
    """
    arrays = _load(path)
    aside: dict[str, Column] = {}
    labels: NDArray[Any] | None
    if all(key in arrays for key in _PARTS):
        block, labels = _together(path, arrays)
        length = len(arrays["X_train"])
        parts = np.where(np.arange(len(block)) < length, "train", "test")
        aside["split"] = column_from_array(parts, "split")
    elif "X" in arrays:
        block, labels = arrays["X"], arrays.get("y")
    elif all(key in arrays for key in _CSR):
        block, labels = _csr(path, arrays), arrays.get("y")
    else:
        reason = (
            f"it holds the arrays {quoted(arrays)}, but neither X nor data, indices, indptr, shape"
        )
        raise DataError(str(path), reason, "save it with np.savez(path, X=..., y=...)")
    if block.ndim != 2 or np.dtype(block.dtype).kind not in "iufb":
        reason = f"X has shape {block.shape} and dtype {block.dtype}"
        raise DataError(str(path), reason, "store a matrix of numbers (rows, columns)")
    if np.dtype(block.dtype) == np.bool_:
        block = block.astype(np.uint8)
    if labels is not None:
        if labels.shape != (block.shape[0],):
            reason = f"X has {block.shape[0]} rows, but y has shape {labels.shape}"
            raise DataError(str(path), reason, "store one target value per row")
        aside["y"] = column_from_array(labels, f"y of {path}")
    names = _names(path, arrays, block.shape[1])
    return Table(str(path), names, block, {n: j for j, n in enumerate(names)}, aside=aside)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays, or say what is wrong with the archive."""
    remedy = "fetch or write it again, and compare its size"
    try:
        # opened here because np.load leaves its own file open when the archive is broken
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(str(path), "it is a single .npy array, no archive", "use np.savez")
            return {key: archive[key] for key in archive.files}
    except DataError:
        raise
    except ValueError as error:
        if "pickle" not in str(error):
            raise DataError(str(path), f"the file is corrupt ({error})", remedy) from error
        reason = "it holds Python objects, or is no npz archive; xpfit loads no pickles"
        raise DataError(str(path), reason, "save plain arrays of numbers or text") from error
    except (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        # RuntimeError: zipfile's word for a compression or an encryption that it does not know
        raise DataError(str(path), f"the file is cut off or corrupt ({error})", remedy) from error


def _together(path: Path, arrays: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Stack the training and the test part."""
    try:
        block = np.concatenate([arrays["X_train"], arrays["X_test"]])
        labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    except ValueError as error:
        reason = f"its training and test parts do not fit ({error})"
        raise DataError(str(path), reason, "store parts with the same columns") from error
    return block, labels


def _csr(path: Path, arrays: dict[str, NDArray[Any]]) -> Any:
    """Build and check a CSR matrix."""
    from scipy.sparse import csr_matrix

    try:
        shape = tuple(int(size) for size in arrays["shape"])
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        matrix = csr_matrix(parts, shape=shape)
        matrix.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        raise DataError(
            str(path), f"its CSR arrays are inconsistent ({error})", "save it again"
        ) from error
    return matrix


def _names(path: Path, arrays: dict[str, NDArray[Any]], width: int) -> tuple[str, ...]:
    """Return ``feature_names`` (or ``terms``) where they fit, else x1, x2, ..."""
    for key in ("feature_names", "terms"):
        if key in arrays:
            if arrays[key].shape != (width,):
                reason = f"X has {width} columns, but {key} has shape {arrays[key].shape}"
                raise DataError(str(path), reason, "store one name per column")
            return tuple(str(name) for name in arrays[key])
    # From 1, as LIBSVM counts: the same data in both formats have the same names.
    return tuple(f"x{j}" for j in range(1, width + 1))
