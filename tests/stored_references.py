"""What other libraries found, kept in `tests/references`: compared with wherever tests run."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "references"


@functools.cache
def stored(library: str) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays that `tests/references/make_<library>.py` wrote."""
    with np.load(FOLDER / f"{library}.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write(library: str, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    """Store the arrays; the same arrays are the same bytes."""
    path = FOLDER / f"{library}.npz"
    np.savez_compressed(path, **arrays)
    print(f"{path}: {len(arrays)} arrays, {path.stat().st_size:,} bytes")  # noqa: T201
