"""Gradients and activations of a network, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.network import LayerFlow, NetworkFlow
from .._inputs import name_of
from .style import COLOURS, EDGE, INK, MUTED, axes_for, label_decimally, legend, name_axes, plain

# How far the tallest bar of a histogram reaches into the one above.
OVERLAP = 0.85


def _checked(who: str, flows: Sequence[Any]) -> None:
    if not flows:
        message = f"{who}: no flow was given. Pass what xpfit.core.network.examine_flow returns."
        raise ValueError(message)
    for flow in flows:
        if not isinstance(flow, NetworkFlow):
            message = (
                f"{who} was given {name_of(flow)}. Pass what xpfit.core.network.examine_flow "
                "returns."
            )
            raise TypeError(message)


def plot_gradient_flow(
    *flows: NetworkFlow, labels: Sequence[str] | None = None, ax: Any = None
) -> Any:
    """How large the gradient is that arrives at each layer, on a logarithmic axis.

    Dots are root mean squares of the derivative with respect to a layer's output, carets the
    largest ones. A line that falls to the left vanishes on its way to the first layers, one that
    rises to the left explodes. A cross at the foot is a gradient of exactly 0.

    Parameters
    ----------
    *flows : NetworkFlow
        One or more, of `xpfit.core.network.examine_flow`: several initializations, say.
    labels : sequence of str or None
        One for each flow.
    ax : matplotlib Axes or None
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError, TypeError
        For no flow, something that is none, another number of labels.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import plots
    >>> from xpfit.core.network import Affine, Network, ReLU, SquaredError, examine_flow
    >>> network = Network(2, (Affine(4), ReLU(), Affine(1)), SquaredError())
    >>> X, theta = np.eye(2), network.initial(np.random.default_rng(0))
    >>> axes = plots.plot_gradient_flow(examine_flow(network, theta, X, X[:, :1]))
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['1 affine', '2 relu', '3 affine']
    """
    _checked("plot_gradient_flow", flows)
    alone = len(flows) == 1 and labels is None
    # One flow tells what its marks are, several which is which.
    names = [f"flow {k + 1}" for k in range(len(flows))] if labels is None else list(labels)
    names = ["root mean square"] if alone else names
    if len(names) != len(flows):
        message = (
            f"plot_gradient_flow: {len(flows)} flows, but {len(names)} labels. Pass one for each."
        )
        raise ValueError(message)
    axes = axes_for(ax)
    shown = []
    for k, (flow, name) in enumerate(zip(flows, names, strict=True)):
        marks = ("largest", "exactly 0") if alone else (None, None)
        colour = COLOURS[k % len(COLOURS)]
        shown += _draw_gradients(axes, flow, (plain(name), *marks), colour)
    positive = np.asarray([value for value in shown if value > 0.0 and np.isfinite(value)])
    if positive.size:
        axes.set_yscale("log")
        label_decimally(axes.yaxis, positive.max() / positive.min())
    _name_layers(axes, max(flows, key=lambda flow: len(flow.layers)).layers)
    name_axes(axes, "layer", "gradient with respect to the output")
    legend(axes)
    return axes


def _draw_gradients(
    axes: Any, flow: NetworkFlow, names: tuple[str | None, ...], colour: str
) -> list[float]:
    at = np.arange(1, len(flow.layers) + 1)
    size = np.asarray([one.d_outputs.size for one in flow.layers])
    largest = np.asarray([one.d_outputs.largest for one in flow.layers])
    usable = np.isfinite(size) & (size > 0.0)
    style = {"color": colour, "markersize": 4.5}
    axes.plot(at, np.where(usable, size, np.nan), "-o", label=names[0], **style)
    axes.plot(at, np.where(usable, largest, np.nan), "^", alpha=0.45, label=names[1], **style)
    if np.any(size == 0.0):
        lost = at[size == 0.0]
        axes.plot(
            lost, np.full(lost.size, 0.02), "x", transform=axes.get_xaxis_transform(),
            clip_on=False, label=names[2], **style,
        )  # fmt: skip
    return [*size, *largest]


def _name_layers(axes: Any, layers: Sequence[LayerFlow]) -> None:
    titles = [plain(f"{one.number} {one.name}") for one in layers]
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(layers) > 5 else {}
    axes.set_xticks(range(1, len(layers) + 1), titles, **turned)
    axes.set_xlim(0.6, len(layers) + 0.4)


def plot_activation_histograms(flow: NetworkFlow, ax: Any = None) -> Any:
    """The distribution of each layer's output, the first layer on top, all on one axis.

    Each is as tall as its tallest bar. Dead units of a ReLU and saturated outputs of a sigmoid or
    tanh are told at the right.

    Parameters
    ----------
    flow : NetworkFlow
        Of `xpfit.core.network.examine_flow`.
    ax : matplotlib Axes or None
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        For anything that is no NetworkFlow.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit import plots
    >>> from xpfit.core.network import Affine, Network, ReLU, SquaredError, examine_flow
    >>> network = Network(2, (Affine(4), ReLU(), Affine(1)), SquaredError())
    >>> X, theta = np.eye(2), network.initial(np.random.default_rng(0))
    >>> axes = plots.plot_activation_histograms(examine_flow(network, theta, X, X[:, :1]))
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['1 affine', '2 relu', '3 affine']
    """
    _checked("plot_activation_histograms", [flow])
    n = len(flow.layers)
    axes = axes_for(ax, height=max(3.0, 1.2 + 0.45 * n))
    for k, one in enumerate(flow.layers):
        base, colour = n - 1 - k, COLOURS[0]
        heights = OVERLAP * one.counts / max(int(one.counts.max()), 1)
        # Upper layers behind lower ones.
        style = {"zorder": 3 + k, "linewidth": 1.0}
        axes.stairs(base + heights, one.edges, baseline=base, fill=True, color=colour, alpha=0.35,
                    zorder=3 + k)  # fmt: skip
        axes.stairs(base + heights, one.edges, baseline=base, color=colour, **style)
        axes.axhline(base, color=EDGE, **style)
        if note := _note(one):
            axes.annotate(
                note, (1.0, base), xycoords=("axes fraction", "data"), xytext=(-2, 3),
                textcoords="offset points", ha="right", fontsize=8.5, color=INK, zorder=4 + n,
            )  # fmt: skip
    axes.axvline(0.0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=2)
    axes.set_yticks(
        range(n - 1, -1, -1), [plain(f"{one.number} {one.name}") for one in flow.layers]
    )
    axes.set_ylim(-0.15, n)
    axes.grid(visible=False, axis="y")
    name_axes(axes, "output", "layer")
    return axes


def _note(one: LayerFlow) -> str:
    if one.n_dead:
        return f"{one.n_dead} of {one.n_units} dead"
    if one.saturated is not None and one.saturated >= 0.005:
        return f"{100 * one.saturated:.0f} % saturated"
    return "" if one.counts.sum() else "not finite"
