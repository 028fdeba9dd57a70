"""The report's section on a network: its layers in place of coefficients."""

from __future__ import annotations

import math
from typing import Any

from .fitting import Fitted
from .markup import section, table
from .preparing import Prepared


def layers(summary: dict[str, Any], prepared: Prepared, fitted: Fitted) -> str:
    """Return the layers from the features to the target, with their sizes."""
    network = fitted.estimator.network_
    rows = [("features", f"{network.n_features:,}", "")]
    for i, layer in enumerate(network.layers):
        own = [place for place in network.places if place.layer == i and place.trained]
        count = sum(math.prod(place.shape) for place in own)
        name = layer.name.replace("_", " ")
        rows.append((name, f"{network.widths[i + 1]:,}", f"{count:,}" if count else ""))
    rows.append((f"output of {summary['target']}: {fitted.estimator.out_activation_}", "", ""))
    lead = (
        f"{network.n_parameters:,} numbers were trained on {len(prepared.y_train):,} rows, from "
        "the features downwards."
    )
    return section("Layers", lead, table(("layer", "outputs", "numbers trained"), rows))
