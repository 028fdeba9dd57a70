"""Pictures of a fit: cost, learning rates, decision boundary, surface of the cost, paths,
activations and gradients of a network.

Each function draws on the matplotlib axes it is given, or on a figure of its own, and returns the
axes: `plot_cost(model).figure.savefig("cost.png")`. No window is opened and pyplot is not used, so
nothing global changes. matplotlib is imported when the first picture is drawn
(`pip install "xpfit[plot]"`).
"""

from __future__ import annotations

from .boundary import plot_decision_boundary
from .cost import plot_cost
from .flow import plot_activation_histograms, plot_gradient_flow
from .path import DescentPath
from .rates import plot_learning_rates
from .regularization import plot_regularization_path
from .surface import plot_loss_surface

__all__ = [
    "DescentPath",
    "plot_activation_histograms",
    "plot_cost",
    "plot_decision_boundary",
    "plot_gradient_flow",
    "plot_learning_rates",
    "plot_loss_surface",
    "plot_regularization_path",
]
