"""Critical points by Newton's method on the gradient, told apart by the eigenvalues of the Hessian.

    python examples/plot_critical_points.py [folder]

At a critical point the gradient is 0. Where all eigenvalues of the Hessian are positive the
function has a minimum there, where all are negative a maximum, where there are both a saddle.
Gradients and Hessians come from the computation graph. Needs matplotlib.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from xpfit.core.graph import grad, hessian

TOL, MAX_STEPS = 1e-12, 60
COLOURS = {"minimum": "#1f6fb2", "maximum": "#d9662b", "saddle": "#3c8d5a"}
MARKERS = {"minimum": "v", "maximum": "^", "saddle": "X"}


class Found(NamedTuple):
    """A critical point, and how it was reached."""

    point: np.ndarray
    eigenvalues: np.ndarray
    kind: str
    path: np.ndarray  # shape=(n_steps + 1, n)


def cubic(x: Any) -> Any:
    """x^3 - 3 x + 2: a maximum at -1, a minimum at 1."""
    return x[0] ** 3 - 3.0 * x[0] + 2.0


def quartic(x: Any) -> Any:
    """x^4 + y^4 - 4 x y: minima at (1, 1) and (-1, -1), a saddle between them."""
    return x[0] ** 4 + x[1] ** 4 - 4.0 * x[0] * x[1]


def newton(function: Callable[[Any], Any], start: np.ndarray) -> np.ndarray | None:
    """The points on the way to where the gradient is 0; None where the Hessian is singular."""
    slope, curvature = grad(function), hessian(function)
    path = [start]
    for _ in range(MAX_STEPS):
        g = slope(path[-1])
        if np.max(np.abs(g)) < TOL:
            return np.stack(path)
        try:
            path.append(path[-1] - np.linalg.solve(curvature(path[-1]), g))
        except np.linalg.LinAlgError:
            return None
    return None


def kind_of(eigenvalues: np.ndarray) -> str:
    """What the signs of the eigenvalues say; 0 among them would say nothing."""
    if np.all(eigenvalues > 0.0):
        return "minimum"
    return "maximum" if np.all(eigenvalues < 0.0) else "saddle"


def critical_points(function: Callable[[Any], Any], starts: list[np.ndarray]) -> list[Found]:
    """Each point that Newton's method reached from the starts, with the shortest way there."""
    paths = [path for path in (newton(function, start) for start in starts) if path is not None]
    found: list[Found] = []
    for path in sorted(paths, key=len):
        if any(np.allclose(path[-1], own.point, atol=1e-6) for own in found):
            continue
        eigenvalues = np.linalg.eigvalsh(hessian(function)(path[-1]))
        found.append(Found(path[-1], eigenvalues, kind_of(eigenvalues), path))
    return sorted(found, key=lambda own: tuple(own.point))


def tell(name: str, function: Callable[[Any], Any], found: list[Found]) -> None:
    """A line for each point."""
    for own in found:
        at = ", ".join(f"{x + 0.0:.6g}" for x in own.point.round(9))
        values = ", ".join(f"{x:.4g}" for x in own.eigenvalues)
        value = round(float(function(own.point)), 9) + 0.0  # no minus before 0
        sys.stdout.write(
            f"{name}: {own.kind} at ({at}), value {value:g}, "
            f"eigenvalues {values}, {len(own.path) - 1} steps\n"
        )


def mark(axes: Any, xs: Any, ys: Any, kind: str) -> None:
    """One point, and one entry of the legend for each kind."""
    label = kind if kind not in axes.get_legend_handles_labels()[1] else ""
    axes.plot(
        xs, ys, MARKERS[kind], color=COLOURS[kind], markersize=11, markeredgecolor="white",
        label=label, zorder=5,
    )  # fmt: skip


def draw_line(axes: Any, found: list[Found]) -> None:
    """The function of one variable, and Newton's steps on it."""
    x = np.linspace(-2.2, 2.2, 200)
    axes.plot(x, cubic([x]), color="#1f2933", linewidth=1.6)
    for own in found:
        way = own.path[:, 0]
        axes.plot(way, cubic([way]), "o-", color="#8a5aa8", markersize=4, linewidth=0.9, zorder=4)
        mark(axes, own.point, [cubic(own.point)], own.kind)
    axes.plot([], [], "o-", color="#8a5aa8", markersize=4, linewidth=0.9, label="Newton's steps")
    axes.set(xlabel="x", ylabel="value")
    axes.set_title("x³ - 3x + 2", loc="left", fontsize=11)
    axes.legend(frameon=False, fontsize=9)


def draw_plane(axes: Any, found: list[Found]) -> None:
    """Contours, closer to each other near the minima, and Newton's steps."""
    x, y = np.meshgrid(np.linspace(-1.8, 1.8, 181), np.linspace(-1.8, 1.8, 181))
    levels = -2.0 + np.geomspace(0.05, 14.0, 16)
    axes.contour(
        x, y, quartic([x, y]), levels=levels, colors="#7f93a6", linewidths=0.8, linestyles="solid"
    )
    for own in found:
        axes.plot(*own.path.T, "o-", color="#8a5aa8", markersize=4, linewidth=0.9, zorder=4)
        mark(axes, *own.point[:, None], own.kind)
    axes.plot([], [], "o-", color="#8a5aa8", markersize=4, linewidth=0.9, label="Newton's steps")
    axes.set(xlabel="x", ylabel="y", aspect="equal", xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
    axes.set_title("x⁴ + y⁴ - 4xy", loc="left", fontsize=11)
    axes.legend(frameon=True, framealpha=0.9, edgecolor="none", fontsize=9, loc="lower right")


def main(folder: Path) -> None:
    """Find the points, say what they are, and write the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    of_line = critical_points(cubic, [np.array([x]) for x in (-2.0, -0.3, 0.4, 2.0)])
    tell("x^3 - 3 x + 2", cubic, of_line)
    grid = [np.array(pair) for pair in itertools.product((-1.6, -0.3, 0.2, 1.5), repeat=2)]
    of_plane = critical_points(quartic, grid)
    tell("x^4 + y^4 - 4 x y", quartic, of_plane)
    figure = Figure(figsize=(10.0, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_line(left, of_line)
    draw_plane(right, of_plane)
    figure.savefig(folder / "critical-points.png", dpi=100)
    sys.stdout.write(f"wrote {folder / 'critical-points.png'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
