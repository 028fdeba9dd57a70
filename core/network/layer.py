"""What a layer is: a function of an array and its parameters, and the exact derivative beside it.

A layer holds no arrays. It is a frozen description that says which parameters it wants for a number
of inputs; `forward` and `backward` are handed them. So the same layer runs on arrays of any
library, and a compiler may take it for a constant. Shapes: x (n_samples, n_inputs), output
(n_samples, n_outputs).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ...backends import Array, Namespace

HostArray = np.ndarray[Any, Any]


class Parameter(NamedTuple):
    """An array that a layer wants."""

    name: str
    shape: tuple[int, ...]
    penalized: bool = False  # by L1 and L2: weights are, biases and factors of a normalization not


class Moment(NamedTuple):
    """What a forward pass is for."""

    training: bool
    # shape=(), uint32: of this step and this layer, for layers that draw random numbers.
    key: Any = None


class Layer(ABC):
    """A function of an array and parameters, with its derivative; a frozen dataclass.

    `name` and `numbers` are what a backend's compiled epoch knows a layer by; one whose name it
    does not know is evaluated by `forward` and `backward`.

    Examples
    --------
    A layer of one's own, which squares its input:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from xpfit.core.network import Layer, Moment
    >>> @dataclass(frozen=True)
    ... class Square(Layer):
    ...     name = "square"
    ...     def forward(self, xp, parameters, statistics, x, moment):
    ...         return x * x, x, statistics
    ...     def backward(self, xp, parameters, context, d_output):
    ...         return 2.0 * context * d_output, ()
    >>> output, context, _ = Square().forward(np, (), (), np.asarray([[3.0]]), Moment(True))
    >>> output.tolist(), Square().backward(np, (), context, np.asarray([[1.0]]))[0].tolist()
    ([[9.0]], [[6.0]])
    """

    name: ClassVar[str] = ""
    is_random: ClassVar[bool] = False

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that its formulas depend on."""
        return ()

    def n_outputs_for(self, n_inputs: int) -> int:
        """Columns of the output."""
        return n_inputs

    def parameters(self, n_inputs: int) -> tuple[Parameter, ...]:
        """What is trained."""
        return ()

    def statistics(self, n_inputs: int) -> tuple[Parameter, ...]:
        """What is kept of the batches, for predictions; not trained."""
        return ()

    def initial(self, n_inputs: int, rng: np.random.Generator) -> tuple[HostArray, ...]:
        """The parameters and then the statistics before the first step, float64."""
        return ()

    @abstractmethod
    def forward(
        self,
        xp: Namespace,
        parameters: tuple[Array, ...],
        statistics: tuple[Array, ...],
        x: Array,
        moment: Moment,
    ) -> tuple[Array, Any, tuple[Array, ...]]:
        """The output, a context for `backward`, and the statistics after this batch."""

    @abstractmethod
    def backward(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        """Derivatives of a number with respect to x and each parameter, from that with respect to
        the output, at a training pass."""

    def parameter_gradients(
        self, xp: Namespace, parameters: tuple[Array, ...], context: Any, d_output: Array
    ) -> tuple[Array, ...]:
        """The second part of `backward`: nobody asks the first layer for the derivative of x."""
        _, gradients = self.backward(xp, parameters, context, d_output)
        return gradients


class Output(ABC):
    """The last layer and the loss in one: merged, both are stable.

    It has no parameters: `raw`, of shape (n_samples, n_outputs), is what the layers before it
    return.
    """

    name: ClassVar[str] = ""

    @abstractmethod
    def losses(self, xp: Namespace, y: Array, raw: Array) -> Array:
        """The loss of each row, shape (n_samples,)."""

    @abstractmethod
    def gradient(self, xp: Namespace, y: Array, raw: Array) -> Array:
        """Its derivative with respect to `raw`, shape (n_samples, n_outputs)."""

    def misfit(self, xp: Namespace, y: Array, n_outputs: int) -> str | None:
        """What of y is not as `losses` wants it, in words; None where all is."""
        return None

    @abstractmethod
    def predict(self, xp: Namespace, raw: Array) -> Array:
        """What the network predicts: probabilities, or values."""
