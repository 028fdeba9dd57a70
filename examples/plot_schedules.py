"""Draw all learning-rate schedules, one panel each, into one picture.

    python examples/plot_schedules.py [schedules.png]

docs/images/schedules.png is made by this script. Needs matplotlib.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from xpfit.core.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    InverseTime,
    OneCycle,
    Optimal,
    Schedule,
    StepHalving,
    WarmUp,
)

N_STEPS = 300
LINE, OTHER, INK = "#2a7f9e", "#d1495b", "#222222"

# Title of a panel, and one or two schedules with what tells them apart.
PANELS: list[tuple[str, list[tuple[str, Schedule]]]] = [
    ("Constant", [("", Constant(1.0))]),
    (
        "InverseTime, decay=0.02",
        [
            ("every=1", InverseTime(1.0, decay=0.02)),
            ("decay=1, every=50", InverseTime(1.0, decay=1.0, every=50)),
        ],
    ),
    (
        "Exponential, decay=0.01",
        [
            ("every=1", Exponential(1.0, decay=0.01)),
            ("decay=0.5, every=50", Exponential(1.0, decay=0.5, every=50)),
        ],
    ),
    (
        "InverseScaling",
        [
            ("power=0.25", InverseScaling(1.0)),
            ("power=0.5", InverseScaling(1.0, power=0.5)),
        ],
    ),
    ("Optimal, l2_reg_strength=1", [("", Optimal(1.0))]),
    ("StepHalving, every=60", [("", StepHalving(1.0, every=60))]),
    (
        "StepHalving, every=25, period=100",
        [
            ("restart_factor=1", StepHalving(1.0, every=25, period=100)),
            ("restart_factor=0.5", StepHalving(1.0, every=25, period=100, restart_factor=0.5)),
        ],
    ),
    (
        "Cosine, period=100",
        [
            ("restarts", Cosine(1.0, period=100)),
            ("restarts=False", Cosine(1.0, 100, restarts=False)),
        ],
    ),
    ("Cosine, period=40, period_factor=2", [("", Cosine(1.0, period=40, period_factor=2))]),
    (
        "OneCycle, total_steps=300",
        [
            ("two phases", OneCycle(1.0, total_steps=N_STEPS)),
            ("three_phase", OneCycle(1.0, total_steps=N_STEPS, three_phase=True)),
        ],
    ),
    ("WarmUp, steps=60, then 1", [("", WarmUp(60, 1.0))]),
    (
        "WarmUp, steps=60, then another",
        [
            ("then Cosine", WarmUp(60, Cosine(1.0, period=240), start=0.0)),
            ("then InverseTime", WarmUp(60, InverseTime(1.0, decay=0.02), start=0.0)),
        ],
    ),
]


def draw(path: Path) -> None:
    """Write the picture."""
    figure = Figure(figsize=(11.0, 8.2), layout="constrained")
    FigureCanvasAgg(figure)
    steps = np.arange(N_STEPS)
    grid = figure.subplots(4, 3, sharex=True, sharey=True)
    for axes, (title, schedules) in zip(grid.flat, PANELS, strict=True):
        for (label, schedule), color in zip(schedules, (LINE, OTHER), strict=False):
            axes.step(steps, schedule(steps), where="post", color=color, linewidth=1.6, label=label)
        axes.set_title(title, fontsize=9.5, color=INK, loc="left")
        axes.set_ylim(-0.03, 1.32)  # room for the legend
        axes.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0])
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.tick_params(labelsize=8, length=0)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if len(schedules) > 1:
            axes.legend(fontsize=8, frameon=False, loc="upper right", ncols=2)
    figure.supxlabel("steps already taken", fontsize=9.5, color=INK)
    figure.supylabel("learning rate", fontsize=9.5, color=INK)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "schedules.png")
    draw(target)
    sys.stdout.write(f"wrote {target}\n")
