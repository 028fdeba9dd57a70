"""Row `path`: 100 penalties, from the largest to a hundredth of it, against celer, skglm and
scikit-learn, and against one cold fit of ours at the end.

Every penalty must come within 1e-4 of the smallest objective, relatively. No intercepts: celer's
logistic regression has none. Peers are searched for their tolerance in processes that can be ended.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np

from .children import run_child
from .figures import Row
from .path_peers import PEERS, PathFit, by_columns
from .peers import Matrix, has, missing_note
from .problems import bundled_sets, classification_set
from .row_l1 import MOST_SECONDS, SLOW
from .sizes import Size, pause_for, rounds_for
from .timing import compare
from .tolerance import Fit, Found, loosest_tolerance

KEY = "path"
EPS, ACCURACY = 0.01, 1e-4
N_PENALTIES = {"tiny": 10, "full": 100}
# The class against the rest; of the lasso, its 0 and 1 are the targets.
SETS = {
    "tiny": {"breast_cancer": -1},
    "full": {"covtype_92962": 1, "spambase": -1, "sms_spam_bow": -1},
}
OURS, COLD = "xpfit", "xpfit, one cold fit at the end"
MOST_COLD_FITS = 4.0
OUR_TIGHTEST = 1e-9
MOST_SEARCH_SECONDS = 60.0


class Case(NamedTuple):
    """A problem and its penalties."""

    X: Any
    columns: Any  # X as the peers ask for it
    y: Matrix  # float64
    logistic: bool
    strengths: Matrix  # descending

    def values(self, W: Matrix, strengths: Matrix) -> Matrix:
        """Mean loss + strength ||w||_1 of each column of W, by NumPy in float64."""
        raw = np.asarray(self.X @ W)
        if self.logistic:
            losses = np.logaddexp(0.0, raw) - self.y[:, None] * raw
        else:
            losses = 0.5 * (raw - self.y[:, None]) ** 2
        return np.asarray(losses.mean(axis=0) + strengths * np.abs(W).sum(axis=0))


def make_case(name: str, size: Size, *, logistic: bool) -> Case:
    """The problem of this name."""
    if size == "tiny":
        problem = next(found for found in bundled_sets() if found.name == name)
    else:
        problem = classification_set(name)
    y = (problem.y == SETS[size][name] % problem.n_classes).astype(np.float64)
    at_zero = 0.5 if logistic else 0.0
    largest = float(np.abs(problem.X.T @ (y - at_zero)).max()) / problem.X.shape[0]
    strengths = np.geomspace(largest, EPS * largest, N_PENALTIES[size])
    return Case(problem.X, by_columns(problem.X), y, logistic, strengths)


def fit_ours(case: Case, tol: float) -> Matrix:
    """xpfit.regularization_path on Numba; (n_features, n_penalties)."""
    from ..backends import get_backend
    from ..core.losses import HALF_BINOMIAL, HALF_SQUARED_ERROR
    from ..core.path import fit_path

    path = fit_path(
        case.X, case.y, loss=HALF_BINOMIAL if case.logistic else HALF_SQUARED_ERROR,
        backend=get_backend("numba"), strengths=case.strengths, fit_intercept=False, tol=tol,
        max_iter=1000,
    )  # fmt: skip
    return np.ascontiguousarray(path.W[:, :, 0].T)


def fit_cold(case: Case, tol: float) -> Matrix:
    """Our single fit at the last penalty."""
    from ..backends import get_backend
    from ..core.fit_sparse import fit_sparse_model
    from ..core.losses import HALF_BINOMIAL, HALF_SQUARED_ERROR

    fit = fit_sparse_model(
        case.X, case.y, loss=HALF_BINOMIAL if case.logistic else HALF_SQUARED_ERROR,
        backend=get_backend("numba"), l1_reg_strength=float(case.strengths[-1]),
        fit_intercept=False, tol=tol, max_iter=1000,
    )  # fmt: skip
    return np.asarray(fit.W)


def _worst(case: Case, smallest: Matrix, W: Any) -> float:
    n = W.shape[1]
    values = case.values(W, case.strengths[-n:])
    return float((values / smallest[-n:] - 1.0).max())


def _as_fit(fit: Callable[[Case, float], Matrix], case: Case) -> Fit:
    return cast("Fit", partial(fit, case))


def search(
    name: str, size: Size, logistic: bool, peer: str, smallest: list[float]
) -> dict[str, Any]:
    """In a process of its own: a peer's loosest sufficient tolerance."""
    case = make_case(name, size, logistic=logistic)
    fit = _as_fit(_at_case(PEERS[peer].fit), case)
    fit(1.0)  # imports and compiles
    judge = partial(_worst, case, np.asarray(smallest))
    return loosest_tolerance(fit, judge, 0.0, ACCURACY, MOST_SECONDS).as_dict()


def _at_case(fit: PathFit) -> Callable[[Case, float], Matrix]:
    return lambda case, tol: fit(case.columns, case.y, case.strengths, tol, case.logistic)


def find_peer(name: str, size: Size, case: Case, peer: str, smallest: Matrix) -> Found:
    """What `search` finds; at full size in a process that is ended when it takes too long."""
    arguments = {
        "name": name, "size": size, "logistic": case.logistic, "peer": peer,
        "smallest": smallest.tolist(),
    }  # fmt: skip
    try:
        answer = (
            search(**arguments)
            if size == "tiny"
            else run_child("row_path.search", arguments, timeout=MOST_SEARCH_SECONDS)[0]
        )
    except subprocess.TimeoutExpired:
        why = f"not there in {MOST_SEARCH_SECONDS:.0f} s of trying one tolerance after the other"
        return Found(math.nan, math.nan, math.nan, why)
    return Found.from_dict(answer)


def contest(row: Row, name: str, size: Size, rounds: int | None, *, logistic: bool) -> None:
    """Search every contestant's tolerance, time them in turns, and add the figures."""
    case = make_case(name, size, logistic=logistic)
    tight = fit_ours(case, OUR_TIGHTEST)
    smallest = case.values(tight, case.strengths)
    judge = partial(_worst, case, smallest)
    found = {
        OURS: loosest_tolerance(_as_fit(fit_ours, case), judge, 0.0, ACCURACY),
        COLD: loosest_tolerance(_as_fit(fit_cold, case), judge, 0.0, ACCURACY),
    }
    peers = {
        key: peer for key, peer in PEERS.items()
        if has(peer.library) and (peer.logistic or not logistic)
    }  # fmt: skip
    found |= {key: find_peer(name, size, case, key, smallest) for key in peers}
    fits = {OURS: fit_ours, COLD: fit_cold} | {k: _at_case(p.fit) for k, p in peers.items()}
    in_turns = {
        key: partial(fits[key], case, found[key].tol) for key in fits if found[key].seconds <= SLOW
    }
    comparison = compare(
        in_turns, rounds=rounds_for(size, rounds, 5), reference=OURS, pause=pause_for(size),
        shortest_sample=0.02 if size == "full" else 0.0,
        error=lambda W, _: judge(W), tolerance=ACCURACY,
    )  # fmt: skip
    label = f"{name}, {'logistic' if logistic else 'lasso'}"
    seconds = {key: f.seconds for key, f in found.items() if not f.why_not}
    seconds |= {key: comparison.median(key) for key in in_turns}
    ratio = seconds[OURS] / seconds[COLD]
    row.add(f"{label}: path / one cold fit of ours", ratio, MOST_COLD_FITS, sense="<=")
    for key in sorted(set(seconds) - {OURS, COLD}, key=seconds.__getitem__):
        row.add(f"{label}: {key} / ours", seconds[key] / seconds[OURS], 1.0, sense=">=")
    n, d = case.X.shape
    row.notes.append(
        f"{label}: {n:,} x {d:,}, {np.count_nonzero(tight[:, -1])} coefficients at the end."
    )
    for key, f in found.items():
        said = f.why_not or f"{seconds[key]:.3g} s at tol={f.tol:.1e}"
        row.notes.append(f"{label}. {key}: {said}.")
    row.keep(label, comparison)
    row.comparisons[f"{label}, tolerances"] = {key: f.as_dict() for key, f in found.items()}


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    row = Row(
        KEY,
        f"paths of {N_PENALTIES[size]} L1 penalties down to {EPS:g} of the largest, each to "
        f"{ACCURACY:g} of the smallest objective, and one cold fit at the end",
        notes=missing_note(("skglm", "celer")),
    )
    for name in SETS[size]:
        for logistic in (False, True):
            contest(row, name, size, rounds, logistic=logistic)
    return row.as_dict()
