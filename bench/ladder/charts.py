"""Pictures of the ladder: time against n for each case, and the roofline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .case import OUT_OF_CACHE
from .rungs import COMPILED, FUSED, LOOP, VECTORIZED

# One colour for each rung, the same in every picture (Okabe and Ito's, told apart by all eyes).
COLOURS = {
    LOOP: "#999999", VECTORIZED: "#0072b2", COMPILED: "#e69f00", FUSED: "#d55e00",
    "JAX (cpu)": "#009e73", "fused JAX (cpu)": "#56b4e9", "scikit-learn": "#cc79a7",
    "PyTorch": "#000000",
}  # fmt: skip
LINE = 8.5  # points between two lines of names
_SPARE = ("#f0e442", "#7f3c8d", "#11a579", "#3969ac", "#a5aa99")


def colour_of(rung: str, all_rungs: list[str]) -> str:
    """The colour of a rung."""
    if rung in COLOURS:
        return COLOURS[rung]
    others = [name for name in all_rungs if name not in COLOURS]
    return _SPARE[others.index(rung) % len(_SPARE)]


def timed(records: list[dict[str, Any]], case: str) -> list[dict[str, Any]]:
    """The records of a case that hold a time."""
    return [r for r in records if r["case"] == case and r.get("median_s") is not None]


def crossover(records: list[dict[str, Any]], case: str, slow: str, fast: str) -> float | None:
    """The n at which `fast` overtakes `slow`, between two sizes by log-log interpolation.

    None where it is ahead at every size, at none, or where a size is missing.

    Examples
    --------
    >>> times = {("a", 1): 1.0, ("a", 100): 100.0, ("b", 1): 10.0, ("b", 100): 10.0}
    >>> records = [{"case": "c", "rung": r, "n": n, "median_s": t} for (r, n), t in times.items()]
    >>> round(crossover(records, "c", "a", "b"), 6)
    10.0
    """
    by_n: dict[int, dict[str, float]] = {}
    for record in timed(records, case):
        by_n.setdefault(record["n"], {})[record["rung"]] = record["median_s"]
    sizes = sorted(n for n, times in by_n.items() if slow in times and fast in times)
    lead = [float(np.log(by_n[n][fast] / by_n[n][slow])) for n in sizes]
    for k in range(len(sizes) - 1):
        if lead[k] > 0.0 >= lead[k + 1]:
            share = lead[k] / (lead[k] - lead[k + 1])
            low, high = np.log(sizes[k]), np.log(sizes[k + 1])
            return float(np.exp(low + share * (high - low)))
    return None


def draw_ladders(records: list[dict[str, Any]], path: Path) -> None:
    """Write one chart for each case: seconds against n, both logarithmic."""
    from matplotlib.figure import Figure

    cases = list(dict.fromkeys(r["case"] for r in records if r.get("median_s") is not None))
    rungs = list(dict.fromkeys(r["rung"] for r in records))
    columns = max(1, min(3, len(cases)))
    rows = max(1, -(-len(cases) // columns))
    # Few cases get larger charts, not smaller pictures.
    width = 4.2 if columns > 2 else 6.4
    figure = Figure(figsize=(width * columns, 0.8 * width * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for ax, case in zip(axes, cases, strict=False):
        _draw_ladder(ax, records, case, rungs)
    for ax in axes[len(cases) :]:
        ax.set_axis_off()
    figure.savefig(path, dpi=110)


def _draw_ladder(ax: Any, records: list[dict[str, Any]], case: str, rungs: list[str]) -> None:
    found = timed(records, case)
    for rung in dict.fromkeys(r["rung"] for r in found):
        points = sorted((r["n"], r["median_s"]) for r in found if r["rung"] == rung)
        n, seconds = zip(*points, strict=True)
        ax.plot(n, seconds, "o-", ms=4, lw=1.5, color=colour_of(rung, rungs), label=rung)
    at = crossover(records, case, VECTORIZED, FUSED)
    if at is not None:
        ax.axvline(at, color="#666666", lw=1, ls=":")
        ax.annotate(
            f"fused ahead\nfrom n = {at:,.0f}", (at, 0.02), xycoords=("data", "axes fraction"),
            fontsize=7, color="#444444", ha="left", va="bottom", xytext=(3, 0),
            textcoords="offset points",
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="n", ylabel="seconds", title=case)
    ax.title.set_fontsize(10)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=7)


def draw_roofline(records: list[dict[str, Any]], rates: dict[str, float], path: Path) -> None:
    """Write operations per second against operations per byte, below what the machine can do."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    ax = figure.subplots()
    ratios = [r["operations"] / r["bytes"] for r in records if r.get("operations_per_s")]
    ends = np.log10([min(ratios, default=0.1) / 5, max(ratios, default=10.0) * 5])
    intensity = np.logspace(*ends, 200)
    roof = np.minimum(rates["read"] * intensity, rates["matrix"])
    ax.plot(intensity, roof, color="#444444", lw=2, label="memory, then matrix product")
    rungs = list(dict.fromkeys(r["rung"] for r in records))
    largest: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        if record.get("operations_per_s") and record["rung"] != LOOP:
            key = record["case"], record["rung"]
            if key not in largest or largest[key]["n"] < record["n"]:
                largest[key] = record
    for rung in dict.fromkeys(name for _, name in largest):
        points = [r for (_, name), r in largest.items() if name == rung]
        colour = colour_of(rung, rungs)
        for in_memory, face in ((True, colour), (False, "none")):
            chosen = [r for r in points if (r["bytes"] >= OUT_OF_CACHE) is in_memory]
            x = [r["operations"] / r["bytes"] for r in chosen]
            y = [r["operations_per_s"] for r in chosen]
            ax.plot(x, y, "o", ms=5, color=colour, markerfacecolor=face)
        ax.plot([], [], "o", ms=5, color=colour, label=rung)
    size = f"{OUT_OF_CACHE >> 20} MiB"
    text = f"hollow: less than {size}, which a cache may hold:\nthe roof does not bind there"
    ax.text(0.98, 0.02, text, transform=ax.transAxes, fontsize=7, ha="right", color="#444444")
    # Cases of one group differ in what is stored, not in what is done: their names would collide.
    named = [r["case"] for r in largest.values() if r.get("group") != "dtypes"]
    at = {}
    for case in dict.fromkeys(named):
        points = [r for (name, _), r in largest.items() if name == case]
        best = max(points, key=lambda r: r["operations_per_s"])
        at[case] = best["operations"] / best["bytes"], best["operations_per_s"]
    ax.set(
        xscale="log", yscale="log", xlabel="operations per byte that must move",
        ylabel="operations per second", title="Roofline: the largest size of each case",
    )  # fmt: skip
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    figure.draw_without_rendering()  # now it is known where points are
    _name_points(ax, at)
    figure.savefig(path, dpi=110)


def _name_points(ax: Any, at: dict[str, tuple[float, float]]) -> None:
    """Write names beside points, from the lowest up, each above those it would cover."""
    points_per_pixel = 72.0 / ax.figure.dpi
    taken: list[tuple[float, float, float]] = []  # left, right, height
    for name, where in sorted(at.items(), key=lambda item: item[1][1]):
        left, height = ax.transData.transform(where) * points_per_pixel + 4.0
        right = left + 3.9 * len(name)
        for other_left, other_right, other in sorted(taken, key=lambda line: line[2]):
            if left < other_right and right > other_left and abs(height - other) < LINE:
                height = other + LINE
        taken.append((left, right, height))
        start = ax.transData.transform(where) * points_per_pixel
        ax.annotate(
            name, where, fontsize=7, xytext=(4.0, height - start[1]), textcoords="offset points"
        )
