"""A static against a dynamic graph: the gradient of a deep toy network, by its number of layers.

    python examples/plot_static_dynamic.py [folder]

The dynamic graph is built anew in every call, node by node; `compile` traces it once and makes one
function of it, on NumPy a line for each operation, on Numba one compiled function. Times are
medians of alternated runs, shown as ratios. Needs matplotlib and Numba.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from xpfit.backends.graph_schedule import schedule
from xpfit.core.graph import compile, grad, namespace

xp = namespace(np)
DEPTHS = [1, 3, 6, 12]
N_ROWS, WIDTH, ROUNDS = 16, 8, 15
DYNAMIC, LINES, COMPILED = "#1f6fb2", "#d9662b", "#2a8c4a"


class Row(NamedTuple):
    """A network of so many layers."""

    depth: int
    n_operations: int  # of the gradient
    n_steps: int  # of the compiled function: loops, and products
    first_call: float  # seconds of the first compiled call by those of a dynamic one
    by_lines: float  # seconds of the dynamic graph by those of the static one on NumPy
    compiled: float  # the same, on Numba


def cost(layers: list[dict[str, Any]], X: Any, y: Any) -> Any:
    """Mean squared error of tanh layers, each added to what goes into it."""
    for layer in layers:
        X = X + xp.tanh(X @ layer["W"] + layer["b"])
    return xp.mean((xp.sum(X, axis=1) - y) ** 2)


def measured(depth: int) -> Row:
    """Gradients with respect to all layers agree; then they are timed in turns."""
    rng = np.random.default_rng(depth)
    layers = [
        {"W": rng.normal(size=(WIDTH, WIDTH)) / WIDTH, "b": np.zeros(WIDTH)} for _ in range(depth)
    ]
    X, y = rng.normal(size=(N_ROWS, WIDTH)), rng.normal(size=N_ROWS)
    dynamic = grad(cost)
    lines, compiled = compile(dynamic), compile(dynamic, backend="numba")
    start = time.perf_counter()
    found = compiled(layers, X, y)
    first = time.perf_counter() - start
    expected = dynamic(layers, X, y)
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own["W"], other["W"], rtol=1e-9, atol=1e-12)
    lines(layers, X, y)
    seconds: list[list[float]] = []
    for _ in range(ROUNDS):
        seconds.append([])
        for run in (dynamic, lines, compiled):
            start = time.perf_counter()
            run(layers, X, y)
            seconds[-1].append(time.perf_counter() - start)
    program = compiled.program(layers, X, y)
    return Row(
        depth,
        len(program.operations),
        len(schedule(program)),
        first / statistics.median(one[0] for one in seconds),
        statistics.median(one[0] / one[1] for one in seconds),
        statistics.median(one[0] / one[2] for one in seconds),
    )


def draw(figure: Figure, rows: list[Row]) -> None:
    """Operations on the left, times on the right."""
    left, right = figure.subplots(1, 2)
    depths = [row.depth for row in rows]
    left.plot(depths, [row.n_operations for row in rows], "o-", color=DYNAMIC, label="operations")
    left.plot(
        depths, [row.n_steps for row in rows], "o-", color=COMPILED, label="loops and products"
    )
    left.set_title("what one gradient does", loc="left", fontsize=11)
    right.axhline(1.0, color=DYNAMIC, linewidth=0.9, linestyle="--")
    right.text(depths[0], 1.06, "dynamic", color=DYNAMIC, fontsize=9, va="bottom")
    right.plot(depths, [row.by_lines for row in rows], "o-", color=LINES, label="static, NumPy")
    right.plot(depths, [row.compiled for row in rows], "o-", color=COMPILED, label="static, Numba")
    right.set_title("times faster than the dynamic graph", loc="left", fontsize=11)
    right.set_ylim(0.0, 1.25 * max(row.compiled for row in rows))
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(depths, [str(depth) for depth in depths])
        axes.set_xlabel("layers")
        axes.legend(frameon=False, fontsize=9, loc="upper left" if axes is left else "upper right")
        axes.grid(color="#e4e8ec", linewidth=0.8)
        axes.set_axisbelow(True)


def main(folder: Path) -> None:
    """Measure, and write the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [measured(depth) for depth in DEPTHS]
    for row in rows:
        sys.stdout.write(
            f"{row.depth} layers: {row.n_operations} operations in {row.n_steps} steps; against "
            f"the dynamic graph {row.by_lines:.1f} times as fast on NumPy, {row.compiled:.1f} on "
            f"Numba, where the first call takes as long as {row.first_call:.0f} dynamic ones\n"
        )
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    draw(figure, rows)
    figure.savefig(folder / "static-dynamic.png", dpi=100)
    sys.stdout.write(f"wrote {folder / 'static-dynamic.png'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
