"""Measure the speed table: python -P -m xpfit.bench.speed_table [--rows pass logistic ...]

Writes speed-table.json, speed-table.md and speed-table.png, and the table in docs/benchmarks.md.
Rows that are not asked for keep the results of an earlier run, with that run's machine and commit.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import (
    row_defaults,
    row_dtypes,
    row_graph,
    row_l1,
    row_logistic,
    row_memory,
    row_minibatch,
    row_network,
    row_pass,
    row_path,
    row_softmax,
    row_startup,
)
from .machine import describe_machine
from .picture import draw
from .report import put_between_markers, summary, whole_report
from .sizes import SIZES, Size

ROWS: dict[str, Callable[..., dict[str, Any]]] = {
    module.KEY: module.run
    for module in (
        row_pass, row_dtypes, row_logistic, row_softmax, row_l1, row_path, row_defaults,
        row_minibatch, row_network, row_graph, row_memory, row_startup,
    )
}  # fmt: skip


def measure(
    keys: Sequence[str], size: Size, rounds: int | None, say: Callable[[str], object]
) -> dict[str, Any]:
    """Measure rows one after the other.

    Returns
    -------
    dict
        From key to what the row's `run` returned, with `machine` and `seconds` added.
    """
    measured = {}
    for key in keys:
        say(f"{key} ...")
        started = time.perf_counter()
        row = ROWS[key](size, rounds)
        row["seconds"] = time.perf_counter() - started
        # After the row: its libraries are loaded, and BLAS can be seen.
        row["machine"] = describe_machine()
        measured[key] = row
        say(f" {row['seconds']:.0f} s, targets {'reached' if row['reached'] else 'missed'}\n")
    return measured


def _without_nan(value: Any) -> Any:
    # JSON has no NaN; other readers of the file would choke on Python's.
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def merge(path: Path, measured: dict[str, Any], size: Size) -> dict[str, Any]:
    """The results in a file, if there are any of this size, brought up to date."""
    rows: dict[str, Any] = {}
    if path.exists():
        earlier = json.loads(path.read_text("utf-8"))
        rows = earlier["rows"] if earlier["size"] == size else {}
    rows |= _without_nan(measured)
    return {"size": size, "rows": {key: rows[key] for key in ROWS if key in rows}}


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write JSON, Markdown and, where matplotlib is installed, the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "speed-table.json", folder / "speed-table.md"]
    text = json.dumps(results, indent=1, allow_nan=False)
    written[0].write_text(f"{text}\n", "utf-8")
    written[1].write_text(whole_report(results), "utf-8")
    if importlib.util.find_spec("matplotlib") is not None:
        written.append(folder / "speed-table.png")
        draw(results, written[-1])
    return written


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -P -m xpfit.bench.speed_table", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--rounds", type=int, help="samples of each contestant")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--out", type=Path, help="default: bench/results, for the full size")
    parser.add_argument(
        "--docs", type=Path, help="page with the markers; default: docs/benchmarks.md"
    )
    given = parser.parse_args(words)
    if given.out is None and given.size != "full":
        parser.error("a tiny run is no result: give --out a folder of its own")
    if given.docs is None and given.out is None:
        given.docs = Path("docs/benchmarks.md")
    given.out = given.out or Path("bench/results")
    return given


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    given = _arguments(words)

    def say(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    for key in given.rows:
        # Written after each row: an interrupted run keeps what it has.
        measured = measure([key], given.size, given.rounds, say)
        results = merge(given.out / "speed-table.json", measured, given.size)
        written = write(results, given.out)
    if given.docs is not None and given.docs.exists():
        page = put_between_markers(given.docs.read_text("utf-8"), summary(results))
        given.docs.write_text(page, "utf-8")
        written.append(given.docs)
    say("".join(f"wrote {path}\n" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
