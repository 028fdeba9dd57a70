"""The node-by-node face: variables, `.backward()`, and gradients that add up.

What a course shows step by step; it stands on the same nodes as the transforms.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...backends import Array
from .namespace import space_of
from .node import Node, recording
from .reverse import pull_back, reachable
from .transforms import _as_array, _one_like

# Below all levels of transforms, which begin at 1, and above plain arrays.
LEVEL = 0.5


class Variable(Node):
    """An array that remembers what was computed from it.

    Parameters
    ----------
    value : array, or number
        Floating.
    name : str or None
        For pictures and messages.

    Attributes
    ----------
    value : array
    grad : array or None
        The derivative of whatever `.backward()` was called on, summed over the calls since
        `zero_grad()`.

    Examples
    --------
    >>> x, y = Variable(2.0, "x"), Variable(3.0, "y")
    >>> z = x * y + x**2
    >>> z.backward()
    >>> float(x.grad), float(y.grad)
    (7.0, 2.0)
    >>> (x * y).backward()  # gradients add up
    >>> float(x.grad)
    10.0
    >>> x.zero_grad()
    """

    __slots__ = ("grad", "name")

    def __init__(self, value: Any, name: str | None = None) -> None:
        array = _as_array(value, "Variable")
        super().__init__(array, LEVEL, space_of(array))
        self.grad: Array | None = None
        self.name = name

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None


def backward(end: Node, gradient: Any = None) -> None:
    """Add the derivative of `end` to the `grad` of every variable that it came from.

    Parameters
    ----------
    end : Node
    gradient : array or None
        Of something further on with respect to `end`; None: 1, for a single number.

    Raises
    ------
    TypeError
        For an array of several numbers without a gradient.
    """
    if gradient is None:
        if end.shape != ():
            message = (
                f"backward() was called on an array of shape {end.shape} without a gradient. Call "
                "it on one number, or say backward(gradient) with an array of that shape."
            )
            raise TypeError(message)
        gradient = _one_like(end.value)
    elif tuple(getattr(gradient, "shape", ())) != end.shape:
        message = (
            f"backward() was given a gradient of shape {tuple(getattr(gradient, 'shape', ()))} for "
            f"an array of shape {end.shape}. Give one of the same shape."
        )
        raise ValueError(message)
    variables = [node for node in reachable([end]) if isinstance(node, Variable)]
    found = pull_back([end], [gradient])
    for variable in variables:
        part = found.get(variable.key)
        if part is not None:
            part = np.asarray(part) if isinstance(part, float) else part
            variable.grad = part if variable.grad is None else variable.grad + part


@contextmanager
def no_grad() -> Iterator[None]:
    """Within it nothing is remembered of variables, in this thread.

    Examples
    --------
    >>> x = Variable(2.0)
    >>> with no_grad():
    ...     y = x * 3.0
    >>> y
    np.float64(6.0)
    """
    before, recording.on = recording.on, False
    try:
        yield
    finally:
        recording.on = before
