"""What an optimizer is: a pointwise rule, and the numbers that it depends on at a step.

A rule is a plain function of one parameter, written once:

    rule(xp, gradient, parameter, *slots, *scalars) -> (update, *new_slots)

`update` is what is added to the parameter. A slot is what the optimizer remembers of that
parameter. Scalars are Python numbers, or arrays of shape () where the step is traced. Arrays of
any library evaluate a rule as it stands; a compiler of formulas takes the same source one number at
a time. So a rule has element-wise arithmetic and functions of `xp` only, no `if`, no default
values, and changes nothing in place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from array_api_compat import array_namespace

from ...backends import Array, Namespace, describe_array
from ..schedules import Schedule
from .tree import Tree, aligned, tree_map, unflatten

Rule: TypeAlias = Callable[..., tuple[Array, ...]]


class State(NamedTuple):
    """What an optimizer knows between two steps."""

    step: Any  # steps taken so far: int; shape=(), integer, where it is traced
    slots: tuple[Tree, ...]  # n_slots trees like params: same containers, shapes and dtypes


class Optimizer(ABC):
    """A rule, its numbers, and how both are applied to a tree of parameters.

    A subclass is a frozen dataclass with the field `learning_rate`: a number, or a schedule, which
    is a function of the number of steps already taken. It says what `rule`, `initial_slots` and
    `scalars` are; the rest is here.

    Examples
    --------
    An optimizer of one's own, which steps by the sign of the gradient:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from xpfit.core.optimizers import Optimizer, apply_updates
    >>> def sign_step(xp, gradient, parameter, learning_rate):
    ...     return (-learning_rate * xp.sign(gradient),)
    >>> @dataclass(frozen=True)
    ... class SignDescent(Optimizer):
    ...     learning_rate: float = 0.5
    ...     rule = staticmethod(sign_step)
    ...     initial_slots = ()
    ...     def scalars(self, step, learning_rate):
    ...         return (learning_rate,)
    >>> params = {"w": np.array([1.0, -3.0])}
    >>> optimizer = SignDescent()
    >>> updates, state = optimizer.update(params, optimizer.init(params), params)
    >>> apply_updates(params, updates)["w"].tolist()
    [0.5, -2.5]
    """

    learning_rate: float | Schedule

    @property
    @abstractmethod
    def rule(self) -> Rule:
        """The rule of these options: a plain module-level function."""

    @property
    @abstractmethod
    def initial_slots(self) -> tuple[float, ...]:
        """The number that each slot is filled with before the first step."""

    @abstractmethod
    def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
        """The scalars of the rule at `step` = 1, 2, ...: numbers, or traced like `step`."""

    @property
    def n_slots(self) -> int:
        """How many numbers are remembered of each parameter."""
        return len(self.initial_slots)

    @property
    def ahead(self) -> float:
        """The gradient is wanted at params + ahead * the first slot: 0, unless it looks ahead."""
        return 0.0

    @property
    def plain_decay(self) -> float | None:
        """The decay of a rule that is -learning_rate * (gradient + decay * parameter), else None.

        Steps of such a rule need not visit a coefficient whose own gradient is 0.
        """
        return None

    def reach(self, step: Any, learning_rate: Any) -> Any:
        """How far a lasting gradient of one moves a parameter in each step: what a penalty that is
        applied beside the steps must be multiplied with.

        The learning rate; optimizers with momentum go further. Those that divide gradients by their
        size have no such number, and keep the learning rate.
        """
        return learning_rate

    def learning_rate_at(self, step: Any) -> Any:
        """The learning rate after `step` = 0, 1, ... steps taken."""
        rate = self.learning_rate
        return rate(step) if callable(rate) else rate

    def init(self, params: Tree) -> State:
        """The state before the first step.

        Parameters
        ----------
        params : tree of arrays, real floating
            Slots have the shape, the dtype, the library and the device of each.

        Raises
        ------
        TypeError
            For a leaf that is no array of floating numbers.
        """
        found = [leaf for _, (leaf,) in aligned(("params",), (params,))]
        xp = _namespace(self, "params", found)
        for path, (leaf,) in aligned(("params",), (params,)):
            if not xp.isdtype(leaf.dtype, "real floating"):
                message = (
                    f"{type(self).__name__}.init() was given params{path}, "
                    f"{describe_array(leaf)}: a parameter moves by fractions. Convert it to a "
                    "floating dtype."
                )
                raise TypeError(message)
        slots = tuple(
            unflatten(params, [xp.full_like(leaf, value) for leaf in found])
            for value in self.initial_slots
        )
        return State(0, slots)

    def update(
        self, grads: Tree, state: State, params: Tree, learning_rate: Any = None
    ) -> tuple[Tree, State]:
        """What to add to the parameters, and the state after this step. No argument is changed.

        Parameters
        ----------
        grads : tree like params
            The gradient of the cost at `lookahead(params, state)`: mostly, at params.
        state : State
            From `init` or from the last `update`.
        params : tree of arrays, real floating
        learning_rate : number, array of shape (), or None
            For this step, in place of the optimizer's own.

        Returns
        -------
        updates : tree like params
            For `apply_updates`.
        state : State

        Raises
        ------
        ValueError
            Where `grads` or `state` do not fit `params`: containers, keys, lengths or shapes.
        TypeError
            Where a gradient or a slot is of another dtype, or library, than its parameter.
        """
        rate = self.learning_rate_at(state.step) if learning_rate is None else learning_rate
        step = state.step + 1
        scalars = self.scalars(step, rate)
        rule, results = self.rule, []
        names = ("params", "grads", *(f"state.slots[{i}]" for i in range(len(state.slots))))
        self._check_slots(state)
        places = list(aligned(names, (params, grads, *state.slots)))
        xp = _namespace(self, "params and grads", [x for _, found in places for x in found])
        for path, (parameter, gradient, *slots) in places:
            self._check_leaf(f"grads{path}", parameter, gradient)
            for name, slot in zip(names[2:], slots, strict=True):
                self._check_leaf(f"{name}{path}", parameter, slot)
            numbers = [number_for(xp, scalar, parameter.dtype) for scalar in scalars]
            results.append(rule(xp, gradient, parameter, *slots, *numbers))
        columns = [[result[i] for result in results] for i in range(1 + self.n_slots)]
        updates, *new_slots = (unflatten(params, column) for column in columns)
        return updates, State(step, tuple(new_slots))

    def lookahead(self, params: Tree, state: State) -> Tree:
        """The point at which `update` wants the gradient: params, unless the optimizer says so."""
        return params

    def _check_slots(self, state: State) -> None:
        if len(state.slots) != self.n_slots:
            message = (
                f"{type(self).__name__} was given a state with {len(state.slots)} slots, but "
                f"keeps {self.n_slots}: it is that of another optimizer, or of other options. "
                "Start from init(params)."
            )
            raise ValueError(message)

    def _check_leaf(self, place: str, parameter: Array, given: Array) -> None:
        # Broadcasting would hide a wrong shape, and promotion a wrong dtype.
        if parameter.shape != given.shape:
            why = f"of shape {tuple(given.shape)} for a parameter of {tuple(parameter.shape)}"
            error: type[Exception] = ValueError
        elif parameter.dtype != given.dtype:
            why, error = f"of {given.dtype} for a parameter of {parameter.dtype}", TypeError
        else:
            return
        message = (
            f"{type(self).__name__}.update() was given {place} {why}. Gradients and slots have the "
            "shape and the dtype of their parameter: nothing is broadcast or converted unasked."
        )
        raise error(message)


def _namespace(optimizer: Optimizer, what: str, found: list[Any]) -> Namespace:
    if not found:
        return np
    try:
        return array_namespace(*found)
    except TypeError as problem:
        kinds = ", ".join(sorted({f"{type(x).__module__}.{type(x).__name__}" for x in found}))
        message = (
            f"{type(optimizer).__name__} was given {what} of {kinds}. All leaves must be arrays of "
            "one library; convert them with its asarray first."
        )
        raise TypeError(message) from problem


def number_for(xp: Namespace, scalar: Any, dtype: Any) -> Any:
    """A scalar that leaves arrays of that dtype in it."""
    # NumPy's own scalars, and arrays, would turn float32 parameters into float64.
    if isinstance(scalar, int | float | np.number):
        return float(scalar)
    return xp.astype(scalar, dtype)


def apply_updates(params: Tree, updates: Tree) -> Tree:
    """The parameters after a step: params + updates, as new arrays.

    Examples
    --------
    >>> import numpy as np
    >>> apply_updates([np.array([1.0, 2.0])], [np.array([0.5, 0.0])])
    [array([1.5, 2. ])]
    """
    return tree_map(_plus, params, updates)


def _plus(parameter: Array, update: Array) -> Array:
    return parameter + update
