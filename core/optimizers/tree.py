"""Parameters as people keep them: dicts, lists, tuples, named tuples and None, nested at will.

Everything else is a leaf, that is, an array. None holds nothing. Two trees fit each other where
these containers have the same types, the same keys and the same lengths; the order of keys does not
matter.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

# An array, or a nest of containers with arrays at its ends; of `Any` Python's types cannot say it.
Tree: TypeAlias = Any


def leaves(tree: Tree) -> list[Any]:
    """The leaves of a tree, in the order in which its containers hold them.

    Examples
    --------
    >>> leaves({"W": [1.0, 2.0], "b": None, "c": 3.0})
    [1.0, 2.0, 3.0]
    """
    return [found[0] for _, found in aligned(("tree",), (tree,))]


def tree_map(function: Callable[..., Any], tree: Tree, *others: Tree) -> Tree:
    """`function` of each leaf of `tree` and of the leaves at the same place in the other trees.

    Raises
    ------
    ValueError
        Where one of the others does not fit `tree`.

    Examples
    --------
    >>> tree_map(lambda a, b: a + b, {"W": [1, 2], "b": None}, {"b": None, "W": [10, 20]})
    {'W': [11, 22], 'b': None}
    """
    names = ("the first tree", *(f"tree {i + 2}" for i in range(len(others))))
    return unflatten(tree, [function(*found) for _, found in aligned(names, (tree, *others))])


def unflatten(like: Tree, values: Sequence[Any]) -> Tree:
    """A tree of the containers of `like`, with `values` for its leaves."""
    return _rebuild(like, iter(values))


def _rebuild(like: Tree, values: Iterator[Any]) -> Tree:
    if like is None:
        return None
    if isinstance(like, dict):
        # A copy keeps what a subclass knows besides its items.
        rebuilt = copy.copy(like)
        for key, child in like.items():
            rebuilt[key] = _rebuild(child, values)
        return rebuilt
    if isinstance(like, list):
        return [_rebuild(child, values) for child in like]
    if isinstance(like, tuple):
        children = [_rebuild(child, values) for child in like]
        return type(like)(*children) if hasattr(like, "_fields") else tuple(children)
    return next(values)


def aligned(
    names: Sequence[str], trees: Sequence[Tree], path: str = ""
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Each place of the first tree that holds a leaf, as "['W'][0]", and the leaves there.

    Raises
    ------
    ValueError
        Where a tree does not fit the first one; `names` say which ones they are.
    """
    first = trees[0]
    kind = _kind(first)
    for name, other in zip(names[1:], trees[1:], strict=True):
        if _kind(other) != kind or _keys(other) != _keys(first):
            message = (
                f"{name} does not fit {names[0]}: at {names[0]}{path} there is "
                f"{_described(first)}, at {name}{path} {_described(other)}. "
                "Give both the same keys, lengths and types of container."
            )
            raise ValueError(message)
    if kind == "leaf":
        yield path, tuple(trees)
        return
    for key in first if isinstance(first, dict) else range(len(first or ())):
        children = [tree[key] for tree in trees]
        yield from aligned(names, children, f"{path}[{key!r}]")


def _kind(tree: Tree) -> str:
    if tree is None:
        return "None"
    if isinstance(tree, dict):
        return "dict"
    if isinstance(tree, list):
        return "list"
    if isinstance(tree, tuple):
        return type(tree).__name__ if hasattr(tree, "_fields") else "tuple"
    return "leaf"


def _keys(tree: Tree) -> Any:
    if isinstance(tree, dict):
        return set(tree)
    return len(tree) if isinstance(tree, list | tuple) else None


def _described(tree: Tree) -> str:
    kind = _kind(tree)
    if kind == "leaf":
        return f"a leaf ({type(tree).__name__})"
    if kind == "dict":
        return f"a dict with the keys {', '.join(map(repr, tree)) or '(none)'}"
    return kind if tree is None else f"a {kind} of length {len(tree)}"
