"""Files that a fit by epochs goes on from: whole or not there, and only for the same fit."""

from __future__ import annotations

import json
import os
import zlib
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..backends import Backend
from ..core.passes import is_sparse
from ..core.standing import Keep, Snapshot
from ._inputs import name_of, to_host
from ._tensor_file import file_error, read_tensors, require_writable, write_atomically

FORMAT_VERSION = 1
_HEADER_KEY = "xpfit_checkpoint"
# Parameters that may differ when a fit goes on: they change no step.
_FREE = frozenset({"checkpoint", "resume", "callbacks", "verbose", "max_iter", "n_jobs", "backend"})
# Rows of X that go into its fingerprint; y and the weights go in whole.
_ROWS = 1000


class Checkpoint(NamedTuple):
    """What a file holds."""

    snapshot: Snapshot
    held_out: np.ndarray[Any, Any] | None


class Kept(NamedTuple):
    """What a fit with a checkpoint begins with."""

    saved: Snapshot | None
    held_out: np.ndarray[Any, Any] | None
    keep: Keep | None


def check_resume(estimator: Any) -> None:
    """Refuse to resume from nothing."""
    if estimator.resume and estimator.checkpoint is None:
        message = (
            f"{name_of(estimator)}(resume=True): there is no checkpoint to resume from. Pass "
            "checkpoint=PATH, or leave resume out."
        )
        raise ValueError(message)


def kept_by(
    estimator: Any, X: Any, target: Any, weight: Any, backend: Backend,
    held_out: np.ndarray[Any, Any] | None,
) -> Kept:  # fmt: skip
    """What the estimator's `checkpoint` and `resume` ask for; the rows held out are then those of
    the file.

    Raises
    ------
    ModelFileError
        As `read_checkpoint`; where no file can be written at that path.
    """
    if estimator.checkpoint is None:
        return Kept(None, held_out, None)
    who, path, saved = name_of(estimator), estimator.checkpoint, None
    # Now, and not at the first snapshot, seconds or epochs into the fit.
    require_writable(Path(path), _writing(path), who)
    mark = fingerprint(estimator, X, target, weight, backend)
    found = read_checkpoint(path, who, mark) if estimator.resume else None
    if found is not None:
        saved, held_out = found
    return Kept(saved, held_out, partial(write_checkpoint, path, who, mark, held_out))


def fingerprint(
    estimator: Any, X: Any, target: Any, weight: Any, backend: Backend
) -> dict[str, Any]:
    """What must be the same for a fit to go on: parameters, data, backend."""
    params = estimator.get_params(deep=False)
    first = X[:_ROWS]
    rows = first.data if is_sparse(X) else np.ascontiguousarray(to_host(first))
    return {
        "estimator": name_of(estimator),
        "parameters": {key: repr(params[key]) for key in sorted(set(params) - _FREE)},
        "backend": backend.name,
        "X": f"{X.dtype} {'csr' if is_sparse(X) else 'dense'} {tuple(X.shape)} {_checksum(rows)}",
        "y": _checksum(backend.to_numpy(target)),
        "sample_weight": "none" if weight is None else _checksum(backend.to_numpy(weight)),
    }


def _checksum(values: Any) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(values).tobytes()):08x}"


def write_checkpoint(
    path: str | os.PathLike[str], who: str, mark: dict[str, Any],
    held_out: np.ndarray[Any, Any] | None, snapshot: Snapshot,
) -> None:  # fmt: skip
    """Replace the file once the new one is complete."""
    from safetensors.numpy import save as to_bytes

    arrays = dict(snapshot.arrays)
    if held_out is not None:
        arrays["held_out"] = held_out
    header = {"format_version": FORMAT_VERSION, "fingerprint": mark, "numbers": snapshot.numbers}
    content = to_bytes(arrays, {_HEADER_KEY: json.dumps(header)})
    write_atomically(Path(path), content, _writing(path), who)


def _writing(path: str | os.PathLike[str]) -> str:
    return f"writing the checkpoint {os.fspath(path)!r}"


def read_checkpoint(
    path: str | os.PathLike[str], who: str, mark: dict[str, Any]
) -> Checkpoint | None:
    """The checkpoint of this fit; None where there is no file yet.

    Raises
    ------
    ModelFileError
        For a file that is damaged, no checkpoint, or that of another fit.
    """
    if not Path(path).exists():
        return None
    asked = f"resuming from {os.fspath(path)!r}"
    header, arrays = read_tensors(path, who, asked, _HEADER_KEY, FORMAT_VERSION)
    assert arrays is not None
    found = header.get("fingerprint", {})
    other = [key for key in mark if found.get(key) != mark[key]]
    if other:
        key = other[0]
        was, now = found.get(key), mark[key]
        if isinstance(was, dict) and isinstance(now, dict):
            key = next(name for name in now if was.get(name) != now[name])
            was, now = was.get(key), now[key]
        raise file_error(
            asked, who, f"it is the checkpoint of another fit: {key} was {was}, and is {now}",
            "give the same data and parameters, name another checkpoint, or set resume=False",
        )  # fmt: skip
    held_out = arrays.pop("held_out", None)
    return Checkpoint(Snapshot(arrays, header["numbers"]), held_out)
