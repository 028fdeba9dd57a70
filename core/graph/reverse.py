"""Reverse mode: from the derivative with respect to results to those with respect to arguments."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .node import Node
from .primitive import plus

_KEY = operator.attrgetter("key")


class _Watching(threading.local):
    each: Callable[[Node, Any], None] | None = None


# Who looks on at reverse mode: each thread for itself.
_watching = _Watching()


@contextmanager
def watched(each: Callable[[Node, Any], None]) -> Iterator[None]:
    """Within it each(node, g) is called in this thread with every node that is gone through.

    g is the derivative with respect to the node, complete: its part of every use is in it. Nodes
    whose derivative is 0 because nothing came from them are not gone through.
    """
    before, _watching.each = _watching.each, each
    try:
        yield
    finally:
        _watching.each = before


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


def pull_back(ends: list[Node], seeds: Sequence[Any]) -> dict[int, Any]:
    """The derivative with respect to every node without parents, by its key.

    Parameters
    ----------
    ends : list of Node
        Results, all of one level. The list is emptied: who keeps none of them elsewhere has no more
        in memory than what is still to be done.
    seeds : sequence of arrays, or nodes further out
        The derivative with respect to each of them.
    """
    found: dict[int, Any] = {}
    for key, seed in zip(map(_KEY, ends), seeds, strict=True):
        found[key] = seed if key not in found else plus(found[key], seed)
    order, leaves, watch = reachable(ends), {}, _watching.each
    ends.clear()
    while order:
        # Nodes are let go as they are done, and with them the arrays that they kept.
        node = order.pop()
        g = found.pop(node.key, None)
        if g is None:
            continue
        if watch is not None:
            watch(node, g)
        primitive = node.primitive
        if primitive is None:
            leaves[node.key] = g
        else:
            primitive.pull_into(node, g, found)
    return leaves
