"""Row `network`: one epoch of a small network, against PyTorch, scikit-learn and optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..backends.numba_kernels.threads import n_threads
from .children import MIB, PeakMeter, run_child
from .figures import Row
from .network_peers import (
    Contest,
    contest_of,
    mean_loss,
    optax_network_epoch,
    our_network_epoch,
    products_alone,
    sklearn_network_epoch,
    torch_network_epoch,
)
from .peers import has, missing_note
from .problems import bundled_sets, classification_set, data_folder, gaussian, mnist_rows
from .sizes import Size, pause_for, rounds_for
from .timing import Comparison, compare

KEY = "network"
OURS, SKLEARN, OPTAX = "xpfit numba", "scikit-learn partial_fit", "optax scan, jitted"
TORCH, TORCH_THREADS = "PyTorch loop, one thread", "PyTorch loop, all threads"
PRODUCTS = "the matrix products alone"
# Losses after the epoch, in float32: sums in another order, at every step.
TOLERANCE = 2e-3
ALLOWANCE = 64.0 * MIB


class Shape(NamedTuple):
    """A contest: rows and layers, and what is to be reached, as time of theirs / ours."""

    data: str
    n_samples: int
    widths: tuple[int, ...]
    batch_size: int
    torch: float
    sklearn: float | None
    optax: float | None
    share: float | None = None  # of the rate of the matrix products

    @property
    def name(self) -> str:
        layers = "-".join(map(str, self.widths[1:]))
        return f"{self.n_samples:,} x {self.widths[0]}-{layers}, batches of {self.batch_size}"


SHAPES: dict[Size, tuple[Shape, ...]] = {
    "full": (
        Shape("breast_cancer", 569, (30, 16, 2), 32, 20.0, 10.0, 1.0),
        Shape("covtype_92962", 10_000, (54, 64, 7), 64, 10.0, 10.0, 1.0),
        Shape("mnist", 10_000, (784, 128, 10), 128, 1.0, 1.0, 1.0, 0.5),
        Shape("mnist", 10_000, (784, 1024, 1024, 10), 256, 1.0, None, None),
    ),
    "tiny": (
        Shape("breast_cancer", 569, (30, 4, 2), 64, 1.0, None, None),
        Shape("normal numbers", 70, (6, 5, 4, 3), 16, 1.0, None, None, 0.0),
    ),
}


def _rows(shape: Shape) -> tuple[Any, Any] | None:
    """The rows of the data set as float32, where it is here."""
    if shape.data == "breast_cancer":
        problem = next(bundled_sets())
    elif data_folder() is None or shape.data == "normal numbers":
        return None
    elif shape.data == "mnist":
        found = mnist_rows(shape.n_samples)
        assert found is not None
        return (found.X / 255.0).astype(np.float32), found.y
    else:
        problem = classification_set(shape.data)
    rows = np.random.default_rng(11).permutation(problem.X.shape[0])[: shape.n_samples]
    return np.ascontiguousarray(problem.X[rows], dtype=np.float32), problem.y[rows]


def _contest(shape: Shape) -> Contest:
    found = _rows(shape)
    if found is None or found[0].shape[1] != shape.widths[0]:
        X = gaussian(shape.n_samples, shape.widths[0])
        W = np.random.default_rng(3).standard_normal((shape.widths[0], shape.widths[-1]))
        found = X.astype(np.float32), np.argmax(X @ W, axis=1)
    return contest_of(*found, shape.widths, shape.batch_size)


def _contestants(contest: Contest, shape: Shape) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {OURS: our_network_epoch(contest)}
    if has("torch"):
        found[TORCH] = torch_network_epoch(contest, 1)
        if shape.torch == 1.0:  # of smaller shapes two threads take longer than one
            found[TORCH_THREADS] = torch_network_epoch(contest, n_threads())
    found[SKLEARN] = sklearn_network_epoch(contest)
    if has("jax") and has("optax"):
        found[OPTAX] = optax_network_epoch(contest)
    if shape.share is not None:
        found[PRODUCTS] = products_alone(contest)
    return found


def _add_figures(row: Row, shape: Shape, found: Comparison) -> None:
    loops = [name for name in (TORCH, TORCH_THREADS) if name in found.timings]
    if loops:
        fastest = min(loops, key=found.median)
        ratio = found.ratio(fastest, OURS)
        row.add(f"{shape.name}: time of a PyTorch loop / ours", ratio, shape.torch, sense=">=")
    ratio = found.ratio(SKLEARN, OURS)
    row.add(f"{shape.name}: scikit-learn's partial_fit / ours", ratio, shape.sklearn, sense=">=")
    if OPTAX in found.timings:
        ratio = found.ratio(OPTAX, OURS)
        row.add(f"{shape.name}: optax's scan / ours", ratio, shape.optax, sense=">=")
    if shape.share is not None:
        ratio = found.ratio(PRODUCTS, OURS)
        label = f"{shape.name}: time of the matrix products alone / ours"
        row.add(label, ratio, shape.share, sense=">=")


def peak_of_epoch(n_samples: int, widths: list[int], batch_size: int) -> dict[str, Any]:
    """In a process of its own: the rise of memory during an epoch, in bytes."""
    warm = gaussian(2 * batch_size, widths[0], seed=3).astype(np.float32)
    our_network_epoch(contest_of(warm, np.arange(2 * batch_size) % 2, widths, batch_size))()
    X = gaussian(n_samples, widths[0]).astype(np.float32)
    contest = contest_of(X, np.arange(n_samples) % widths[-1], widths, batch_size)
    run, meter = our_network_epoch(contest), PeakMeter()
    meter.start()
    run()
    parameters = float(contest.theta.nbytes)
    # The slots that are begun with and those that are returned, theta, its gradient; a batch.
    needed = 6 * parameters + 4.0 * batch_size * (sum(widths) + 2 * max(widths))
    return {
        "rise": meter.rise(), "needed": needed, "bytes": float(X.nbytes),
        "was_reset": meter.was_reset,
    }  # fmt: skip


def _add_memory(row: Row, shape: Shape) -> None:
    asked = {
        "n_samples": shape.n_samples, "widths": list(shape.widths), "batch_size": shape.batch_size,
    }  # fmt: skip
    answer, _ = run_child("row_network.peak_of_epoch", asked)
    row.add(
        f"{shape.name}: peak, X included", (answer["bytes"] + answer["rise"]) / MIB,
        (answer["bytes"] + answer["needed"] + ALLOWANCE) / MIB, unit="MiB",
    )  # fmt: skip
    row.notes.append(
        f"Peak memory: X has {answer['bytes'] / MIB:.1f} MiB; parameters, their gradient, Adam's "
        f"state before and after, and one batch {answer['needed'] / MIB:.1f} MiB; an epoch took "
        f"{answer['rise'] / MIB:.1f} MiB more than X."
    )
    if not answer["was_reset"]:
        row.notes.append("This system cannot reset the high-water mark: an upper bound.")


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    row = Row(
        KEY,
        "one epoch of a small network: Adam, float32, ReLU, cross-entropy, in one given order of "
        "the rows; the losses after it agree",
        notes=missing_note(("torch", "jax", "optax")),
    )
    for shape in SHAPES[size]:
        contest = _contest(shape)
        # For two classes scikit-learn's network has one output, not two: its steps are others.
        unchecked = {PRODUCTS} | ({SKLEARN} if shape.widths[-1] == 2 else set())
        found = compare(
            _contestants(contest, shape),
            rounds=rounds_for(size, rounds, 5 if shape.n_samples * max(shape.widths) > 1e6 else 9),
            error=lambda a, b, c=contest: abs(mean_loss(c, a) / mean_loss(c, b) - 1.0),
            tolerance=TOLERANCE,
            unchecked=frozenset(unchecked),
            pause=pause_for(size),
            shortest_sample=0.02 if size == "full" else 0.0,
        )
        row.keep(shape.name, found)
        _add_figures(row, shape, found)
    _add_memory(row, SHAPES[size][-1])
    return row.as_dict()
