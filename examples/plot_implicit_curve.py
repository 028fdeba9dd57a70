"""The slope of a curve that no formula y(x) gives: x y + sin y = y, and a Hessian backward twice.

    python examples/plot_implicit_curve.py [folder]

Each point of the curve is found by bisection, which is not differentiated: the slope follows from
the equation itself. By hand, y + x y' + cos(y) y' = y', so y' = y / (1 - x - cos y). The right
half shows the graph of x y + x^2, whose Hessian is the backward pass of a backward pass. Needs
matplotlib.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from xpfit.core.graph import draw, grad, implicit, jacobian, namespace

xp = namespace(np)
CURVE, TANGENT = "#1f6fb2", "#d9662b"
AT = (0.05, 0.25, 0.7, 1.15)


def residual(x: Any, y: Any) -> Any:
    """0 on the curve."""
    return x * y + xp.sin(y) - y


def solve(x: Any) -> Any:
    """The y between 0 and 4.4, for x between 0 and 1.2; y = 0 is another branch."""
    low, high = 1e-9, 4.4
    for _ in range(60):
        middle = (low + high) / 2.0
        # There sin(y) / y, which must be 1 - x, falls.
        low, high = (middle, high) if x + np.sin(middle) / middle > 1.0 else (low, middle)
    return np.asarray((low + high) / 2.0)


def slopes() -> list[tuple[float, float, float]]:
    """x, y and dy/dx by the graph, after a comparison with the formula."""
    curve, found = implicit(residual, solve), []
    for x in AT:
        y = float(solve(x))
        slope = float(grad(curve)(x))
        by_hand = y / (1.0 - x - np.cos(y))
        sys.stdout.write(
            f"x = {x}: y = {y:.6f}, dy/dx = {slope:.9f} by implicit, {by_hand:.9f} by hand\n"
        )
        found.append((x, y, slope))
    return found


def draw_curve(axes: Any, tangents: list[tuple[float, float, float]]) -> None:
    """All points of the equation, and the tangents of one branch."""
    x, y = np.meshgrid(np.linspace(-0.5, 1.5, 401), np.linspace(-4.2, 4.2, 421))
    axes.contour(x, y, residual(x, y), levels=[0.0], colors=CURVE, linewidths=1.8)
    for at, y_at, slope in tangents:
        # Of one length in the picture, where y takes four times as much room.
        reach = 0.2 / np.hypot(1.0, slope / 4.0)
        ends = np.array([-reach, reach])
        axes.plot(at + ends, y_at + slope * ends, color=TANGENT, linewidth=1.4, zorder=3)
        axes.plot(at, y_at, "o", color="white", markeredgecolor=TANGENT, zorder=4)
    axes.plot([], [], color=CURVE, linewidth=1.8, label="x y + sin y = y")
    label = "tangent by implicit"
    axes.plot([], [], "o-", color=TANGENT, markerfacecolor="white", linewidth=1.4, label=label)
    axes.set(xlabel="x", ylabel="y", xlim=(-0.5, 1.5), ylim=(-4.2, 4.2))
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def product(v: Any) -> Any:
    """x y + x^2."""
    return v[0] * v[1] + v[0] ** 2


def main(folder: Path) -> None:
    """Compare the slopes, find the Hessian, and write the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    tangents = slopes()
    # A row for each entry of the gradient: one backward pass through the backward pass.
    found = jacobian(grad(product), mode="reverse")(np.array([2.0, 3.0]))
    sys.stdout.write(f"Hessian of x y + x^2 by two backward passes: {found.tolist()}\n")
    figure = Figure(figsize=(11.0, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.35))
    draw_curve(left, tangents)
    draw(lambda x, y: x * y + x**2, 2.0, 3.0).plot(ax=right)
    right.set_title("x y + x² at x = 2, y = 3, after one backward pass", loc="left", fontsize=11)
    figure.savefig(folder / "implicit-curve.png", dpi=100)
    sys.stdout.write(f"wrote {folder / 'implicit-curve.png'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
