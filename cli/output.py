"""Writing results: all of them or nothing."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

MODEL_FILE = "model.safetensors"
SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"
OURS = frozenset({MODEL_FILE, SUMMARY_FILE, REPORT_FILE})


def check_folder(out: Path, overwrite: bool) -> None:
    """Refuse to write over what is there, before any work is done.

    Only a folder that holds nothing but files of ours is ever replaced, so that
    ``--out . --overwrite`` cannot delete somebody's work.

    Raises
    ------
    typer.BadParameter
        A usage error: exit code 2.

    Examples
    --------
    >>> check_folder(Path("a-folder-that-does-not-exist"), overwrite=False)
    """
    held = check_only_holds(out, OURS)
    if held and not overwrite:
        message = f"{out} already holds results; use --overwrite, or another folder with --out"
        raise typer.BadParameter(message, param_hint="--out")


def check_only_holds(out: Path, ours: frozenset[str]) -> list[str]:
    """The files that a folder for results holds already, all of them ``ours``.

    Raises
    ------
    typer.BadParameter
        A file, a folder with files of others, or a place where nothing can be made.

    Examples
    --------
    >>> check_only_holds(Path("a-folder-that-does-not-exist"), OURS)
    []
    """
    check_writable(out)
    if not out.exists():
        return []
    if not out.is_dir():
        message = f"{out} is a file; name a folder"
        raise typer.BadParameter(message, param_hint="--out")
    held = sorted(path.name for path in out.iterdir())
    foreign = [name for name in held if name not in ours]
    if foreign:
        message = (
            f"{out} holds files that xpfit did not write ({', '.join(foreign[:3])}"
            f"{', ...' if len(foreign) > 3 else ''}); name another folder with --out"
        )
        raise typer.BadParameter(message, param_hint="--out")
    return held


def check_writable(out: Path) -> None:
    """Refuse a place where nothing can be made, before any work is done.

    Raises
    ------
    typer.BadParameter
        A usage error: exit code 2.

    Examples
    --------
    >>> check_writable(Path("results-of-today"))
    """
    parent = out.resolve().parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    why = "" if parent.is_dir() else f"{parent} is a file"
    if not why:
        # Permissions do not tell: /proc has them, and takes nothing.
        try:
            Path(tempfile.mkdtemp(prefix=".xpfit-", dir=parent)).rmdir()
        except OSError as problem:
            why = f"{parent} takes no files ({problem.strerror or problem})"
    if why:
        message = f"{out} cannot be made: {why}; name another place with --out"
        raise typer.BadParameter(message, param_hint="--out")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``out`` that takes its place at the end.

    If anything goes wrong inside, the temporary folder is removed and ``out`` is as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as base:
    ...     with new_folder(Path(base) / "out") as folder:
    ...         _ = (folder / "a.txt").write_text("a")
    ...     (Path(base) / "out" / "a.txt").read_text()
    'a'
    """
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    unique = uuid.uuid4().hex[:8]
    # beside the target, because only within one file system a rename is one step
    fresh = out.parent / f".{out.name}.{unique}.new"
    old = out.parent / f".{out.name}.{unique}.old"
    fresh.mkdir()
    try:
        yield fresh
        if out.exists():
            out.rename(old)
        try:
            fresh.rename(out)
        except BaseException:
            if old.exists() and not out.exists():
                old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def new_file(out: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``out`` that takes its place at the end.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as base:
    ...     with new_file(Path(base) / "a.txt") as path:
    ...         _ = path.write_text("a")
    ...     (Path(base) / "a.txt").read_text()
    'a'
    """
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.parent / f".{out.stem}.{uuid.uuid4().hex[:8]}{out.suffix}"
    try:
        yield fresh
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write strict JSON: what is no number becomes null.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as base:
    ...     write_json(Path(base) / "a.json", {"a": float("nan")})
    ...     json.loads((Path(base) / "a.json").read_text())
    {'a': None}
    """
    text = json.dumps(_strict(content), indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
