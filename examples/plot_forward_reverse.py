"""Forward against reverse mode: passes and seconds for a Jacobian, by size.

    python examples/plot_forward_reverse.py [folder]

Forward mode needs a pass for each input, reverse mode one backward pass for each output. The passes
are counted as they happen; times are medians of alternated runs, shown as a ratio. Needs
matplotlib.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from xpfit.core.graph import custom_vjp, jacobian, namespace

xp = namespace(np)
# Inputs times outputs is the same for all, and so is the size of the Jacobian.
SIZES = [(1, 256), (4, 64), (8, 32), (16, 16), (32, 8), (64, 4), (256, 1)]
ROUNDS = 9
FORWARD, REVERSE, MUTED = "#1f6fb2", "#d9662b", "#66727f"


class Row(NamedTuple):
    """One pair of sizes."""

    n_inputs: int
    n_outputs: int
    forward_passes: int
    reverse_passes: int
    ratio: float  # seconds of forward mode by those of reverse mode


def layer(W: np.ndarray) -> Callable[[Any], Any]:
    """A function of as many inputs as W has columns, with as many outputs as it has rows."""
    return lambda x: xp.tanh(W @ xp.sin(x))


def passes(function: Callable[[Any], Any], x: np.ndarray) -> tuple[int, int]:
    """How often forward mode runs the function, and how often reverse mode goes back through it."""
    forward: list[int] = []
    backward: list[int] = []

    def called(z: Any) -> Any:
        forward.append(1)
        return function(z)

    def gone_back(g: Any, value: Any, y: Any) -> tuple[Any]:
        backward.append(1)
        return (g,)

    end = custom_vjp(lambda y: y * 1.0, gone_back)
    jacobian(called, mode="forward")(x)
    jacobian(lambda z: end(function(z)), mode="reverse")(x)
    return len(forward), len(backward)


def ratio(function: Callable[[Any], Any], x: np.ndarray) -> float:
    """The median ratio of the seconds of both modes, run in turns."""
    modes = [jacobian(function, mode=mode) for mode in ("forward", "reverse")]
    first, second = (differentiated(x) for differentiated in modes)
    np.testing.assert_allclose(first, second, rtol=1e-10, atol=1e-12)
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for differentiated in modes:
            start = time.perf_counter()
            differentiated(x)
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


def measured() -> list[Row]:
    """A row for each pair of sizes."""
    rng, rows = np.random.default_rng(0), []
    for n_inputs, n_outputs in SIZES:
        function = layer(rng.normal(size=(n_outputs, n_inputs)) / np.sqrt(n_inputs))
        x = rng.normal(size=n_inputs)
        row = Row(n_inputs, n_outputs, *passes(function, x), ratio(function, x))
        sys.stdout.write(
            f"inputs {row.n_inputs}, outputs {row.n_outputs}: forward passes {row.forward_passes}, "
            f"backward passes {row.reverse_passes}, time ratio {row.ratio:.2f}\n"
        )
        rows.append(row)
    return rows


def draw(figure: Figure, rows: list[Row]) -> None:
    """Passes on the left, ratios of times on the right."""
    left, right = figure.subplots(1, 2)
    places = range(len(rows))
    left.plot(places, [r.forward_passes for r in rows], "o-", color=FORWARD, label="forward mode")
    left.plot(places, [r.reverse_passes for r in rows], "o-", color=REVERSE, label="reverse mode")
    left.set_title("passes for one Jacobian", loc="left", fontsize=11)
    left.legend(frameon=False, fontsize=9, loc="upper center")
    right.axhline(1.0, color=MUTED, linewidth=0.9, linestyle="--")
    right.plot(places, [r.ratio for r in rows], "o-", color="#1f2933", label="seconds")
    by_passes = [r.forward_passes / r.reverse_passes for r in rows]
    right.plot(places, by_passes, ":", color=MUTED, label="passes")
    right.set_title("forward mode by reverse mode", loc="left", fontsize=11)
    right.text(0.0, 1.15, "equal", color=MUTED, fontsize=9)
    right.legend(frameon=False, fontsize=9, loc="upper left")
    for axes in (left, right):
        axes.set_yscale("log", base=4)
        axes.yaxis.set_major_formatter(
            lambda value, _: f"{value:g}" if value >= 1 else f"1/{1 / value:g}"
        )
        axes.set_xticks(places, [f"{r.n_inputs}\n{r.n_outputs}" for r in rows])
        axes.set_xlabel("number of inputs (above) and outputs (below)")
        axes.grid(color="#e4e8ec", linewidth=0.8)
        axes.set_axisbelow(True)


def main(folder: Path) -> None:
    """Measure, and write the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    draw(figure, measured())
    figure.savefig(folder / "forward-reverse.png", dpi=100)
    sys.stdout.write(f"wrote {folder / 'forward-reverse.png'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
