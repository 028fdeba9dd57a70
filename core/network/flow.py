"""What flows through a network: activations forwards, gradients backwards, and what goes wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...backends import Array, Backend, resolve_backend
from ..passes import is_sparse
from ..text_table import text_table
from .activations import ReLU, Sigmoid, Tanh
from .inspection import check_is_network, layer_name
from .layer import HostArray, Layer
from .network import Network
from .step import Batch, converted
from .targets import check_data
from .trace import trace

# Outputs of a sigmoid above this or below 1 - this, and of a tanh beyond +-this.
SATURATED = 0.99
# Share of outputs of a layer from which on their saturation is worth a word.
MANY = 0.5
# Of gradients that reach a layer and the last one.
VANISHING, EXPLODING = 1e-3, 1e3
N_BINS = 60
WHO = "examine_flow"


class Spread(NamedTuple):
    """Of many numbers."""

    mean: float
    std: float
    largest: float  # of the absolute values

    @property
    def size(self) -> float:
        """The root of the mean square."""
        return math.hypot(self.mean, self.std)


@dataclass(frozen=True, eq=False)
class LayerFlow:
    """One layer.

    Attributes
    ----------
    number : int
        From 1.
    name : str
    activations : Spread
        Of its output.
    d_outputs : Spread
        Of the derivative of the mean loss with respect to its output, times the number of rows: as
        large as for each row alone.
    gradients : Spread or None
        Of the derivative of the mean loss with respect to its parameters; None without any.
    n_units : int
    n_dead : int or None
        Units of a ReLU that are 0 for all rows; None for other layers.
    saturated : float or None
        Share of outputs of a sigmoid below 0.01 or above 0.99, or of a tanh beyond +-0.99.
    counts, edges : ndarray of shape (n_bins,), (n_bins + 1,)
        Histogram of the output, finite numbers alone.
    """

    number: int
    name: str
    activations: Spread
    d_outputs: Spread
    gradients: Spread | None
    n_units: int
    n_dead: int | None
    saturated: float | None
    counts: HostArray
    edges: HostArray

    @property
    def title(self) -> str:
        """As findings call it: "layer 3 (relu)"."""
        return f"layer {self.number} ({self.name})"


@dataclass(frozen=True, eq=False, repr=False)
class NetworkFlow:
    """What `examine_flow` returns; `str` of it is a table and the findings.

    Attributes
    ----------
    layers : tuple of LayerFlow
    findings : tuple of str
        What is wrong, in words; empty where nothing is.
    loss : float
        Weighted mean over the rows.
    n_samples : int
    """

    layers: tuple[LayerFlow, ...]
    findings: tuple[str, ...]
    loss: float
    n_samples: int

    def __str__(self) -> str:
        head = ["", "layer", "output: mean", "std", "largest", "gradient: std", "largest",
                "parameters': std", "dead", "saturated"]  # fmt: skip
        rows = []
        for one in self.layers:
            a, d, g = one.activations, one.d_outputs, one.gradients
            rows.append([
                str(one.number), one.name, f"{a.mean:.2g}", f"{a.std:.2g}", f"{a.largest:.2g}",
                f"{d.std:.2g}", f"{d.largest:.2g}", "" if g is None else f"{g.std:.2g}",
                "" if one.n_dead is None else f"{one.n_dead} of {one.n_units}",
                "" if one.saturated is None else f"{100 * one.saturated:.0f} %",
            ])  # fmt: skip
        found = "\n".join(f"- {text}" for text in self.findings) or "Nothing is conspicuous."
        title = f"{self.n_samples:,} rows, mean loss {self.loss:.4g}"
        return f"{title}\n\n{text_table(head, rows, left=2)}\n\n{found}"

    __repr__ = __str__


def examine_flow(
    network: Network,
    theta: Array,
    X: Any,
    y: Array,
    sample_weight: Array | None = None,
    *,
    key: int = 0,
    backend: Backend | str | None = None,
) -> NetworkFlow:
    """Look at activations and gradients of every layer, in a training pass over these rows.

    Found and named: units of a ReLU that are 0 for all rows; sigmoids and tanhs most of whose
    outputs are saturated; gradients that arrive a thousand times smaller or larger at an early
    layer than at the last one, or not at all; numbers that are not finite.

    Parameters
    ----------
    network : Network
    theta : array of shape (network.size,)
        On the host, or of the library of X.
    X : array or CSR of shape (n_samples, n_features)
        Some hundred rows will do; of few, many units look dead.
    y : array
        As the network's output wants it.
    sample_weight : array of shape (n_samples,) or None
        Of mean 1.
    key : int
        Of the dropout masks.
    backend : Backend, str or None

    Returns
    -------
    NetworkFlow

    Raises
    ------
    ValueError, TypeError
        For what is no network, theta that is not its, data that do not fit it.

    Examples
    --------
    >>> from xpfit.core.network import Affine, ReLU, SquaredError
    >>> network = Network(1, (Affine(2), ReLU(), Affine(1)), SquaredError())
    >>> theta = np.asarray([1.0, 1.0, 5.0, -5.0, 1.0, 1.0, 0.0])
    >>> flow = examine_flow(network, theta, np.asarray([[1.0], [-2.0]]), np.zeros((2, 1)))
    >>> flow.findings
    ('layer 2 (relu): 1 of 2 units is dead: 0 for all 2 rows',)
    """
    check_is_network(network, WHO)
    X, y, sample_weight = (
        _as_array(name, given)
        for name, given in (("X", X), ("y", y), ("sample_weight", sample_weight))
    )
    record = resolve_backend(backend, None if is_sparse(X) else X, y, who=WHO)
    xp = record.xp
    check_data(network, X, y, sample_weight, record, WHO)
    theta = _checked_theta(network, theta, record)
    if not (isinstance(key, int | np.integer) and 0 <= key < 1 << 32):
        message = f"{WHO} was given key={key!r}. It must be a whole number from 0 to 2**32 - 1."
        raise ValueError(message)
    rows, y, weight = converted(xp, Batch(X, y, sample_weight), theta.dtype)
    drawn = record.from_numpy(np.asarray(key, dtype=np.uint32)) if network.is_random else None
    n = int(X.shape[0])
    # What is not finite becomes a finding.
    with np.errstate(all="ignore"):
        found = trace(network, xp, network.unpack(theta), rows, y, weight, key=drawn)
        layers = []
        for i, layer in enumerate(network.layers):
            own = [
                record.to_numpy(g).ravel() / n
                for g, place in zip(found.gradients, network.places, strict=False)
                if place.layer == i
            ]
            output = record.to_numpy(found.values[i + 1])
            d_output = record.to_numpy(found.d_values[i + 1])
            layers.append(_layer_flow(i + 1, layer, output, d_output, own))
        loss = float(record.to_numpy(found.loss)) / n
    return NetworkFlow(tuple(layers), tuple(_findings(network, layers, n)), loss, n)


def _as_array(name: str, given: Any) -> Any:
    """A list as an array; arrays as they are."""
    found = given if given is None or hasattr(given, "shape") else np.asarray(given)
    if getattr(getattr(found, "dtype", None), "kind", "f") not in "biufV":
        message = (
            f"{WHO} was given {name} of dtype {found.dtype}. Give numbers: encode other columns."
        )
        raise TypeError(message)
    return found


def _checked_theta(network: Network, theta: Any, backend: Backend) -> Array:
    wanted = f"theta of shape ({network.size},): network.initial(rng), or theta_ of a fitted model"
    if not isinstance(theta, backend.array_type):
        if theta is None or (
            isinstance(theta, tuple | list) and any(getattr(leaf, "ndim", 0) for leaf in theta)
        ):
            given = "no theta" if theta is None else "theta layer by layer"
            message = f"{WHO} was given {given}. Give {wanted}, or network.pack(...)."
            raise ValueError(message)
        theta = backend.from_numpy(np.asarray(theta))
    if tuple(theta.shape) != (network.size,):
        message = f"{WHO} was given theta of shape {tuple(theta.shape)}. Give {wanted}."
        raise ValueError(message)
    if not backend.xp.isdtype(theta.dtype, "real floating"):
        message = f"{WHO} was given theta of dtype {theta.dtype}. Give floats: {wanted}."
        raise TypeError(message)
    return theta


def _spread(values: HostArray) -> Spread:
    wide = np.asarray(values, dtype=np.float64)
    return Spread(float(wide.mean()), float(wide.std()), float(np.abs(wide).max()))


def _layer_flow(
    number: int, layer: Layer, output: HostArray, d_output: HostArray, gradients: list[HostArray]
) -> LayerFlow:
    wide = np.asarray(output, dtype=np.float64)
    counts, edges = np.histogram(wide[np.isfinite(wide)], bins=N_BINS)
    saturated = None
    if isinstance(layer, Sigmoid):
        saturated = float(np.mean((wide > SATURATED) | (wide < 1.0 - SATURATED)))
    elif isinstance(layer, Tanh):
        saturated = float(np.mean(np.abs(wide) > SATURATED))
    return LayerFlow(
        number,
        layer_name(layer),
        _spread(wide),
        _spread(d_output),
        _spread(np.concatenate(gradients)) if gradients else None,
        int(wide.shape[1]),
        int(np.sum(np.all(wide == 0.0, axis=0))) if isinstance(layer, ReLU) else None,
        saturated,
        counts,
        edges,
    )


def _findings(network: Network, layers: list[LayerFlow], n: int) -> list[str]:
    found: list[str] = []
    for one in layers:
        if not math.isfinite(one.activations.largest):
            # All that follows is a consequence.
            return [*found, f"{one.title}: outputs are not finite"]
        if one.n_dead:
            are = "is" if one.n_dead == 1 else "are"
            units = f"{one.n_dead} of {one.n_units} units {are} dead"
            found.append(f"{one.title}: {units}: 0 for all {n:,} rows")
        if one.saturated is not None and one.saturated >= MANY:
            found.append(f"{one.title}: {100 * one.saturated:.0f} % of the outputs are saturated")
    for one in reversed(layers):
        if not math.isfinite(one.d_outputs.largest):
            return [*found, f"{one.title}: gradients are not finite"]
    return found + _travel(network, layers)


def _travel(network: Network, layers: list[LayerFlow]) -> list[str]:
    """What becomes of gradients on their way to the first layer with parameters."""
    trained = [layers[k] for k in sorted({p.layer for p in network.places if p.trained})]
    first, last = trained[0], trained[-1]
    if last.d_outputs.size == 0.0:
        return []  # fitted exactly
    if first.d_outputs.size == 0.0:
        lost = next(one for one in reversed(trained) if one.d_outputs.size == 0.0)
        return [f"no gradient reaches {lost.title}"]
    share = first.d_outputs.size / last.d_outputs.size
    told = f"layer {first.number}'s are {share:.1g} of layer {last.number}'s"
    if share < VANISHING:
        return [f"gradients vanish: {told}"]
    return [f"gradients explode: {told}"] if share > EXPLODING else []
