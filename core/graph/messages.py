"""What boxes say when they are asked for what they cannot do."""

from __future__ import annotations

from typing import NoReturn


def refuse_number(kind: str) -> NoReturn:
    """Of float(x) and int(x)."""
    message = (
        f"{kind}(x), or a function of Python numbers such as math.exp, was asked of a node: its "
        "derivative would be lost. Write it with the functions of "
        "xpfit.core.graph.namespace(xp), or take x as it is."
    )
    raise TypeError(message)


def refuse_library(what: str) -> NoReturn:
    """Of functions of an array library itself."""
    message = (
        f"{what} was given a node, which it cannot follow. Take the function of that name of "
        "xpfit.core.graph.namespace(xp), xp being the array library."
    )
    raise TypeError(message)


def refuse_in_place(what: str) -> NoReturn:
    """Of x += y and the like."""
    message = (
        f"{what} was asked of a node: it would change the array that other nodes were computed "
        "from, and their derivatives would be wrong. Make a new array: x = x + y, or "
        "xp.where(mask, y, x); a Variable is moved by w.value = w.value - step."
    )
    raise TypeError(message)


def missing_attribute(kind: str, name: str) -> AttributeError:
    """Of x.sum() and the like, and of x.grad where x is no Variable."""
    if name.startswith("__"):  # libraries look for their protocols
        return AttributeError(name)
    if name == "grad":
        return AttributeError(
            "Only a Variable has .grad, and what is computed from one is none. Move a Variable by "
            "w.value = w.value - step, not by w = w - step."
        )
    return AttributeError(
        f"A {kind} has no attribute {name!r}. Functions of arrays are those of its namespace, "
        "xpfit.core.graph.namespace(xp): xp.sum(x), xp.reshape(x, shape)."
    )
