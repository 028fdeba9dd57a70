"""Pictures of what flows through a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpfit import plots
from xpfit.core.network import (
    Affine,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    examine_flow,
)

figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")


def rows(n: int = 40) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


def deep(layer: Any) -> Any:
    layers = [each for _ in range(6) for each in (Affine(20, "xavier"), layer)]
    network = Network(4, (*layers, Affine(3, "xavier")), SoftmaxCrossEntropy())
    return network, network.initial(np.random.default_rng(0))


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_picture_of_gradients_shows_their_sizes() -> None:
    X, y = rows()
    first, second = (examine_flow(*deep(layer), X, y) for layer in (Sigmoid(), Tanh()))
    given = figure.Figure().subplots()
    axes = plots.plot_gradient_flow(first, second, labels=["sigmoid", "$tanh"], ax=given)
    assert axes is given
    assert axes.get_yscale() == "log"
    np.testing.assert_array_equal(
        axes.lines[0].get_ydata(), [one.d_outputs.size for one in first.layers]
    )
    np.testing.assert_array_equal(
        axes.lines[3].get_ydata(), [one.d_outputs.largest for one in second.layers]
    )
    assert texts(axes) == ["sigmoid", r"\$tanh"]
    assert [label.get_text() for label in axes.get_xticklabels()][:2] == ["1 affine", "2 sigmoid"]
    assert texts(plots.plot_gradient_flow(first)) == ["root mean square", "largest"]
    assert texts(plots.plot_gradient_flow(first, second)) == ["flow 1", "flow 2"]


def test_a_gradient_of_zero_is_a_cross_at_the_foot() -> None:
    X, y = rows()
    network = Network(4, (Affine(6), ReLU(), Affine(3)), SoftmaxCrossEntropy())
    theta = network.initial(np.random.default_rng(2))
    network.unpack(theta)[1][:] = -50.0
    axes = plots.plot_gradient_flow(examine_flow(network, theta, X, y))
    assert texts(axes)[-1] == "exactly 0"
    assert axes.lines[-1].get_xdata().tolist() == [1]
    axes.figure.canvas.draw()
    theta[:] = np.nan
    plots.plot_gradient_flow(examine_flow(network, theta, X, y)).figure.canvas.draw()


def test_the_picture_of_activations_shows_histograms_and_dead_units() -> None:
    X, y = rows()
    network = Network(4, (Affine(6), ReLU(), Affine(5), Tanh(), Affine(3)), SoftmaxCrossEntropy())
    theta = network.initial(np.random.default_rng(2))
    network.unpack(theta)[1][:2] = -50.0
    network.unpack(theta)[2][:] *= 20.0
    flow = examine_flow(network, theta, X, y)
    axes = plots.plot_activation_histograms(flow)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["1 affine", "2 relu", "3 affine", "4 tanh", "5 affine"]
    notes = [text.get_text() for text in axes.texts]
    assert notes == ["2 of 6 dead", f"{100 * flow.layers[3].saturated:.0f} % saturated"]
    values, edges, base = axes.patches[0].get_data()
    assert base == 4
    counts = flow.layers[0].counts
    np.testing.assert_allclose(values - base, 0.85 * counts / counts.max())
    np.testing.assert_array_equal(edges, flow.layers[0].edges)
    theta[:] = np.nan
    axes = plots.plot_activation_histograms(examine_flow(network, theta, X, y))
    assert {text.get_text() for text in axes.texts} >= {"not finite"}
    axes.figure.canvas.draw()


def test_pictures_of_anything_else_are_refused() -> None:
    flow = examine_flow(*deep(Tanh()), *rows())
    with pytest.raises(ValueError, match="no flow was given"):
        plots.plot_gradient_flow()
    with pytest.raises(ValueError, match="1 flows, but 2 labels"):
        plots.plot_gradient_flow(flow, labels=["a", "b"])
    with pytest.raises(TypeError, match="was given float"):
        plots.plot_gradient_flow(flow, 1.0)
    with pytest.raises(TypeError, match="plot_activation_histograms was given"):
        plots.plot_activation_histograms(np.ones(3))
    with pytest.raises(TypeError, match="one matplotlib Axes"):
        plots.plot_activation_histograms(flow, ax=[1])
