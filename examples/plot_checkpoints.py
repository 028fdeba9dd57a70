"""Memory of a gradient with and without checkpoints, and what they cost in time.

    python examples/plot_checkpoints.py [folder]

Reverse mode keeps all values of the forward pass. A checkpointed piece drops those inside it and
computes them again: n steps in sqrt(n) pieces hold some 2 sqrt(n) values. Needs matplotlib.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xpfit.core.graph import checkpoint, compare_memory, grad, memory_profile, namespace

xp = namespace(np)
N_STEPS, LENGTHS = 100, (16, 36, 64, 100)
ROUNDS = 9
COLOURS = ("#1f6fb2", "#d9662b")


def chain(x: Any, n: int) -> Any:
    """n steps, each of which keeps one value."""
    for _ in range(n):
        x = xp.sin(x)
    return x


def kept(n: int) -> Callable[[Any], Any]:
    """The sum of a chain."""
    return lambda x: xp.sum(chain(x, n))


def checkpointed(n: int) -> Callable[[Any], Any]:
    """The same in sqrt(n) pieces of sqrt(n) steps."""
    n_pieces = math.isqrt(n)

    def function(x: Any) -> Any:
        for _ in range(n_pieces):
            x = checkpoint(lambda z: chain(z, n // n_pieces))(x)
        return xp.sum(x)

    return function


def nested(n: int) -> Callable[[Any], Any]:
    """Four pieces, each of five pieces of its own."""

    def large(x: Any) -> Any:
        for _ in range(5):
            x = checkpoint(lambda z: chain(z, n // 20))(x)
        return x

    def function(x: Any) -> Any:
        for _ in range(4):
            x = checkpoint(large)(x)
        return xp.sum(x)

    return function


def time_ratio(first: Callable[[Any], Any], second: Callable[[Any], Any], x: np.ndarray) -> float:
    """The median ratio of the seconds of two gradients, run in turns."""
    gradients, ratios = [grad(first), grad(second)], []
    np.testing.assert_allclose(gradients[0](x), gradients[1](x), rtol=1e-12)
    for _ in range(ROUNDS):
        seconds = []
        for gradient in gradients:
            start = time.perf_counter()
            gradient(x)
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


def draw_lengths(axes: Any, x: np.ndarray) -> None:
    """The most values at a time, by the number of steps."""
    for colour, name, make, law in (
        (COLOURS[0], "all kept", kept, lambda n: n),
        (COLOURS[1], "sqrt(n) pieces", checkpointed, lambda n: 2.0 * np.sqrt(n)),
    ):
        peaks = [memory_profile(make(n), x).peak / x.nbytes for n in LENGTHS]
        for n, peak in zip(LENGTHS, peaks, strict=True):
            sys.stdout.write(f"{name}, {n} steps: at most {peak:.1f} values\n")
        axes.plot(LENGTHS, peaks, "o", color=colour, label=name)
        n = np.linspace(LENGTHS[0], LENGTHS[-1], 100)
        text = "n" if make is kept else "2 sqrt(n)"
        axes.plot(n, law(n), "--", color=colour, linewidth=1.0, label=text)
    axes.set(xlabel="steps, n", ylabel="most values held", ylim=(0.0, None))
    axes.set_title("peak by the length of the chain", loc="left", fontsize=11)
    axes.grid(color="#e4e8ec", linewidth=0.8)
    axes.legend(frameon=False, fontsize=9)


def main(folder: Path) -> None:
    """Profile, time, and write the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    x = np.linspace(0.1, 1.0, 20_000)
    found = compare_memory(
        {
            "all kept": kept(N_STEPS),
            "10 pieces of 10": checkpointed(N_STEPS),
            "4 pieces of 5 pieces of 5": nested(N_STEPS),
        },
        x,
    )
    sys.stdout.write(f"{found}\n")
    ratio = time_ratio(checkpointed(N_STEPS), kept(N_STEPS), x)
    sys.stdout.write(f"10 pieces of 10 take {ratio:.2f} times as long as all kept\n")
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    found.plot(ax=left)
    left.set_title(f"{N_STEPS} steps, one gradient", loc="left", fontsize=11)
    left.grid(color="#e4e8ec", linewidth=0.8)
    draw_lengths(right, x)
    figure.savefig(folder / "checkpoints.png", dpi=100)
    sys.stdout.write(f"wrote {folder / 'checkpoints.png'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
