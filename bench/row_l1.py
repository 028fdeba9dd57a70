"""Row `l1`: whole L1 fits to f - f* < 1e-6 f*, against skglm, celer and scikit-learn.

The penalty is 1 % of the smallest one at which all coefficients are zero. celer's logistic
regression has no intercept and liblinear penalizes it: both are compared on the problem without
one. Peers may take minutes, so each is searched for its tolerance in a process that can be ended.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .children import run_child
from .figures import Row
from .peers import Matrix, Model, has, missing_note
from .problems import bundled_sets, classification_set, gaussian, mnist_rows
from .sizes import Size, pause_for, rounds_for
from .sparse_peers import LASSO_PEERS, LOGISTIC_PEERS, OURS, Peer, fit_lasso, fit_ours
from .timing import compare
from .tolerance import Fit, Found, loosest_tolerance

KEY = "l1"
SHARE, ACCURACY = 0.01, 1e-6
OUR_TIGHTEST = 1e-10
# The class against the rest; -1: the last one.
SETS = {
    "tiny": {"breast_cancer": -1},
    "full": {"covtype_92962": 1, "spambase": -1, "sms_spam_bow": -1, "mnist": 0},
}
LASSO_SHAPES = {
    "tiny": {"tall": (300, 12), "wide": (60, 300)},
    "full": {"tall": (100_000, 200), "wide": (1_000, 5_000)},
}
TARGETS = {"covtype_92962": 20.0}
# Seconds: a fit that takes longer is not repeated at a tighter tolerance; a search is ended; a
# contestant above is timed once, in its search.
MOST_SECONDS, MOST_SEARCH_SECONDS, SLOW = 30.0, 60.0, 10.0


class Case(NamedTuple):
    """A problem and its penalty."""

    X: Any
    y: Matrix  # float64
    logistic: bool
    intercept: bool
    l1_reg_strength: float

    def value(self, model: Model) -> float:
        """Mean loss + l1 ||W||_1, by NumPy in float64: the judge of all fits."""
        raw = np.ravel(self.X @ model.W) + model.b
        if self.logistic:
            losses = np.logaddexp(0.0, raw) - self.y * raw
        else:
            losses = 0.5 * (raw - self.y) ** 2
        return float(losses.mean()) + self.l1_reg_strength * float(np.abs(model.W).sum())


def make_case(name: str, size: Size, *, intercept: bool) -> Case:
    """The problem of this name."""
    logistic = name in SETS[size]
    if logistic:
        X, y = _classification(name, size)
    else:
        X, y = _regression(*LASSO_SHAPES[size][name])
    # Half the labels, without an intercept: raw predictions are zero there.
    at_zero = y.mean() if intercept else (0.5 if logistic else 0.0)
    largest = float(np.abs(X.T @ (y - at_zero)).max()) / X.shape[0]
    return Case(X, y, logistic, intercept, SHARE * largest)


def _classification(name: str, size: Size) -> tuple[Any, Matrix]:
    if name == "mnist":
        mnist = mnist_rows(60_000)
        if mnist is None:
            message = "MNIST is not here. Set XPFIT_SHARED_DATA to the folder with mnist.npz."
            raise FileNotFoundError(message)
        problem = mnist._replace(X=mnist.X / 255.0)
    elif size == "tiny":
        problem = next(found for found in bundled_sets() if found.name == name)
    else:
        problem = classification_set(name)
    chosen = SETS[size][name] % problem.n_classes
    return problem.X, (problem.y == chosen).astype(np.float64)


def _regression(n_samples: int, n_features: int) -> tuple[Matrix, Matrix]:
    """Normal columns, neighbours of which are correlated (0.5), and a tenth of which matter."""
    X = gaussian(n_samples, n_features)
    X[:, 1:] = 0.5 * X[:, :-1] + math.sqrt(0.75) * X[:, 1:]
    rng = np.random.default_rng(1)
    W = np.where(rng.random(n_features) < 0.1, rng.standard_normal(n_features), 0.0)
    raw = X @ W
    return X, raw + 0.5 * raw.std() * rng.standard_normal(n_samples) + 1.0


def _peers(case: Case) -> dict[str, Peer]:
    peers = LOGISTIC_PEERS if case.logistic else LASSO_PEERS
    return {
        name: peer for name, peer in peers.items()
        if peer.with_intercept == case.intercept and has(peer.library)
    }  # fmt: skip


def _at(fit: Callable[..., Model], case: Case) -> Fit:
    return lambda tol: fit(case.X, case.y, case.l1_reg_strength, tol)


def search(name: str, size: Size, intercept: bool, peer: str, smallest: float) -> dict[str, Any]:
    """In a process of its own: a peer's loosest sufficient tolerance."""
    case = make_case(name, size, intercept=intercept)
    fit = _at(_peers(case)[peer].fit, case)
    fit(1.0)  # imports and compiles
    return loosest_tolerance(
        fit, case.value, smallest, ACCURACY * smallest, MOST_SECONDS
    ).as_dict()  # fmt: skip


def find_peer(name: str, size: Size, case: Case, peer: str, smallest: float) -> Found:
    """What `search` finds; at full size in a process that is ended when it takes too long."""
    arguments = {
        "name": name, "size": size, "intercept": case.intercept, "peer": peer,
        "smallest": smallest,
    }  # fmt: skip
    if size == "tiny":
        return Found.from_dict(search(**arguments))
    try:
        answer, _ = run_child("row_l1.search", arguments, timeout=MOST_SEARCH_SECONDS)
    except subprocess.TimeoutExpired:
        why = f"not there in {MOST_SEARCH_SECONDS:.0f} s of trying one tolerance after the other"
        return Found(math.nan, math.nan, math.nan, why)
    return Found.from_dict(answer)


def contest(row: Row, name: str, size: Size, rounds: int | None, *, intercept: bool) -> None:
    """Search every contestant's tolerance, time them in turns, and add the figures."""
    case = make_case(name, size, intercept=intercept)
    our_fit = partial(fit_ours, intercept=intercept) if case.logistic else fit_lasso(OURS)
    ours = _at(our_fit, case)
    tight = ours(OUR_TIGHTEST)
    smallest = case.value(tight)
    found = {OURS: loosest_tolerance(ours, case.value, smallest, ACCURACY * smallest)}
    if found[OURS].why_not:
        message = f"{name}: xpfit {found[OURS].why_not}, f - f* = {found[OURS].gap:.2e}"
        raise AssertionError(message)
    peers = _peers(case)
    found |= {peer: find_peer(name, size, case, peer, smallest) for peer in peers}
    in_turns: dict[str, Callable[[], object]] = {
        OURS: partial(ours, found[OURS].tol),
        **{
            peer: partial(_at(peers[peer].fit, case), found[peer].tol)
            for peer in peers
            if found[peer].seconds <= SLOW
        },
    }
    comparison = compare(
        in_turns, rounds=rounds_for(size, rounds, 7), reference=OURS, pause=pause_for(size),
        shortest_sample=0.02 if size == "full" else 0.0,
        error=lambda model, _: case.value(model) - smallest, tolerance=ACCURACY * smallest,
    )  # fmt: skip
    label = f"{name}, {'with' if intercept else 'no'} intercept"
    seconds = {peer: found[peer].seconds for peer in peers if not found[peer].why_not}
    seconds |= {peer: comparison.median(peer) for peer in in_turns}
    for peer in sorted(seconds, key=seconds.__getitem__):
        if peer != OURS:
            target = TARGETS.get(name, 1.0)
            row.add(f"{label}: {peer} / ours", seconds[peer] / seconds[OURS], target, sense=">=")
    n, d = case.X.shape
    row.notes.append(
        f"{label}: {n:,} x {d:,}, {np.count_nonzero(tight.W)} coefficients are not zero, "
        f"f* = {smallest:.6g}, l1 = {case.l1_reg_strength:.3g}."
    )
    row.notes += [f"{label}. {_note(key, f, seconds, in_turns)}" for key, f in found.items()]
    row.keep(label, comparison)
    row.comparisons[f"{label}, tolerances"] = {key: f.as_dict() for key, f in found.items()}


def _note(name: str, found: Found, seconds: dict[str, float], in_turns: Any) -> str:
    if found.why_not:
        return f"{name}: {found.why_not} (f - f* = {found.gap:.1e})."
    once = "" if name in in_turns else " (timed once)"
    return f"{name}: {seconds[name]:.3g} s{once} at tol={found.tol:.1e}, f - f* = {found.gap:.1e}."


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    row = Row(
        KEY,
        f"whole fits with an L1 penalty ({SHARE:g} of the largest) to f - f* < {ACCURACY:g} f*: "
        "logistic regression of one class against the rest, and Lasso on normal columns",
        notes=missing_note(("skglm", "celer")),
    )
    for name in SETS[size]:
        for intercept in (True, False):
            contest(row, name, size, rounds, intercept=intercept)
    for name in LASSO_SHAPES[size]:
        contest(row, name, size, rounds, intercept=True)
    return row.as_dict()
