"""What goes wrong in a network: saturation, zeros at the start, unlike columns, long steps.

    python examples/plot_what_goes_wrong.py [folder]

Each row of the picture trains a network twice, once with the mistake: cost by epoch, what the last
hidden layer puts out before the first step, and the gradients that reach the first layer then.
docs/images/what-goes-wrong.png is made by this script. Needs matplotlib.
"""

from __future__ import annotations

import sys
import textwrap
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from xpfit import MLPClassifier, plots
from xpfit.core.epochs import DivergenceError
from xpfit.core.network import Affine, Layer, ReLU, Sigmoid, examine_flow
from xpfit.core.network.trace import trace

RIGHT, WRONG, INK = "#1f6fb2", "#d9662b", "#1f2933"
Layers = tuple[Layer, ...]


class Way(NamedTuple):
    """One training."""

    name: str
    layers: Layers
    scaled: bool = True
    rate: float = 0.05
    initializer: str | None = None  # of the last layer
    batch_size: int = 32


class Case(NamedTuple):
    """A mistake, and the same without it."""

    sentence: str
    right: Way
    wrong: Way


def hidden(kind: type[Layer], initializer: str, scale: float | None = None) -> Layers:
    """Three layers of 20 units."""
    return (Affine(20, initializer, scale), kind()) * 3


CASES = (
    Case(
        "Saturation: large weights drive sigmoids to 0 and 1, where they are flat: gradients "
        "are lost, or as good as lost.",
        Way("xavier", hidden(Sigmoid, "xavier"), rate=1.0),
        Way("normal, scale=10", hidden(Sigmoid, "normal", 10.0), rate=1.0),
    ),
    Case(
        "Zeros at the start: all units of a layer get the same gradient, here none, so they stay "
        "one unit and only the last intercept learns.",
        Way("he", hidden(ReLU, "he")),
        Way("zeros", hidden(ReLU, "zeros"), initializer="zeros"),
    ),
    Case(
        "Columns as they are, up to 4,000: outputs are as large, and the first steps leave all "
        "units of layer 1 at 0, for good.",
        Way("standardized", hidden(ReLU, "he")),
        Way("as they are", hidden(ReLU, "he"), scaled=False),
    ),
    Case(
        "A learning rate that is too large: each step leads further past the minimum, until "
        "numbers overflow, and the error says where.",
        Way("rate 0.2", hidden(ReLU, "he"), rate=0.2, batch_size=569),
        Way("rate 10", hidden(ReLU, "he"), rate=10.0, batch_size=569),
    ),
)


def train(way: Way, X: np.ndarray, y: np.ndarray) -> tuple[MLPClassifier, str]:
    """Train; the error's message where the descent diverged."""
    model = MLPClassifier(
        layers=way.layers, initializer=way.initializer, solver="sgd", learning_rate_init=way.rate,
        momentum=0.0, alpha=0.0, batch_size=way.batch_size, max_iter=40, tol=None, random_state=0,
    )  # fmt: skip
    try:
        return model.fit(X, y), ""
    except DivergenceError as error:
        return model, str(error)


def draw_case(figure: Figure, case: Case, raw: np.ndarray, y: np.ndarray) -> None:
    """Cost; outputs and gradients, or the error's message."""
    figure.suptitle(case.sentence, x=0.008, ha="left", fontsize=11, color=INK)
    cost, outputs, gradients = figure.subplots(1, 3)
    scaled = StandardScaler().fit_transform(raw).astype(np.float32)
    target = y[:, None].astype(np.float32)
    models, starts = [], []
    for way in (case.right, case.wrong):
        X = scaled if way.scaled else raw.astype(np.float32)
        model, message = train(way, X, y)
        models.append(model)
        network = model.network_
        leaves = network.unpack(network.initial(np.random.default_rng(0)).astype(np.float32))
        found = trace(network, np, leaves, X, target)
        # The output of the last ReLU or sigmoid, and the gradient at that of the first Affine.
        starts.append((way.name, found.values[-2].ravel(), np.abs(found.d_values[1]).ravel()))
        said = message or "; ".join(examine_flow(network, model.theta_, X, target).findings)
        sys.stdout.write(f"{way.name}: cost {model.loss_:.3g}; {said or 'all is well'}\n")
    names = [case.right.name, case.wrong.name]
    plots.plot_cost(*models, labels=names, ax=cost)
    if message:
        for axes in (outputs, gradients):
            axes.set_axis_off()
        told = textwrap.fill(f"DivergenceError: {message}", 74)
        text = outputs.text(0.0, 0.5, told, family="monospace", va="center", color=INK)
        text.set_in_layout(False)
    else:
        draw_starts(outputs, gradients, starts)


def draw_starts(outputs: Axes, gradients: Axes, starts: list[tuple]) -> None:
    """Histograms of both networks before the first step."""
    both = np.concatenate([values for _, values, _ in starts])
    bins = np.linspace(both.min(), both.max(), 61)
    for (name, values, sizes), colour in zip(starts, (RIGHT, WRONG), strict=True):
        style = {"color": colour, "fill": True, "alpha": 0.55}
        counts, _ = np.histogram(values, bins)
        outputs.stairs(100.0 * counts / values.size, bins, label=name, **style)
        counts, edges = np.histogram(sizes[sizes > 0.0], np.logspace(-12.0, 1.0, 66))
        told = f"{name}: {np.mean(sizes == 0.0):.0%} are 0"
        gradients.stairs(100.0 * counts / sizes.size, edges, label=told, **style)
    outputs.set(xlabel="output of the last hidden layer", ylabel="% of rows and units")
    gradients.set(xlabel="gradient that reaches layer 1", ylabel="% of rows and units")
    outputs.set_yscale("log")
    gradients.set_xscale("log")
    gradients.set_ylim(0.0, 22.0)
    for axes in (outputs, gradients):
        axes.legend(frameon=False, fontsize=9, loc="upper center")


def main(folder: Path) -> None:
    """Write the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    X, y = load_breast_cancer(return_X_y=True)
    figure = Figure(figsize=(12.0, 12.0), layout="constrained")
    for part, case in zip(figure.subfigures(len(CASES), 1), CASES, strict=True):
        draw_case(part, case, X, y)
    figure.savefig(folder / "what-goes-wrong.png", dpi=90)
    sys.stdout.write(f"wrote {folder / 'what-goes-wrong.png'}\n")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
