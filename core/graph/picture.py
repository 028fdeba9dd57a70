"""The graph as boxes and arrows on matplotlib axes.

Everything is drawn in the units of the data, text too: in axes of any size it keeps its proportions
and stays within its box.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..pictures import COLOURS, EDGE, INK, MUTED, axes_for, plain
from .layout import Layout, Point, layered
from .listing import Constant, ListedNode, shown

# In points, where the figure is our own.
SIZE, LINE, PAD, GAP, SPACE, MARGIN, HEAD = 9.0, 13.0, 9.0, 30.0, 14.0, 10.0, 5.0
LEAF, OPERATION, CONSTANT = "#e6f0f8", "#ffffff", "#eef0f2"
GRADIENT = COLOURS[1]
# Arrows into the others are numbered: a - b is not b - a.
COMMUTATIVE = {"add", "multiply", "maximum", "minimum", "hypot", "logaddexp"}


@dataclass(frozen=True)
class _Box:
    lines: tuple[tuple[str, str, bool], ...]  # text, colour, whether it is bold
    arguments: tuple[int, ...]  # boxes
    fill: str
    edge: str
    is_ordered: bool = False


def graph_picture(nodes: Sequence[ListedNode], ax: Any = None) -> Any:
    """Draw the nodes, and the constants that they use, on axes; return the axes.

    Parameters
    ----------
    nodes : sequence of ListedNode
        From `listed`.
    ax : matplotlib Axes or None
    """
    boxes = _boxes(nodes)
    # Errors of axes and of a missing matplotlib come before its parts are imported.
    axes = axes_for(ax, who="xpfit.core.graph.draw")
    texts = [[_text(text, is_bold) for text, _, is_bold in box.lines] for box in boxes]
    widths = [max(width for _, width in own) + 2 * PAD for own in texts]
    heights = [LINE * len(box.lines) + PAD for box in boxes]
    places = layered([box.arguments for box in boxes], widths, heights, GAP, SPACE)
    _frame(axes, places, widths, heights, is_own=ax is None)
    _draw_arrows(axes, boxes, places, heights)
    for box, own, centre, width, height in zip(
        boxes, texts, places.centres, widths, heights, strict=True
    ):
        _draw_box(axes, box, [path for path, _ in own], centre, width, height)
    return axes


def _boxes(nodes: Sequence[ListedNode]) -> list[_Box]:
    """Boxes of nodes and constants, each after those that it comes from."""
    boxes: list[_Box] = []
    place: dict[Any, int] = {}
    for node in nodes:
        for argument in node.arguments:
            if isinstance(argument, Constant) and id(argument) not in place:
                place[id(argument)] = len(boxes)
                names = [(argument.name, MUTED, True)] if argument.name else []
                lines = (*names, (shown(argument.value), MUTED, False))
                boxes.append(_Box(lines, (), CONSTANT, EDGE))
        lines = ((node.name, INK, True), (f"value {shown(node.value)}", INK, False))
        if node.gradient is not None:
            lines = (*lines, (f"gradient {shown(node.gradient)}", GRADIENT, False))
        own = tuple(place[k if isinstance(k, int) else id(k)] for k in node.arguments)
        fill, edge = (LEAF, COLOURS[0]) if node.is_leaf else (OPERATION, MUTED)
        place[node.number] = len(boxes)
        is_ordered = len(own) > 1 and node.name not in COMMUTATIVE
        boxes.append(_Box(lines, own, fill, edge, is_ordered))
    return boxes


def _text(text: str, is_bold: bool) -> tuple[Any, float]:
    """The outline of a text that begins at (0, 0), and its width."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans", weight="bold" if is_bold else "normal")
    path = TextPath((0.0, 0.0), plain(text), size=SIZE, prop=font)
    return path, float(path.get_extents().x1)


def _frame(
    axes: Any, places: Layout, widths: Sequence[float], heights: Sequence[float], *, is_own: bool
) -> None:
    """The limits of the axes, and the size of a figure of our own."""
    xs, ys = zip(*places.centres, strict=True)
    left = min(x - width / 2 for x, width in zip(xs, widths, strict=True)) - MARGIN
    right = max(x + width / 2 for x, width in zip(xs, widths, strict=True)) + MARGIN
    # Arrows that pass by outside all boxes belong to it, too.
    turns = [y for route in places.routes.values() for _, y in route]
    low = min([y - h / 2 for y, h in zip(ys, heights, strict=True)] + turns) - MARGIN
    high = max([y + h / 2 for y, h in zip(ys, heights, strict=True)] + turns) + MARGIN
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    axes.axis("off")
    if is_own:
        figure = axes.figure
        figure.set_layout_engine("none")
        axes.set_position((0.0, 0.0, 1.0, 1.0))
        figure.set_size_inches((right - left) / 72.0, (high - low) / 72.0)


def _draw_box(
    axes: Any, box: _Box, texts: Sequence[Any], centre: Point, width: float, height: float
) -> None:
    from matplotlib.patches import FancyBboxPatch, PathPatch
    from matplotlib.transforms import Affine2D

    x, y = centre
    frame = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=3",
        facecolor=box.fill, edgecolor=box.edge, linewidth=1.0, zorder=3,
    )  # fmt: skip
    # What a reader of the SVG file, or a test, finds the box by.
    frame.set_gid(" | ".join(text for text, _, _ in box.lines))
    axes.add_patch(frame)
    top = y + height / 2 - PAD / 2
    for i, ((_, colour, _), path) in enumerate(zip(box.lines, texts, strict=True)):
        baseline = top - LINE * i - LINE / 2 - 0.36 * SIZE
        left = x - float(path.get_extents().x1) / 2
        moved = path.transformed(Affine2D().translate(left, baseline))
        axes.add_patch(PathPatch(moved, facecolor=colour, edgecolor="none", zorder=4))


def _draw_arrows(
    axes: Any, boxes: Sequence[_Box], places: Layout, heights: Sequence[float]
) -> None:
    for end, box in enumerate(boxes):
        # From top to bottom by where they come from, so that they do not cross before the box.
        routes = [places.routes[start, end] for start in box.arguments]
        order = sorted(range(len(routes)), key=lambda i: -routes[i][-3][1])
        for rank, i in enumerate(order):
            shift = heights[end] * (0.5 - (rank + 1) / (len(order) + 1))
            _draw_arrow(axes, routes[i], shift, str(i + 1) if box.is_ordered else "")


def _draw_arrow(axes: Any, route: Sequence[Point], shift: float, number: str) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    *rest, (x1, y1), (x2, y2) = route
    points = [*rest, (x1, y1 + shift), (x2 - HEAD, y2 + shift)]
    corners, codes = [points[0]], [Path.MOVETO]
    for i, (a, b) in enumerate(itertools.pairwise(points)):
        if i % 2 == 0:  # through a layer
            corners, codes = [*corners, b], [*codes, Path.LINETO]
        else:
            half = (a[0] + b[0]) / 2
            corners += [(half, a[1]), (half, b[1]), b]
            codes += [Path.CURVE4] * 3
    line = PathPatch(Path(corners, codes), facecolor="none", edgecolor=MUTED, linewidth=1.0)
    line.set_gid("arrow")
    axes.add_patch(line)
    tip = (x2, y2 + shift)
    head = [tip, (tip[0] - HEAD, tip[1] + HEAD / 2), (tip[0] - HEAD, tip[1] - HEAD / 2)]
    axes.add_patch(Polygon(head, facecolor=MUTED, edgecolor="none", zorder=3))
    if number:  # within the padding of the box, where no line passes
        path, _ = _text(number, False)
        small = Affine2D().scale(0.6).translate(tip[0] + 2.0, tip[1] - 0.22 * SIZE)
        axes.add_patch(
            PathPatch(path.transformed(small), facecolor=MUTED, edgecolor="none", zorder=4)
        )
