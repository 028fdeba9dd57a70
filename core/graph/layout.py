"""Where boxes and arrows of a graph go: in layers, so that arrows run from left to right.

A box stands one layer behind the last of those that it comes from (its rank is the length of the
longest path to it), and one that comes from nothing stands right before the first that uses it.
Arrows over several layers have a place in each of them. In each layer boxes are put in the order
of the middle of their neighbours (Sugiyama, Tagawa and Toda, 1981), back and forth, and the order
with the fewest crossings is kept. Then each is moved as near to its neighbours as the others let
it.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import NamedTuple

N_SWEEPS = 12
# How much more a place of an arrow is drawn to the next place than to a box.
STRAIGHT = 8
Point = tuple[float, float]


class Layout(NamedTuple):
    """Places in the plane, upwards and to the right.

    Attributes
    ----------
    centres : list of (x, y)
        Of the boxes.
    routes : dict of (from, to) to list of (x, y)
        From the right side of a box to the left side of another one: two points for each layer,
        where the arrow comes into it or begins, and where it leaves it or ends.
    """

    centres: list[Point]
    routes: dict[tuple[int, int], list[Point]]


class _Layers(NamedTuple):
    rows: list[list[int]]  # numbers from the boxes' on are places of arrows
    before: list[list[int]]  # of each, its neighbours one layer to the left
    after: list[list[int]]
    paths: dict[tuple[int, int], list[int]]  # of each arrow, box, places, box


def ranks(arguments: Sequence[Sequence[int]]) -> list[int]:
    """The layer of each box.

    Parameters
    ----------
    arguments : sequence of sequences of int
        Of each box, those that it comes from, all of smaller numbers.

    Examples
    --------
    >>> ranks([(), (), (0, 1), (2, 0), ()])
    [0, 0, 1, 2, 0]
    >>> ranks([(), (), (0,), (2, 1)])  # 1 stands right before the one that uses it
    [0, 1, 1, 2]
    """
    found: list[int] = []
    for own in arguments:
        found.append(1 + max((found[k] for k in own), default=-1))
    first = [len(found)] * len(found)
    for rank, own in zip(found, arguments, strict=True):
        for i in own:
            first[i] = min(first[i], rank)
    return [
        # Of those that nobody uses, too, at the left.
        rank if own or least == len(found) else least - 1
        for rank, own, least in zip(found, arguments, first, strict=True)
    ]


def layered(
    arguments: Sequence[Sequence[int]],
    widths: Sequence[float],
    heights: Sequence[float],
    gap: float = 1.0,
    space: float = 0.5,
) -> Layout:
    """The layout of a graph without cycles.

    Parameters
    ----------
    arguments : sequence of sequences of int
        As in `ranks`.
    widths, heights : sequence of float
        Of the boxes.
    gap, space : float
        Between layers, and between the boxes of one.

    Examples
    --------
    >>> layered([(), (0,)], [2.0, 2.0], [1.0, 1.0]).centres
    [(1.0, 0.0), (4.0, 0.0)]
    """
    rank = ranks(arguments)
    layers = _with_places(arguments, rank)
    rows = _ordered(layers)
    # A place of an arrow needs no room of its own, only some distance.
    sizes = [*heights, *(0.0 for _ in range(len(layers.before) - len(heights)))]
    y = _heights(layers, rows, sizes, space)
    lefts, rights, x = [], [], 0.0
    for row in rows:
        width = max((widths[k] for k in row if k < len(widths)), default=0.0)
        lefts.append(x)
        rights.append(x + width)
        x += width + gap
    centres = [((lefts[r] + rights[r]) / 2, y[k]) for k, r in enumerate(rank)]
    routes = {}
    for (start, end), path in layers.paths.items():
        points = [(centres[start][0] + widths[start] / 2, y[start])]
        for step, place in enumerate(path[1:], rank[start]):
            points += [(rights[step], points[-1][1]), (lefts[step + 1], y[place])]
        routes[start, end] = [*points, (centres[end][0] - widths[end] / 2, y[end])]
    return Layout(centres, routes)


def _with_places(arguments: Sequence[Sequence[int]], rank: Sequence[int]) -> _Layers:
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    before: list[list[int]] = [[] for _ in rank]
    after: list[list[int]] = [[] for _ in rank]
    paths = {}
    for k, r in enumerate(rank):
        rows[r].append(k)
    for end, own in enumerate(arguments):
        for start in dict.fromkeys(own):
            path = [start]
            for r in range(rank[start] + 1, rank[end]):
                rows[r].append(len(before))
                path.append(len(before))
                before.append([])
                after.append([])
            path.append(end)
            for a, b in itertools.pairwise(path):
                after[a].append(b)
                before[b].append(a)
            paths[start, end] = path
    return _Layers(rows, before, after, paths)


def _crossings(rows: list[list[int]], after: list[list[int]]) -> int:
    total = 0
    for row, following in itertools.pairwise(rows):
        place = {k: i for i, k in enumerate(following)}
        ends: list[int] = []
        for k in row:
            own = sorted(place[j] for j in after[k])
            # Arrows from further up that end further down.
            total += sum(len(ends) - bisect.bisect_right(ends, end) for end in own)
            for end in own:
                bisect.insort(ends, end)
    return total


def _ordered(layers: _Layers) -> list[list[int]]:
    """The rows in the order with the fewest crossings that the sweeps met."""
    rows = [list(row) for row in layers.rows]
    best, fewest = rows, _crossings(rows, layers.after)
    for sweep in range(N_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = layers.before if forward else layers.after
        order = range(1, len(rows)) if forward else range(len(rows) - 2, -1, -1)
        rows = [list(row) for row in rows]
        for r in order:
            place = {k: float(i) for i, k in enumerate(rows[r - 1 if forward else r + 1])}
            own = {k: float(i) for i, k in enumerate(rows[r])}
            rows[r].sort(key=lambda k: _middle([place[j] for j in neighbours[k]], own[k]))
        n = _crossings(rows, layers.after)
        if n < fewest:
            best, fewest = rows, n
    return best


def _middle(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _heights(
    layers: _Layers, rows: list[list[int]], sizes: Sequence[float], space: float
) -> list[float]:
    """The y of each box and place: as near to its neighbours as those above and below let it."""
    y = [0.0] * len(sizes)
    for row in rows:
        _placed(row, [0.0] * len(row), sizes, space, y)
    n_boxes = len(layers.before) - sum(len(path) - 2 for path in layers.paths.values())
    for sweep in range(2 * N_SWEEPS):
        forward = sweep % 2 == 0
        for row in rows if forward else reversed(rows):
            wanted = []
            for k in row:
                near = layers.before[k] + layers.after[k]
                places = [j for j in near if j >= n_boxes]
                # A long arrow is straight first of all, and then close to its ends.
                near += STRAIGHT * places if k >= n_boxes else []
                wanted.append(_middle([y[j] for j in near], y[k]))
            _placed(row, wanted, sizes, space, y)
    return y


def _placed(
    row: list[int], wanted: Sequence[float], sizes: Sequence[float], space: float, y: list[float]
) -> None:
    """Least squares under the order and the distances of a row: neighbours that would overlap are
    put together in one group, around the mean of what they want (pooled adjacent violators)."""
    offsets, below = [], 0.0
    for i, k in enumerate(row):
        if i:
            below += (sizes[row[i - 1]] + sizes[k]) / 2 + space
        offsets.append(below)
    groups: list[list[float]] = []  # sum of wishes, their number
    for wish, offset in zip(wanted, offsets, strict=True):
        # The first of a row stands at the top.
        groups.append([wish + offset, 1.0])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] < groups[-1][0] / groups[-1][1]:
            total, n = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += n
    at = [total / n for total, n in groups for _ in range(int(n))]
    for k, top, offset in zip(row, at, offsets, strict=True):
        y[k] = top - offset
