"""The speed table as a picture: every figure relative to its target, on one logarithmic axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .report import SENSES, number

REACHED, MISSED, INK = "#2a7f9e", "#d1495b", "#222222"
TICKS = (0.01, 0.03, 0.1, 0.3, 0.5, 1.0, 2.0, 4.0, 10.0, 30.0, 100.0)
# Where a bar ends that would otherwise end nowhere (memory of 0).
SMALLEST, LARGEST = 0.01, 100.0


def _share(figure: dict[str, Any]) -> float:
    """How much of what is allowed was used: at most 1 where the target is reached."""
    value, target = figure["value"], figure["target"]
    if value is None:  # could not be measured
        return LARGEST
    share = target / value if figure["sense"] == ">=" else value / target
    return min(max(float(share), SMALLEST), LARGEST)


def _bars(axes: Any, entries: list[tuple[str, dict[str, Any]]]) -> None:
    labels = [label for label, _ in entries]
    shares = [_share(figure) for _, figure in entries]
    colors = [REACHED if figure["reached"] else MISSED for _, figure in entries]
    positions = range(len(entries))
    # From the target: a bar to the left is room to spare, one to the right is missing.
    axes.barh(positions, [s - 1.0 for s in shares], left=1.0, color=colors, height=0.62)
    axes.axvline(1.0, color=INK, linewidth=1.5)
    axes.set_yticks(list(positions), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    low, high = min(*shares, 0.5), max(*shares, 2.0)
    # Room on the right for the words behind a bar.
    axes.set_xlim(low / 1.6, high * (high / low) ** 0.45 * 1.6)
    ticks = [share for share in TICKS if low / 1.6 <= share <= high * 1.6]
    axes.set_xticks(ticks, [f"{share:g}" for share in ticks])
    axes.minorticks_off()
    axes.margins(y=0.01)
    for position, (_, figure) in zip(positions, entries, strict=True):
        text = (
            f"{number(figure['value'], figure['unit'])}   "
            f"({SENSES[figure['sense']]} {number(figure['target'], figure['unit'])})"
        )
        axes.text(
            max(_share(figure), 1.0) * 1.06, position, text, va="center", fontsize=8, color=INK
        )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", which="major", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)


def _entries(rows: list[dict[str, Any]], kind: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{row['key']}: {figure['label']}" if kind == "figures" else figure["label"], figure)
        for row in rows
        for figure in row[kind]
        # Differences of objectives are no ratios, and may be negative.
        if figure["target"] is not None and figure["unit"] != ""
    ]


def draw(results: dict[str, Any], path: Path) -> None:
    """Write the picture as PNG; needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = list(results["rows"].values())
    panels = [
        (title, entries)
        for title, entries in (
            ("Measured against the target", _entries(rows, "figures")),
            ("Default fit on each data set", _entries(rows, "details")),
        )
        if entries
    ]
    heights = [len(entries) + 2.5 for _, entries in panels]
    figure = Figure(figsize=(11.0, 0.27 * sum(heights) + 0.9), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    all_axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, entries) in zip(all_axes, panels, strict=True):
        _bars(axes, entries)
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    all_axes[-1].set_xlabel(
        "share of what the target allows (left of the line: reached, blue; right: missed, red)",
        fontsize=9,
    )
    machine = rows[0]["machine"]
    figure.suptitle(
        f"xpfit speed table, {results['size']} size: {machine['cpu']}, {machine['cores']} cores, "
        f"commit {machine['commit']}, {machine['date']}",
        fontsize=9, color=INK,
    )  # fmt: skip
    figure.savefig(path)
