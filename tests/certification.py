"""Certificates: a hand-written derivative beside what the computation graph says of the same
forward source. Each `certify_*` raises an AssertionError where the two differ.

What is to be certified is an argument, so that a planted error can be handed over in its place.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from helpers import targets_for

from xpfit.backends import Backend, filled
from xpfit.core import passes
from xpfit.core.graph import elementwise_grad, grad, jvp, namespace
from xpfit.core.losses import HALF_BINOMIAL, Loss
from xpfit.core.many_passes import losses_gradients
from xpfit.core.network import Layer, Moment, Network, Output
from xpfit.core.network.objective import NetworkObjective
from xpfit.core.network.trace import trace
from xpfit.core.objective import LinearObjective
from xpfit.core.optimizers.tree import leaves
from xpfit.core.penalties import ElasticNet
from xpfit.core.solvers.diagonal import mean_curvature
from xpfit.core.solvers.huber import HuberObjective

# More rows than the smallest block, so that targets with small blocks add up two of them.
N, D, K = 70, 4, 3
KEY = np.asarray(2**31 + 7, dtype=np.uint32)


def on_graph(backend: Backend) -> Backend:
    """The same backend, whose functions follow nodes; fused kernels know none."""
    return dataclasses.replace(backend, xp=namespace(backend.xp), kernels={})


def agree(backend: Backend, found: Any, expected: Any) -> None:
    """Raise unless two trees hold the same numbers, but for rounding."""
    owns, others = ([backend.to_numpy(x) for x in leaves(tree)] for tree in (found, expected))
    # One scale for all: a bias before batch normalization has the derivative 0, but for rounding.
    scale = max(float(np.max(np.abs(other), initial=0.0)) for other in others)
    for own, other in zip(owns, others, strict=True):
        assert own.shape == other.shape
        np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-12 * scale)


def _moved(backend: Backend, *arrays: Any) -> Any:
    return tuple(backend.from_numpy(np.asarray(array)) for array in arrays)


def _gradients(backend: Backend, number: Any, at: tuple[Any, ...]) -> Any:
    return backend.jit(grad(number, tuple(range(len(at)))))(*at)


def _derivatives(backend: Backend, number: Any, at: Any) -> Any:
    """Gradient and Hessian of a function of one vector, by products: a compiler sees one."""
    product = backend.jit(lambda x, t: jvp(grad(number), (x,), (t,)))
    found = [product(at, backend.from_numpy(unit)) for unit in np.eye(at.shape[0])]
    return found[0][0], backend.xp.stack([column for _, column in found], axis=1)


def certify_loss(backend: Backend, loss: Loss) -> None:
    """Gradient and curvatures beside the graph on the value, and on the gradient."""
    rng, space = np.random.default_rng(1), namespace(backend.xp)
    shape = (N, K) if loss.is_multiclass else (N,)
    # Never at a kink, where the graph may choose another side.
    y, raw, along = _moved(
        backend, targets_for(loss.name, N, rng), rng.normal(size=shape) * 2.0 + 0.013,
        rng.normal(size=shape),
    )  # fmt: skip

    def value(r: Any) -> Any:
        return loss.value(space, y, r, *loss.parameters)

    def slope(r: Any) -> Any:
        return loss.gradient(space, y, r, *loss.parameters)

    xp, numbers = backend.xp, loss.parameters
    agree(backend, filled(xp, loss.gradient(xp, y, raw, *numbers), raw),
          backend.jit(elementwise_grad(value))(raw))  # fmt: skip
    curvature = filled(xp, loss.curvature(xp, y, raw, *numbers), raw)
    if not loss.is_multiclass:
        agree(backend, curvature, backend.jit(elementwise_grad(slope))(raw))
        return
    bend = backend.jit(lambda r, t: jvp(slope, (r,), (t,))[1])
    agree(backend, loss.curvature_product(xp, y, raw, along), bend(raw, along))
    units = [backend.from_numpy(np.tile(unit, (N, 1))) for unit in np.eye(K)]
    diagonal = [bend(raw, unit)[:, k] for k, unit in enumerate(units)]
    agree(backend, curvature, xp.stack(diagonal, axis=1))


def _problem(backend: Backend, loss: Loss) -> Any:
    rng, n_outputs = np.random.default_rng(2), K if loss.is_multiclass else 1
    X, weight = rng.normal(size=(N, D)), rng.uniform(0.2, 2.0, N)
    theta = rng.normal(size=(D + 1) * n_outputs) * 0.5
    along = rng.normal(size=theta.shape)
    return _moved(backend, X, targets_for(loss.name, N, rng), weight, theta, along)


def certify_passes(
    backend: Backend,
    loss: Loss,
    loss_gradient: Any = passes.loss_gradient,
    curvature_product: Any = passes.curvature_product,
    weighted_gram: Any = passes.weighted_gram,
    fused: bool | None = None,
) -> None:
    """Sums of the passes beside derivatives of the sum of losses with respect to W and b."""
    xp, graph = backend.xp, on_graph(backend)
    X, y, weight, theta, along = _problem(backend, loss)
    n_outputs, options = theta.shape[0] // (D + 1), {"backend": backend, "fused": fused}

    def split(space: Any, vector: Any) -> Any:
        matrix = space.reshape(vector, (D + 1, n_outputs))
        return matrix[:-1, :], matrix[-1, :]

    def number(vector: Any) -> Any:
        W, b = split(graph.xp, vector)
        return passes.loss_gradient(X, y, weight, W, b, loss, backend=graph).loss

    def joined(W: Any, b: Any) -> Any:
        return xp.reshape(xp.concat([W, b[None, :]], axis=0), (-1,))

    first, second = _derivatives(backend, number, theta)

    def by_hand(theta: Any, along: Any) -> Any:
        data = X, y, weight, *split(xp, theta), loss
        sums = loss_gradient(*data, **options)
        product = joined(*curvature_product(*data, *split(xp, along), **options))
        again, gram = weighted_gram(*data, **options)
        first, second = (joined(s.grad_W, s.grad_b) for s in (sums, again))
        return first, product, second, gram

    found = backend.jit(by_hand)(theta, along)
    agree(backend, found, (first, second @ along, first, second))


def certify_many_models(backend: Backend, losses_gradients: Any = losses_gradients) -> None:
    """The gradients of several models of one pass beside those of their losses."""
    X, y, weight, *_ = _problem(backend, HALF_BINOMIAL)
    W, b = _moved(backend, *(np.random.default_rng(3).normal(size=s) for s in ((D, 5), (5,))))
    graph = on_graph(backend)

    def number(W: Any, b: Any) -> Any:
        sums = losses_gradients(X, y, weight, W, b, HALF_BINOMIAL, backend=graph)
        return graph.xp.sum(sums.losses)

    def by_hand(W: Any, b: Any) -> Any:
        sums = losses_gradients(X, y, weight, W, b, HALF_BINOMIAL, backend=backend)
        return sums.grad_W, sums.grad_b

    agree(backend, backend.jit(by_hand)(W, b), _gradients(backend, number, (W, b)))


def certify_objective(
    backend: Backend, loss: Loss, kind: Any = LinearObjective, *, fit_intercept: bool = True
) -> None:
    """Gradient, products and Hessian of the cost with its penalty, columns standardized."""
    X, y, weight, *_ = _problem(backend, loss)
    rng, n_outputs = np.random.default_rng(4), K if loss.is_multiclass else 1
    size = (D + int(fit_intercept)) * n_outputs
    shift, scale, theta, along = _moved(
        backend, rng.normal(size=D) if fit_intercept else np.zeros(D), rng.uniform(0.5, 2.0, D),
        rng.normal(size=size) * 0.5, rng.normal(size=size),
    )  # fmt: skip

    def made(kind: Any, record: Backend, total: Any = None) -> Any:
        return kind(X, y, weight, loss, record, n_outputs, 0.3, fit_intercept, shift, scale,
                    weight_sum=total)  # fmt: skip

    total = made(kind, backend).weight_sum

    def cost(t: Any) -> Any:
        # Anew each time: an objective keeps arrays, and a compiler's must not stay in it.
        return made(LinearObjective, on_graph(backend), total).cost_gradient(t)[0]

    def by_hand(theta: Any, along: Any) -> Any:
        own = made(kind, backend, total)
        parts = own.cost_gradient(theta)[1], own.curvature_product(theta, along)
        return *parts, *own.cost_gradient_hessian(theta)[1:], mean_curvature(own, theta)

    first, second = _derivatives(backend, cost, theta)
    *found, bends = backend.jit(by_hand)(theta, along)
    agree(backend, tuple(found), (first, second @ along, first, second))
    if fit_intercept:
        # The cost bends along an intercept by the mean curvature of its output.
        diagonal = backend.to_numpy(second).diagonal()[-n_outputs:]
        agree(backend, bends, backend.from_numpy(diagonal.copy()))


def certify_layer(backend: Backend, layer: Layer) -> None:
    """`backward` and `parameter_gradients` beside the graph on `forward`."""
    xp, space, rng = backend.xp, namespace(backend.xp), np.random.default_rng(5)
    moment = Moment(True, backend.from_numpy(KEY))
    parameters, statistics = (
        _moved(backend, *(rng.uniform(0.5, 1.5, each.shape) for each in wanted))
        for wanted in (layer.parameters(D), layer.statistics(D))
    )
    x, d = _moved(
        backend, rng.normal(size=(6, D)) * 2.0, rng.normal(size=(6, layer.n_outputs_for(D)))
    )

    def number(x: Any, *own: Any) -> Any:
        return space.sum(layer.forward(space, own, statistics, x, moment)[0] * d)

    def by_hand(x: Any, *own: Any) -> Any:
        context = layer.forward(xp, own, statistics, x, moment)[1]
        dx, found = layer.backward(xp, own, context, d)
        return (dx, *found), layer.parameter_gradients(xp, own, context, d)

    expected = _gradients(backend, number, (x, *parameters))
    found, alone = backend.jit(by_hand)(x, *parameters)
    agree(backend, found, expected)
    agree(backend, (found[0], *alone), expected)


def _target(output: Output, n: int, k: int, rng: np.random.Generator) -> Any:
    y = rng.integers(0, 2, (n, k)).astype(float)
    return rng.integers(0, k, n) if output.misfit(np, y, k) else y


def certify_output(backend: Backend, output: Output) -> None:
    """`gradient` beside the graph on `losses`."""
    xp, space, rng = backend.xp, namespace(backend.xp), np.random.default_rng(6)
    y, raw = _moved(backend, _target(output, 6, K, rng), rng.normal(size=(6, K)) * 2.0)
    expected = _gradients(backend, lambda r: space.sum(output.losses(space, y, r)), (raw,))
    agree(backend, (output.gradient(xp, y, raw),), expected)


def _network_data(backend: Backend, network: Network, n: int) -> Any:
    rng = np.random.default_rng(7)
    theta = network.initial(rng)
    theta[: network.n_parameters] += 0.2 * rng.normal(size=network.n_parameters)
    y = _target(network.output, n, network.n_outputs, rng)
    X, weight = rng.normal(size=(n, network.n_features)), rng.uniform(0.2, 2.0, n)
    return _moved(backend, X, y, weight, theta)


def certify_network(backend: Backend, network: Network) -> None:
    """Gradients of all parameters, and of the input, beside the graph on the forward pass."""
    X, y, weight, theta = _network_data(backend, network, 9)
    key, space = backend.from_numpy(KEY), namespace(backend.xp)

    def number(x: Any, theta: Any) -> Any:
        return network.loss_gradient(space, network.unpack(theta), x, y, weight, key=key)[0]

    def by_hand(x: Any, theta: Any) -> Any:
        point = network.unpack(theta)
        found = trace(network, backend.xp, point, x, y, weight, key=key)
        grads = network.loss_gradient(backend.xp, point, x, y, weight, key=key)[1]
        return found.d_values[0], found.gradients, grads

    dx, d_theta = _gradients(backend, number, (X, theta))
    want = network.unpack(d_theta[: network.n_parameters])
    agree(backend, backend.jit(by_hand)(X, theta), (dx, want, want))


def certify_network_objective(backend: Backend, network: Network, kind: Any) -> None:
    """The gradient of a network's cost, with its penalty, over blocks of rows."""
    X, y, weight, theta = _network_data(backend, network, N)
    theta = theta[: network.n_parameters]
    own = kind(X, y, weight, network, backend, 0.3)
    traced = NetworkObjective(
        X, y, weight, network, on_graph(backend), 0.3, weight_sum=own.weight_sum,
        penalized=own.penalized,
    )  # fmt: skip
    (expected,) = _gradients(backend, lambda t: traced.cost_gradient(t)[0], (theta,))
    agree(backend, backend.jit(own.cost_gradient)(theta)[1], expected)


def certify_penalty(backend: Backend, net: ElasticNet) -> None:
    """Conditions of optimality and the proximal step beside derivatives of the value."""
    xp, space, rng = backend.xp, namespace(backend.xp), np.random.default_rng(8)
    W, gradient = _moved(backend, rng.normal(size=D * K), rng.normal(size=D * K))
    slope = elementwise_grad(lambda w: net.value(space, w))
    agree(backend, net.violations(xp, W, gradient), xp.abs(gradient + slope(W)))
    # At the minimum of value(V) + ||V - W||^2 / (2 step) the derivative is 0 where V is not.
    V = net.proximal_step(xp, W, 0.4)
    inside = backend.to_numpy(V) != 0.0
    assert inside.any()
    assert inside.all() == (net.l1 == 0.0)
    assert np.abs(backend.to_numpy(slope(V) * 0.4 + V - W)[inside]).max() < 1e-14


def certify_huber(backend: Backend, kind: Any = HuberObjective) -> None:
    """Gradient and Hessian of Huber regression with its scale."""
    rng = np.random.default_rng(9)
    X, y, weight, theta = _moved(
        backend, rng.normal(size=(N, D)), rng.normal(size=N) * 3.0, rng.uniform(0.2, 2.0, N),
        np.append(rng.normal(size=D + 1), 1.7),
    )  # fmt: skip
    own, traced = (
        made(X, y, weight, record, 1.35, 0.1, True)
        for made, record in ((kind, backend), (HuberObjective, on_graph(backend)))
    )
    here = own.at(theta)
    first, second = _derivatives(backend, traced.cost, theta)
    agree(backend, (here.gradient, own.hessian(here)), (first, second))
