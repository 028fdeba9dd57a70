"""``xpfit bench``: the ladder on this machine."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from .console import stderr, stdout


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
        message = (
            f"there is no case {unknown[0]!r}; the cases are {', '.join(CASES)}; "
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
        if not text.isdigit() or int(text) < 2:
            message = f"{text!r} is no whole number of at least 2"
            raise typer.BadParameter(message, param_hint="--sizes")
    return tuple(sorted({int(text) for text in asked}))


def run_bench(options: BenchOptions) -> None:
    """Measure, show what is found as it comes, write files, keep the crossover of `auto`."""
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
    rates = measure_rates()
    records: list[dict[str, Any]] = []
    work = measure(
        cases.values(), lambda case: options.sizes or case.sizes, libraries, rates,
        budget=options.budget - (time.perf_counter() - started),
    )  # fmt: skip
    total = sum(len(options.sizes or case.sizes) for case in cases.values())
    with Live(console=stderr(), transient=True, refresh_per_second=4) as live:
        live.update(Text(f"measuring {total} sizes of {len(cases)} cases"))
        for done, (case, n, found) in enumerate(work, start=1):
            records += found
            if not options.quiet:
                live.update(_shown(records, f"{done} of {total}: {case.name}, n = {n:,}"))
    measured = {(r["case"], r["n"]) for r in records}
    records += [r for r in kept if (r["case"], r["n"]) not in measured]
    scale_loops(cases, records)
    results = {
        "format": FORMAT, "machine": machine,
        "rates": rates.as_dict(),
        "cases": _all_whats(), "records": _in_order(records),
    }  # fmt: skip
    written = write(results, options.out)
    if {"numpy", "numba"} <= libraries:
        _keep_crossover(options.quiet)
    if not options.quiet:
        stdout().print(_shown(records, "The largest size of each case", last=None))
        for path in written:
            stdout().print(str(path), soft_wrap=True)


def _keep_crossover(quiet: bool) -> None:
    from ..bench.ladder.crossover import measure_crossover
    from ..estimators._crossover import auto_crossover, save_crossover

    elements, _ = measure_crossover()
    path = save_crossover(elements)
    if not quiet:
        text = f"auto takes Numba from {auto_crossover():,} numbers of X on, kept in {path}"
        stdout().print(text, soft_wrap=True)


def _all_whats() -> dict[str, str]:
    from ..bench.ladder.cases import CASES

    return {name: case.what for name, case in CASES.items()}


def _in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = list(_all_whats())
    return sorted(json.loads(json.dumps(records)), key=lambda r: (order.index(r["case"]), r["n"]))


def _shown(records: list[dict[str, Any]], title: str, last: int | None = 18) -> RichTable:
    from ..bench.ladder.page import seconds_text

    table = RichTable(title=title, box=None, pad_edge=False, title_justify="left")
    for heading in ("case", "n", "rung", "median", "NumPy / this"):
        table.add_column(heading, justify="left" if heading in ("case", "rung") else "right")
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
