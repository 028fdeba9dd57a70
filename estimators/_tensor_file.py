"""safetensors files with JSON in the header: written whole or not at all, and read with care."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__


class ModelFileError(ValueError):
    """A model file cannot be written or read: what was asked, who asked, why not, what to do."""


def file_error(asked: str, who: str, why: str, remedy: str) -> ModelFileError:
    """What was asked, by whom, why not, and what to do."""
    return ModelFileError(f"{asked} (asked by {who}): {why}. What to do: {remedy}.")


def require_writable(path: Path, asked: str, who: str) -> None:
    """Find out whether `write_atomically` can write there, without touching a file of that name.

    Raises
    ------
    ModelFileError
        As `write_atomically`.
    """
    _refuse_folder(path, asked, who)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"):
            pass
    except OSError as problem:
        raise _not_writable(problem, asked, who) from problem


def _refuse_folder(path: Path, asked: str, who: str) -> None:
    if path.is_dir():
        raise file_error(asked, who, "it is a folder", "name a file in it: model.safetensors")


def _not_writable(problem: OSError, asked: str, who: str) -> ModelFileError:
    return file_error(
        asked, who, f"the file cannot be written: {problem}",
        "check that the folder exists, is writable and has room",
    )  # fmt: skip


def write_atomically(path: Path, content: bytes, asked: str, who: str) -> None:
    """Replace a file once the new one is complete."""
    _refuse_folder(path, asked, who)
    # In the same folder, so that the last step is a rename: never a half-written file at `path`.
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private; a model is as readable as any new file of this user.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as problem:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise _not_writable(problem, asked, who) from problem


def read_tensors(
    path: str | os.PathLike[str],
    who: str,
    asked: str,
    key: str,
    version: int,
    *,
    arrays: bool = True,
) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]] | None]:
    """The JSON under `key` in the header, and the arrays if they are wanted.

    Raises
    ------
    ModelFileError
        For a file that is not there, damaged, of another kind, or of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        why = "it is a folder" if Path(path).is_dir() else "the file does not exist"
        remedy = "check the path; a model is written by estimator.save(path)"
        raise file_error(asked, who, why, remedy)
    try:
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get(key)
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names} if arrays else None
    except (SafetensorError, OSError) as problem:
        raise file_error(
            asked, who, f"it is no whole safetensors file ({problem})",
            "it may be cut off or damaged, or of another kind: copy it again, or fit and save anew",
        ) from problem  # fmt: skip
    if header is None:
        raise file_error(
            asked, who, "it is a safetensors file, but not one that xpfit wrote for this",
            "pass a file written by estimator.save(path), or a checkpoint to resume from",
        )  # fmt: skip
    try:
        content = json.loads(header)
        found = content["format_version"]
    except (ValueError, KeyError, TypeError) as problem:
        raise damaged(asked, who, problem) from problem
    if not isinstance(found, int) or found > version:
        raise file_error(
            asked, who,
            f"it has format version {found!r} (written by xpfit {content.get('xpfit_version')}), "
            f"and xpfit {__version__} reads up to {version}",
            "upgrade xpfit",
        )  # fmt: skip
    return content, tensors


def damaged(asked: str, who: str, problem: Exception) -> ModelFileError:
    """The error for a header that cannot be read."""
    return file_error(
        asked, who, f"its header is damaged ({type(problem).__name__}: {problem})",
        "copy the file again, or fit and save anew",
    )  # fmt: skip
