"""Reverse mode: from the derivative with respect to results to those with respect to arguments."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from .node import Node

_KEY = operator.attrgetter("key")


def reachable(ends: Sequence[Node]) -> list[Node]:
    """All nodes of their level that they came from, in the order in which they were made.

    Without recursion: a chain of 100,000 operations is no deeper than a short one.
    """
    seen, found, waiting = set(), [], list(ends)
    while waiting:
        node = waiting.pop()
        key = node.key
        if key not in seen:
            seen.add(key)
            found.append(node)
            for _, parent in node.parents:
                waiting.append(parent)
    found.sort(key=_KEY)
    return found


def pull_back(ends: Sequence[Node], seeds: Sequence[Any]) -> dict[int, Any]:
    """The derivative with respect to every node without parents, by its key.

    Parameters
    ----------
    ends : sequence of Node
        Results, all of one level.
    seeds : sequence of arrays, or nodes further out
        The derivative with respect to each of them.
    """
    found: dict[int, Any] = {}
    for end, seed in zip(ends, seeds, strict=True):
        found[end.key] = seed if end.key not in found else found[end.key] + seed
    order, leaves = reachable(ends), {}
    while order:
        # Nodes are let go as they are done, and with them the arrays that they kept.
        node = order.pop()
        g = found.pop(node.key, None)
        if g is None:
            continue
        primitive = node.primitive
        if primitive is None:
            leaves[node.key] = g
        elif primitive.pull_together is not None:
            parts = primitive.pull_together(node, g)
            for (_, parent), part in zip(node.parents, parts, strict=True):
                _add(found, parent.key, part)
        else:
            for i, parent in node.parents:
                part, key = primitive.pull(node, i, g), parent.key
                if key in found:
                    _add(found, key, part)
                elif part is not None:
                    found[key] = part
    return leaves


def _add(found: dict[int, Any], key: int, part: Any) -> None:
    if part is not None:
        found[key] = part if key not in found else found[key] + part
