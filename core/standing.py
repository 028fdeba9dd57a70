"""Where a fit by epochs stands between two epochs: all that it needs to go on, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..backends import Array, Backend
from .minibatch import Progress
from .solvers.result import IterationRecord


@dataclass
class Descent:
    """Where a descent stands between epochs; `partial_fit` and warm starts go on from it."""

    progress: Progress
    steps_taken: int = 0
    rate_factor: float = 1.0


@dataclass
class Best:
    """The lowest watched cost, and the parameters there."""

    theta: Array
    cost: float = math.inf
    reference: float = math.inf
    n_waiting: int = 0

    def see(self, cost: float, theta: Array, tol: float | None) -> None:
        """Take note of an epoch."""
        if tol is not None and cost > self.reference - tol:
            self.n_waiting += 1
        else:
            self.n_waiting = 0
        self.reference = min(self.reference, cost)
        if cost < self.cost:
            self.cost, self.theta = cost, theta


class Snapshot(NamedTuple):
    """The same on the host, for a file: arrays, and what JSON can hold."""

    arrays: dict[str, np.ndarray[Any, Any]]
    numbers: dict[str, Any]


Keep = Callable[[Snapshot], None]


@dataclass
class Standing:
    """A fit between two epochs.

    Attributes
    ----------
    descent : Descent
    best : Best
    records : list of IterationRecord
        One for each epoch, from 1.
    validation_losses : list of float
    """

    descent: Descent
    best: Best
    records: list[IterationRecord] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)

    def snapshot(self, backend: Backend, rng: np.random.Generator) -> Snapshot:
        """A copy on the host; `rng` is that of the next epoch."""
        now = self.descent.progress
        named = {"theta": now.theta, "best": self.best.theta}
        named |= {f"slot{i}": slot for i, slot in enumerate(now.slots)}
        if now.average is not None:
            named["average"] = now.average
        numbers = {
            "steps_taken": self.descent.steps_taken,
            "rate_factor": self.descent.rate_factor,
            "best": [self.best.cost, self.best.reference, self.best.n_waiting],
            "records": [[r.loss, r.seconds] for r in self.records],
            "validation_losses": self.validation_losses,
            "rng": rng.bit_generator.state,
        }
        # In C order: files of arrays hold no other.
        arrays = {
            name: np.array(backend.to_numpy(array), order="C") for name, array in named.items()
        }
        return Snapshot(arrays, numbers)


def restored(saved: Snapshot, backend: Backend, rng: np.random.Generator) -> Standing:
    """The standing that a snapshot was taken of; `rng` is set to where it was."""
    arrays, numbers = saved
    there = {name: backend.from_numpy(array) for name, array in arrays.items()}
    slots = tuple(there[f"slot{i}"] for i in range(len(there)) if f"slot{i}" in there)
    progress = Progress(there["theta"], slots, there.get("average"))
    rng.bit_generator.state = numbers["rng"]
    records = [
        IterationRecord(epoch, loss, math.nan, epoch, seconds)
        for epoch, (loss, seconds) in enumerate(numbers["records"], start=1)
    ]
    return Standing(
        Descent(progress, numbers["steps_taken"], numbers["rate_factor"]),
        Best(there["best"], *numbers["best"]), records, list(numbers["validation_losses"]),
    )  # fmt: skip
