"""Measure cases: agreement first, then all rungs in turns, then what the times mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..timing import PAUSE, Timing, compare
from .case import OUT_OF_CACHE, Case, relative_difference
from .rates import Rates
from .rungs import LOOP, VECTORIZED, Rung, prepare_rungs

Record = dict[str, Any]
ROUNDS, FEWEST_ROUNDS = 9, 3
NO_TIME = "no time was left in the budget"


def agreeing(
    case: Case, rungs: Mapping[str, Rung]
) -> tuple[dict[str, float], dict[str, str], dict[str, float]]:
    """Call every rung once and compare it with the first.

    Returns
    -------
    errors : dict
        Of the rungs that agree, relative to the reference's largest entry.
    refused : dict
        Why the others are not timed.
    firsts : dict
        Seconds of the first call: compiling and page faults included.
    """
    errors: dict[str, float] = {}
    refused: dict[str, str] = {}
    firsts: dict[str, float] = {}
    expected: Any = None
    for name, rung in rungs.items():
        started = time.perf_counter()
        try:
            result = rung.run()
        except Exception as problem:  # a rung that fails is a finding, not the end of the run
            refused[name] = f"failed: {type(problem).__name__}: {problem}"
            continue
        firsts[name] = time.perf_counter() - started
        found = rung.to_host(result)
        # A rung may write into the same array at every call: the reference is kept apart.
        expected = _copied(found) if expected is None else expected
        error = relative_difference(found, expected)
        if error <= case.tolerance:
            errors[name] = error
        else:
            refused[name] = f"disagrees by {error:.1e} (allowed: {case.tolerance:.0e}); not timed"
    return errors, refused, firsts


def _copied(result: Any) -> Any:
    if isinstance(result, tuple | list):
        return tuple(_copied(part) for part in result)
    return np.array(result)


def measure_size(
    case: Case, n: int, backends: frozenset[str], rates: Rates | None, *, rounds: int = ROUNDS,
    pause: float = PAUSE,
) -> list[Record]:  # fmt: skip
    """The records of all rungs of a case at one size.

    Parameters
    ----------
    rates : Rates or None
        None leaves the shares of the machine's rates out.
    """
    try:
        inputs = case.make(n, np.random.default_rng(0))
    except MemoryError as problem:
        return [_record(case, n, "", refused=f"the data do not fit: {problem}")]
    rungs, failed = prepare_rungs(case, inputs, n, backends)
    errors, refused, firsts = agreeing(case, rungs)
    refused = {**failed, **refused}
    records = [_record(case, n, name, refused=why) for name, why in refused.items()]
    if not errors:
        return records
    found = compare(
        {name: rungs[name].run for name in errors}, rounds=rounds, pause=pause,
        unchecked=frozenset(errors),
    )  # fmt: skip
    reference = VECTORIZED if VECTORIZED in errors else next(iter(errors))
    for name, timing in found.timings.items():
        records.append(
            _record(
                case, n, name, error=errors[name], first_call_s=firsts[name],
                transfer_s=rungs[name].transfer, reference=reference, peer=rungs[name].is_peer,
                speedup=found.median(reference) / timing.median,
                **_meaning(case, n, timing, rates),
            )
        )  # fmt: skip
    return records


def _record(case: Case, n: int, rung: str, **more: Any) -> Record:
    return {"case": case.name, "group": case.group, "n": n, "rung": rung, **more}


def _meaning(case: Case, n: int, timing: Timing, rates: Rates | None) -> Record:
    n_bytes, operations = case.bytes_moved(n), case.operations(n)
    memory = 0.0 if rates is None else rates.copy if case.writes else rates.read
    rate, flops = n_bytes / timing.median, operations / timing.median
    return {
        "median_s": timing.median, "spread_s": timing.spread, "rounds": len(timing.samples),
        "bytes": n_bytes, "operations": operations, "bytes_per_s": rate,
        "operations_per_s": flops if operations else None,
        "share_of_memory": rate / memory if memory and n_bytes >= OUT_OF_CACHE else None,
        "share_of_matrix_rate": flops / rates.matrix if rates and operations else None,
    }  # fmt: skip


def scale_loops(cases: Mapping[str, Case], records: list[Record]) -> None:
    """Say what the Python loop would take at sizes where it was not run, in a field of its own.

    `scaled_loop_s` of every record: trips at its n, at the rate of the largest loop that was timed.
    """
    for record in records:
        record.pop("scaled_loop_s", None)
        record.pop("scaled_from_n", None)
    for name, case in cases.items():
        timed = [r for r in records if r["case"] == name and r["rung"] == LOOP and "median_s" in r]
        if not timed:
            continue
        largest = max(timed, key=lambda record: record["n"])
        seconds = largest["median_s"] / case.loop_numbers(largest["n"])
        for record in records:
            if record["case"] == name and record["n"] > largest["n"]:
                record["scaled_loop_s"] = seconds * case.loop_numbers(record["n"])
                record["scaled_from_n"] = largest["n"]


def measure(
    cases: Iterable[Case],
    sizes: Callable[[Case], tuple[int, ...]],
    backends: frozenset[str],
    rates: Rates | None,
    *,
    budget: float,
    pause: float = PAUSE,
    rounds: int = ROUNDS,
) -> Iterator[tuple[Case, int, list[Record]]]:
    """Measure case by case, small sizes of all cases first, while the budget of seconds lasts.

    Yields
    ------
    (case, n, records)
        One record that says so for each size there was no time for.
    """
    chosen = list(cases)
    work = sorted(
        ((level, case, n) for case in chosen for level, n in enumerate(sizes(case))),
        key=lambda item: item[0],
    )
    started = time.perf_counter()
    for position, (_, case, n) in enumerate(work):
        left = budget - (time.perf_counter() - started)
        if left <= 0.0 and position > 0:
            yield case, n, [_record(case, n, "", refused=NO_TIME)]
            continue
        share = left / (len(work) - position)
        few = FEWEST_ROUNDS if share < 2.0 else rounds
        yield case, n, measure_size(
            case, n, backends, rates, rounds=min(rounds, few), pause=pause
        )  # fmt: skip
