"""A network: a list of layers, one output layer, and where in one vector their arrays stand.

All that is trained is one vector, `theta`: the parameters of each layer in turn, then what layers
keep of the batches (statistics). Optimizers, checkpoints and line searches see a vector, as for
linear models; `unpack` cuts it into the arrays of the layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace

from ...backends import Array, Namespace
from ..minibatch import Plan, Progress
from .built_in import is_built_in
from .contract import check_parts, checked_backward, checked_forward, checked_gradients
from .layer import HostArray, Layer, Moment, Output
from .step import (
    Batch,
    Form,
    Standing,
    StepNumbers,
    converted,
    form_of,
    progress_of,
    stand,
    take_step,
)
from .uniform import layer_key

Leaves = tuple[Array, ...]


class Place(NamedTuple):
    """An array of a layer within theta."""

    layer: int
    name: str
    shape: tuple[int, ...]
    start: int
    stop: int
    penalized: bool
    trained: bool


class Pass(NamedTuple):
    """What a forward pass leaves."""

    raw: Array  # shape=(n_samples, n_outputs)
    contexts: tuple[Any, ...]  # layer by layer, for `backward`
    statistics: Leaves  # after this batch


@dataclass(frozen=True)
class Network:
    """raw = layer_L(... layer_1(x)), and the loss of `output` on it.

    Parameters
    ----------
    n_features : int
        Columns of X.
    layers : tuple of Layer
    output : Output

    Raises
    ------
    ValueError, TypeError
        Without columns or any layer that is trained; for what is no layer, or no output.

    Examples
    --------
    >>> from xpfit.core.network import Affine, ReLU, SquaredError
    >>> network = Network(2, (Affine(3), ReLU(), Affine(1)), SquaredError())
    >>> network.n_parameters, network.n_outputs
    (13, 1)
    >>> theta = network.initial(np.random.default_rng(0))
    >>> [leaf.shape for leaf in network.unpack(theta)]
    [(2, 3), (3,), (3, 1), (1,)]
    """

    n_features: int
    layers: tuple[Layer, ...]
    output: Output

    def __post_init__(self) -> None:
        layers = check_parts(self.n_features, self.layers, self.output)
        object.__setattr__(self, "layers", layers)
        if not (self.n_features >= 1 and any(place.trained for place in self.places)):
            message = (
                f"A network of {len(self.layers)} layers on {self.n_features} columns has nothing "
                "to train. Give it at least one column, and one Affine layer."
            )
            raise ValueError(message)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Columns before each layer, and at the end."""
        widths = [int(self.n_features)]
        for layer in self.layers:
            widths.append(layer.n_outputs_for(widths[-1]))
        return tuple(widths)

    @property
    def n_outputs(self) -> int:
        """Columns of `raw`."""
        return self.widths[-1]

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every array: those that are trained, layer by layer, and then the statistics."""
        found: list[Place] = []
        for trained in (True, False):
            for i, layer in enumerate(self.layers):
                wanted = layer.parameters if trained else layer.statistics
                for name, shape, penalized in wanted(self.widths[i]):
                    start = found[-1].stop if found else 0
                    stop = start + math.prod(shape)
                    found.append(Place(i, name, shape, start, stop, penalized, trained))
        return tuple(found)

    @cached_property
    def n_parameters(self) -> int:
        """Numbers that are trained."""
        return max((place.stop for place in self.places if place.trained), default=0)

    @cached_property
    def size(self) -> int:
        """Length of theta."""
        return self.places[-1].stop

    @cached_property
    def is_built_in(self) -> bool:
        """Whether the names of all layers and of the output say what they do."""
        return is_built_in(self.layers, self.output)

    @cached_property
    def is_random(self) -> bool:
        """Whether a training pass draws random numbers."""
        return any(layer.is_random for layer in self.layers)

    def initial(self, rng: np.random.Generator) -> HostArray:
        """theta before the first step, float64, on the host."""
        theta = np.zeros(self.size)
        for i, layer in enumerate(self.layers):
            values = layer.initial(self.widths[i], rng)
            own = [place for place in self.places if place.layer == i]
            for place, value in zip(own, values, strict=True):
                theta[place.start : place.stop] = np.ravel(value)
        return theta

    def unpack(self, theta: Array) -> Leaves:
        """The arrays of all places; for a vector of parameters alone, those of the parameters."""
        xp, whole = array_namespace(theta), theta.shape[0] == self.size
        return tuple(
            xp.reshape(theta[place.start : place.stop], place.shape)
            for place in self.places
            if whole or place.trained
        )

    def pack(self, xp: Namespace, leaves: Sequence[Array]) -> Array:
        """One vector of arrays."""
        return xp.concat([xp.reshape(leaf, (-1,)) for leaf in leaves])

    @cached_property
    def standing(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """Layer by layer: where its parameters and its statistics stand among the leaves."""

        def standing(layer: int, *, trained: bool) -> tuple[int, ...]:
            return tuple(
                at for at, place in enumerate(self.places)
                if place.layer == layer and place.trained is trained
            )  # fmt: skip

        layers = range(len(self.layers))
        return tuple((standing(i, trained=True), standing(i, trained=False)) for i in layers)

    @cached_property
    def n_trained(self) -> int:
        """How many of the leaves are trained: the first ones."""
        return sum(place.trained for place in self.places)

    def forward(
        self, xp: Namespace, leaves: Leaves, x: Array, *, training: bool, key: Any = None
    ) -> Pass:
        """All layers, one after the other.

        Parameters
        ----------
        leaves : tuple of arrays
            Of `unpack`.
        x : array or CSR of shape (n_samples, n_features)
        training : bool
        key : array of shape (), uint32, or None
            For a network that `is_random`, while training.
        """
        contexts, statistics = [], list(leaves[self.n_trained :])
        for i in range(len(self.layers)):
            x, context, after = self.forward_layer(xp, leaves, i, x, training=training, key=key)
            contexts.append(context)
            for at, value in zip(self.standing[i][1], after, strict=True):
                statistics[at - self.n_trained] = value
        return Pass(x, tuple(contexts), tuple(statistics))

    def forward_layer(
        self, xp: Namespace, leaves: Leaves, i: int, x: Array, *, training: bool, key: Any = None
    ) -> tuple[Array, Any, Leaves]:
        """Layer i (from 0) alone, as `forward` calls it; `key` is that of the whole network."""
        trained, kept = self.standing[i]
        own = None if key is None else layer_key(xp, key, i)
        found = self.layers[i].forward(
            xp, tuple(leaves[at] for at in trained), tuple(leaves[at] for at in kept), x,
            Moment(training, own),
        )  # fmt: skip
        return checked_forward(self.layers[i], i, found)

    def backward(
        self, xp: Namespace, leaves: Leaves, contexts: Sequence[Any], d_raw: Array
    ) -> Leaves:
        """The gradient of every trained leaf, from that of `raw`."""
        grads: list[Any] = [None] * self.n_trained
        d = d_raw
        for i in range(len(self.layers) - 1, -1, -1):
            layer, (trained, _) = self.layers[i], self.standing[i]
            own = tuple(leaves[at] for at in trained)
            if i > 0:
                d, found = checked_backward(layer, i, layer.backward(xp, own, contexts[i], d))
            else:
                found = layer.parameter_gradients(xp, own, contexts[i], d)
            for at, value in zip(trained, checked_gradients(layer, i, own, found), strict=True):
                grads[at] = value
        return tuple(grads)

    def loss_gradient(
        self,
        xp: Namespace,
        leaves: Leaves,
        x: Array,
        y: Array,
        weight: Array | None = None,
        *,
        training: bool = True,
        key: Any = None,
    ) -> tuple[Array, Leaves, Leaves]:
        """sum_i weight_i loss_i, its gradient leaf by leaf, and the statistics after this batch.

        Parameters
        ----------
        weight : array of shape (n_samples,) or None
            None: ones.

        Examples
        --------
        >>> from xpfit.core.network import Affine, SquaredError
        >>> network = Network(1, (Affine(1),), SquaredError())
        >>> leaves = network.unpack(np.asarray([2.0, 0.0]))
        >>> loss, (dW, db), _ = network.loss_gradient(
        ...     np, leaves, np.asarray([[1.0], [3.0]]), np.asarray([[1.0], [6.0]]))
        >>> float(loss), dW.tolist(), db.tolist()
        (0.5, [[1.0]], [1.0])
        """
        found = self.forward(xp, leaves, x, training=training, key=key)
        losses = self.output.losses(xp, y, found.raw)
        d_raw = self.output.gradient(xp, y, found.raw)
        if weight is not None:
            losses, d_raw = losses * weight, d_raw * weight[:, None]
        grads = self.backward(xp, leaves, found.contexts, d_raw)
        return xp.sum(losses), grads, found.statistics

    def sums(
        self, xp: Namespace, theta: Array, X: Array, y: Array, weight: Array | None
    ) -> tuple[Array, Array]:
        """sum_i weight_i loss_i and its gradient with respect to the vector theta."""
        rows = converted(xp, Batch(X, y, weight), theta.dtype)
        loss, grads, _ = self.loss_gradient(xp, self.unpack(theta), *rows)
        return loss, self.pack(xp, grads)

    def form_of(self, plan: Plan) -> Form:
        """What the steps of a plan do at all; hashable."""
        return form_of(plan)

    def stand(self, progress: Progress) -> Standing:
        """The arrays of a progress, layer by layer."""
        return stand(self, Progress(*progress))

    def progress_of(self, xp: Namespace, standing: Standing) -> Progress:
        """The progress of these arrays: the way back."""
        return progress_of(self, xp, standing)

    def step(
        self, xp: Namespace, now: Standing, batch: Sequence[Any], form: Form, numbers: Sequence[Any]
    ) -> tuple[Standing, Array]:
        """`step.take_step`, for those who cannot import it: of the fields of its arguments."""
        return take_step(self, xp, now, Batch(*batch), form, StepNumbers(*numbers))
