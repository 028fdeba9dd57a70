"""``xpfit bench``: the ladder on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from .console import say_warning, stderr, stdout
from .output import check_only_holds

OURS = frozenset({"ladder.json", "ladder.md", "ladder.html", "ladder.png", "roofline.png"})
# Seconds from which on the machine itself is measured with care.
LONG = 60.0


@dataclass(frozen=True)
class BenchOptions:
    """What the user asked for.

    Parameters
    ----------
    backends, cases : tuple of str
        Empty: all that can be used here, all cases.
    sizes : tuple of int
        Values of n for every case; empty: each case's own.
    budget : float
        Seconds; small sizes of all cases come first.
    out : Path
    overwrite : bool
    quiet : bool

    Examples
    --------
    >>> BenchOptions(("numpy",), ("affine",)).budget
    300.0
    """

    backends: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    budget: float = 300.0
    out: Path = Path("xpfit-bench")
    overwrite: bool = False
    quiet: bool = False


def chosen_backends(asked: tuple[str, ...]) -> frozenset[str]:
    """Names of the backends to measure.

    Raises
    ------
    typer.BadParameter
        For an unknown name.
    ImportError
        For a backend that was asked for and cannot be used here.
    """
    from ..backends import UnknownBackendError, available_backends, get_backend

    if not asked:
        return frozenset(status.name for status in available_backends() if status.available)
    for name in asked:
        try:
            get_backend(name, source="--backends")
        except UnknownBackendError as error:
            raise typer.BadParameter(str(error), param_hint="--backends") from error
    return frozenset(asked)


def chosen_cases(asked: tuple[str, ...]) -> dict[str, Any]:
    """The cases to measure, by name or by group.

    Raises
    ------
    typer.BadParameter
        For an unknown name.
    """
    from ..bench.ladder.cases import CASES

    groups = {case.group for case in CASES.values()}
    unknown = [name for name in asked if name not in CASES and name not in groups]
    if unknown:
        near = get_close_matches(unknown[0], [*CASES, *groups], n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        message = (
            f"there is no case {unknown[0]!r}{hint}; the cases are {', '.join(CASES)}; "
            f"the groups are {', '.join(sorted(groups))}"
        )
        raise typer.BadParameter(message, param_hint="--cases")
    if not asked:
        return dict(CASES)
    return {name: case for name, case in CASES.items() if name in asked or case.group in asked}


def as_sizes(asked: tuple[str, ...]) -> tuple[int, ...]:
    """Values of n, ascending.

    Raises
    ------
    typer.BadParameter
        For what is no whole number of at least 2.

    Examples
    --------
    >>> as_sizes(("1000", "10"))
    (10, 1000)
    """
    for text in asked:
        if not text.isdecimal() or int(text) < 2:
            message = f"{text!r} is no whole number of at least 2 (10000, not 1e4)"
            raise typer.BadParameter(message, param_hint="--sizes")
    return tuple(sorted({int(text) for text in asked}))


def check_place(out: Path) -> None:
    """Refuse a place for the results before anything is measured.

    Raises
    ------
    typer.BadParameter
        A file, a folder with files of others, or one that cannot be written.

    Examples
    --------
    >>> check_place(Path("a-folder-that-does-not-exist"))
    """
    check_only_holds(out, OURS)
    if out.is_dir() and not os.access(out, os.W_OK | os.X_OK):
        message = f"{out} is not writable for this user; name another folder"
        raise typer.BadParameter(message, param_hint="--out")


def run_bench(options: BenchOptions) -> None:
    """Measure, show what is found as it comes, write files, keep the crossover of `auto`.

    What was measured is written also when the run is interrupted or fails.
    """
    from ..bench.ladder.measure import measure, scale_loops
    from ..bench.ladder.page import FORMAT, read_results, write
    from ..bench.ladder.rates import measure_rates
    from ..bench.machine import describe_machine

    started = time.perf_counter()
    libraries, cases = chosen_backends(options.backends), chosen_cases(options.cases)
    machine = describe_machine()
    kept: list[dict[str, Any]] = []
    earlier = options.out / "ladder.json"
    if earlier.exists() and not options.overwrite:
        kept = read_results(earlier, machine)["records"]
    rates = measure_rates(rounds=5 if options.budget >= LONG else 2)
    records: list[dict[str, Any]] = []
    work = measure(
        cases.values(), lambda case: options.sizes or case.sizes, libraries, rates,
        budget=options.budget - (time.perf_counter() - started),
    )  # fmt: skip
    total = sum(len(options.sizes or case.sizes) for case in cases.values())
    try:
        with _live(options.quiet) as show:
            for done, (case, n, found) in enumerate(work, start=1):
                records += found
                show(records, f"{done} of {total}: {case.name}, n = {n:,}")
    finally:
        # A size that was measured now replaces all its earlier rungs; others stay.
        measured = {(r["case"], r["n"]) for r in records if "median_s" in r}
        before = {(r["case"], r["n"]) for r in kept} - measured
        everything = [r for r in records if (r["case"], r["n"]) not in before]
        everything += [r for r in kept if (r["case"], r["n"]) not in measured]
        scale_loops(_all_cases(), everything)
        results = {
            "format": FORMAT, "machine": machine, "rates": rates.as_dict(),
            "cases": _all_whats(), "records": _in_order(everything),
        }  # fmt: skip
        written = write(results, options.out) if measured else []
    if not measured:
        why = sorted({record["refused"] for record in records})
        message = f"nothing could be measured, and nothing was written: {'; '.join(why)}"
        raise ValueError(message)
    if not options.quiet:
        _tell(records, written)
    # A run that leaves cases out, or is short, says too little of the machine to steer `auto`.
    everything_asked = not options.cases and not options.sizes and options.budget >= LONG
    if {"numpy", "numba"} <= libraries and everything_asked:
        _keep_crossover(options.quiet)


def _tell(records: list[dict[str, Any]], written: list[Path]) -> None:
    from ..bench.ladder.measure import NO_TIME

    known = [record for record in records if record.get("refused") != NO_TIME]
    stdout().print(_shown(known, "The largest size of each case", last=None))
    skipped = sum(1 for record in records if record.get("refused") == NO_TIME)
    if skipped:
        stdout().print(f"{skipped} size(s) were left out: raise --budget to measure them")
    for path in written:
        stdout().print(str(path), soft_wrap=True)


@contextmanager
def _live(quiet: bool) -> Iterator[Callable[[list[dict[str, Any]], str], None]]:
    if quiet:
        yield lambda records, title: None
        return
    with Live(console=stderr(), transient=True, refresh_per_second=4) as live:
        live.update(Text("measuring what this machine can do, then case by case"))
        yield lambda records, title: live.update(_shown(records, title))


def _keep_crossover(quiet: bool) -> None:
    from ..bench.ladder.crossover import measure_crossover
    from ..estimators._crossover import auto_crossover, save_crossover

    elements, _ = measure_crossover()
    try:
        path = save_crossover(elements)
    except OSError as problem:
        say_warning(f"the crossover of 'auto' could not be kept: {problem}")
        return
    if not quiet:
        text = (
            f"auto takes Numba from {auto_crossover():,} numbers of X on; kept in {path}, which "
            "may be deleted"
        )
        stdout().print(text, soft_wrap=True)


def _all_cases() -> dict[str, Any]:
    from ..bench.ladder.cases import CASES

    return CASES


def _all_whats() -> dict[str, str]:
    return {name: case.what for name, case in _all_cases().items()}


def _in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = {name: position for position, name in enumerate(_all_whats())}
    # A case of an earlier version may be gone: it comes last.
    return sorted(records, key=lambda r: (order.get(r["case"], len(order)), r["n"]))


def _shown(records: list[dict[str, Any]], title: str, last: int | None = 18) -> RichTable:
    from ..bench.ladder.page import seconds_text

    table = RichTable(title=title, box=None, pad_edge=False, title_justify="left")
    for heading in ("case", "n", "rung", "median", "reference / this"):
        left = heading in ("case", "rung")
        # Names of cases differ at their ends: they are folded, not cut.
        table.add_column(heading, justify="left" if left else "right", overflow="fold")
    chosen = records[-last:] if last is not None else _largest(records)
    for record in chosen:
        told = record.get("refused") or seconds_text(record["median_s"])
        speedup = "" if record.get("refused") else f"{record['speedup']:.3g}"
        table.add_row(record["case"], f"{record['n']:,}", record["rung"], Text(told), speedup)
    return table


def _largest(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    most: dict[str, int] = {}
    for record in records:
        most[record["case"]] = max(most.get(record["case"], 0), record["n"])
    return [record for record in records if record["n"] == most[record["case"]]]
