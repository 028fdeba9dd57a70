"""One epoch of a small network with Adam as users of other libraries write it, in float32.

Every call starts from the same parameters and takes the batches of one given order, so all end at
the same loss. What a call returns are the parameters: W and b of one layer after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..backends import get_backend
from ..core.minibatch import begin, plan_epoch
from ..core.network import Affine, Network, ReLU, SoftmaxCrossEntropy
from ..core.network.epoch import network_epoch
from ..core.optimizers import Adam
from .peers import quiet

RATE = 1e-3
Matrix = np.ndarray[Any, Any]
Epoch = Callable[[], "list[Matrix]"]


class Contest(NamedTuple):
    """What all of them are given."""

    X: Matrix  # float32
    y: Matrix  # int64
    order: Matrix
    batch_size: int
    widths: tuple[int, ...]
    theta: Matrix  # parameters before the epoch, float32
    network: Network

    @property
    def start(self) -> list[Matrix]:
        """W and b of each layer before the epoch."""
        return [np.asarray(leaf) for leaf in self.network.unpack(self.theta)]


def contest_of(X: Matrix, y: Matrix, widths: Sequence[int], batch_size: int) -> Contest:
    """Fully connected layers of these widths, with ReLU between them."""
    layers = [layer for width in widths[1:] for layer in (Affine(width), ReLU())][:-1]
    network = Network(widths[0], tuple(layers), SoftmaxCrossEntropy())
    rng = np.random.default_rng(7)
    theta = network.initial(rng).astype(np.float32)
    order = rng.permutation(X.shape[0])
    return Contest(X, y, order, batch_size, tuple(widths), theta, network)


def mean_loss(contest: Contest, parameters: Sequence[Matrix]) -> float:
    """The judge: mean cross-entropy over all rows, by NumPy in float64."""
    z = contest.X.astype(np.float64)
    for i, (W, b) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        z = (np.maximum(z, 0.0) if i else z) @ W.astype(np.float64) + b
    z -= z.max(axis=1, keepdims=True)
    losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(z.shape[0]), contest.y]
    return float(losses.mean())


def our_network_epoch(contest: Contest, backend_name: str = "numba") -> Epoch:
    """`core.network.epoch` on a backend."""
    backend, adam = get_backend(backend_name), Adam(RATE)
    X, y, theta = (backend.from_numpy(a) for a in (contest.X, contest.y, contest.theta))

    def run() -> list[Matrix]:
        plan = plan_epoch(adam, contest.X.shape[0], contest.batch_size)
        found, _ = network_epoch(
            X, y, None, contest.order, begin(adam, theta), plan, None, contest.network,
            backend=backend,
        )  # fmt: skip
        return list(contest.network.unpack(backend.to_numpy(found.theta)))

    return run


def torch_network_epoch(contest: Contest, threads: int) -> Epoch:
    """The usual loop: index, forward, `backward`, `step`."""
    import torch

    X, y, rows = (
        torch.from_numpy(np.ascontiguousarray(a)) for a in (contest.X, contest.y, contest.order)
    )

    def model() -> Any:
        layers: list[Any] = []
        for W, b in zip(contest.start[::2], contest.start[1::2], strict=True):
            layer = torch.nn.Linear(*W.shape)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(W.T.copy()))
                layer.bias.copy_(torch.from_numpy(b.copy()))
            layers += [layer, torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1])

    def run() -> list[Matrix]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            network = model()
            optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
            loss = torch.nn.CrossEntropyLoss()
            for chosen in torch.split(rows, contest.batch_size):
                optimizer.zero_grad()
                loss(network(X[chosen]), y[chosen]).backward()
                optimizer.step()
        finally:
            torch.set_num_threads(before)
        return [p.detach().numpy().T for p in network.parameters()]

    return run


def sklearn_network_epoch(contest: Contest) -> Epoch:
    """`MLPClassifier.partial_fit`, which is one epoch; its rows are laid in order beforehand.

    For two classes it has one output: the same model, other steps.
    """
    from sklearn.neural_network import MLPClassifier

    X, y = contest.X[contest.order], contest.y[contest.order]
    model = MLPClassifier(
        contest.widths[1:-1], alpha=0.0, batch_size=contest.batch_size, learning_rate_init=RATE,
        shuffle=False, random_state=0,
    )  # fmt: skip
    classes = np.arange(contest.widths[-1])
    model.partial_fit(X[: contest.batch_size], y[: contest.batch_size], classes=classes)
    start = [
        (model.coefs_[i].copy(), model.intercepts_[i].copy()) for i in range(model.n_layers_ - 1)
    ]
    if contest.widths[-1] > 2:
        start = list(zip(contest.start[::2], contest.start[1::2], strict=True))

    def run() -> list[Matrix]:
        model.coefs_ = [W.copy() for W, _ in start]
        model.intercepts_ = [b.copy() for _, b in start]
        vars(model).pop("_optimizer", None)  # a new Adam, at its first step
        with quiet():
            model.partial_fit(X, y)
        pairs = zip(model.coefs_, model.intercepts_, strict=True)
        return [array for pair in pairs for array in pair]

    return run


def optax_network_epoch(contest: Contest) -> Epoch:
    """A jitted `scan` over whole batches and one step for the rest, with optax's Adam."""
    import jax
    import jax.numpy as jnp
    import optax

    optimizer, size = optax.adam(RATE), contest.batch_size
    whole = contest.order.shape[0] // size * size
    batches = jnp.asarray(contest.order[:whole].reshape(-1, size).astype(np.int32))
    rest = jnp.asarray(contest.order[whole:].astype(np.int32))
    X, y = jnp.asarray(contest.X), jnp.asarray(contest.y.astype(np.int32))
    start = [jnp.asarray(array) for array in contest.start]

    def cost(params: Any, X: Any, y: Any) -> Any:
        z = X
        for i in range(0, len(params), 2):
            z = (jax.nn.relu(z) if i else z) @ params[i] + params[i + 1]
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

    @jax.jit
    def epoch(X: Any, y: Any, batches: Any, rest: Any, params: Any) -> Any:
        def step(carried: Any, rows: Any) -> Any:
            params, state = carried
            grads = jax.grad(cost)(params, X[rows], y[rows])
            updates, state = optimizer.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), None

        now, _ = jax.lax.scan(step, (params, optimizer.init(params)), batches)
        return (step(now, rest)[0] if rest.shape[0] else now)[0]

    return lambda: [np.asarray(array) for array in epoch(X, y, batches, rest, start)]


def products_alone(contest: Contest) -> Callable[[], None]:
    """The matrix products of an epoch and nothing else, on arrays of one batch: NumPy's BLAS."""
    rng, m, widths = np.random.default_rng(0), contest.batch_size, contest.widths
    z = [rng.random((m, width), dtype=np.float32) for width in widths]
    back = [np.empty_like(array) for array in z]
    W = [rng.random(shape, dtype=np.float32) for shape in pairwise(widths)]
    out, dW = [np.empty_like(array) for array in z], [np.empty_like(array) for array in W]
    n_batches = contest.X.shape[0] / m

    def run() -> None:
        for _ in range(round(n_batches)):
            for i, weights in enumerate(W):
                np.matmul(z[i], weights, out=out[i + 1])
                np.matmul(z[i].T, z[i + 1], out=dW[i])
                if i > 0:
                    np.matmul(z[i + 1], weights.T, out=back[i])

    return run
