"""Minima of a quadratic with an L1 penalty by its active set: exact, on the host, warm-started.

minimize over w:  gradient @ w + 0.5 * w @ hessian @ w + l1 * ||w||_1

A guess of which coefficients are not zero, and of their signs, makes this a linear system. Its
solution is taken as far as the signs hold: a coefficient that reaches zero on the way leaves the
set. Then every coefficient outside whose condition of optimality is violated enters. The cost falls
each time, so no set comes twice. From the set of a nearby penalty two or three systems are enough,
where descent takes hundreds of steps; and as few coefficients come and go, the inverse of the
system is updated, not formed. Reference: Lee, Battle, Raina and Ng, Efficient sparse coding
algorithms (NIPS 2006).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Matrix = np.ndarray[Any, Any]

# A column of whose square no more than this share is its own does not enter: with it the system
# would be singular. Where it must, the violation that is left says so.
DEPENDENT = 1e-9
# Systems for one penalty; beyond, the point with the smallest violation is what there is.
MAX_SYSTEMS = 1000
# Coefficients that enter an empty set at once; later, as many as there are.
FIRST_ENTERING = 8
# From far away the penalty falls by this factor at a time: the set that a weak penalty would ask
# for at once has columns that depend on each other.
FALL = 0.6
# The inverse that has drifted this far, as seen on one vector, is formed anew.
DRIFT = 1e-6
# An inverse is formed anew after two systems in a row that left more than half of the residual.
STALLED = 0.5


@dataclass
class ActiveSet:
    """A quadratic's linear system among some of its coefficients.

    Parameters
    ----------
    hessian : ndarray of shape (n, n), symmetric, positive semi-definite
    gradient : ndarray of shape (n,)
        Of the quadratic, at zero.
    """

    hessian: Matrix
    gradient: Matrix
    members: Matrix = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    signs: Matrix = field(default_factory=lambda: np.zeros(0))
    inverse: Matrix = field(default_factory=lambda: np.zeros((0, 0)))

    def minimize(self, w: Matrix, l1: float, tol: float) -> tuple[Matrix, float]:
        """The minimizer for a penalty, and the largest violation of its conditions of optimality.

        Parameters
        ----------
        w : ndarray of shape (n,)
            Where to start; what it has beside the members of the last minimum joins them.
        l1, tol : float
            Violations up to `tol` are let be.

        Examples
        --------
        >>> among = ActiveSet(np.asarray([[2.0, 0.0], [0.0, 1.0]]), np.asarray([-5.0, 0.5]))
        >>> w, violation = among.minimize(np.zeros(2), 1.0, 1e-12)
        >>> w.round(12).tolist(), violation < 1e-12
        ([2.0, 0.0], True)
        """
        w = w.copy()
        self._follow(w)
        strength = float(np.abs(self.gradient + self.hessian @ w).max(initial=0.0))
        while strength * FALL > max(l1, tol):
            strength *= FALL
            w, _ = self._minimize_near(w, strength, max(tol, 1e-3 * strength))
        return self._minimize_near(w, l1, tol)

    def _minimize_near(self, w: Matrix, l1: float, tol: float) -> tuple[Matrix, float]:
        best, fewest, before, stalls = w, np.inf, np.inf, 0
        for _ in range(MAX_SYSTEMS):
            slope = self.gradient + self.hessian @ w
            residual = slope[self.members] + l1 * self.signs
            outside = np.abs(slope) - l1
            outside[self.members] = 0.0
            inner = float(np.abs(residual).max(initial=0.0))
            violation = max(inner, float(outside.max(initial=0.0)))
            if violation < fewest:
                best, fewest = w, violation
            if violation <= tol:
                break
            stalls = stalls + 1 if inner > max(tol, STALLED * before) else 0
            if stalls == 2:
                w = self._refreshed(w)
                continue
            if stalls > 3:
                break
            if inner <= tol:
                entering = self._worst(outside, tol)
                if not self._add(entering, -np.sign(slope[entering])).any():
                    worst = int(np.argmax(outside))
                    moved = self._exchange(w, worst, -float(np.sign(slope[worst])))
                    if moved is None:
                        break
                    w, before = moved, np.inf
                    continue
                residual = slope[self.members] + l1 * self.signs
            w, whole = self._step(w, residual)
            # A step that was cut need not have come much nearer.
            before = float(np.abs(residual).max(initial=0.0)) if whole else np.inf
        return best, fewest

    def forget(self) -> None:
        """Begin anew: the quadratic has changed."""
        self.members, self.signs = self.members[:0], self.signs[:0]
        self.inverse = np.zeros((0, 0))

    def _step(self, w: Matrix, residual: Matrix) -> tuple[Matrix, bool]:
        """To the solution of the system, or on the way to the first change of a sign."""
        along = -(self.inverse @ residual)
        among = w[self.members]
        crosses = (among + along) * self.signs < 0.0
        # Signs that a new member does not want are crossed at once, by a step of zero.
        share = np.where(crosses, np.abs(among) / np.where(crosses, np.abs(along), 1.0), 1.0)
        step = float(share.min(initial=1.0))
        leaving = crosses & (share <= step)
        w = w.copy()
        w[self.members] = np.where(leaving, 0.0, among + step * along)
        if leaving.any():
            self._keep(~leaving)
        return w, not leaving.any()

    def _worst(self, outside: Matrix, tol: float) -> Matrix:
        (entering,) = np.nonzero(outside > tol)
        # From far away most would leave again, and among many some depend on others.
        most = max(FIRST_ENTERING, self.members.size)
        if entering.size > most:
            entering = entering[np.argsort(-outside[entering], kind="stable")[:most]]
        return entering

    def _follow(self, w: Matrix) -> None:
        """Let the members be the entries of w that are not zero."""
        self._keep((w[self.members] != 0) & (np.sign(w[self.members]) == self.signs))
        missing = w != 0
        missing[self.members] = False
        (entering,) = np.nonzero(missing)
        if entering.size:
            taken = self._add(entering, np.sign(w[entering]))
            w[entering[~taken]] = 0.0

    def _add(self, entering: Matrix, signs: Matrix) -> Matrix:
        """Let these enter, and say which did: not those that depend on the others."""
        if entering.size == 0:
            return np.zeros(0, dtype=bool)
        # The inverse of a matrix with a border, by the Schur complement of the border.
        edge = self.hessian[np.ix_(self.members, entering)]
        corner = self.hessian[np.ix_(entering, entering)]
        solved = self.inverse @ edge
        schur = corner - edge.T @ solved
        taken = _independent(schur, np.diagonal(corner))
        if not taken.all():
            schur, solved = schur[np.ix_(taken, taken)], solved[:, taken]
        schur = 1.0 / schur if schur.shape[0] == 1 else np.linalg.inv(schur)
        side = -solved @ schur
        k = self.members.size
        inverse = np.empty((k + schur.shape[0], k + schur.shape[0]))
        inverse[:k, :k] = self.inverse - side @ solved.T
        inverse[:k, k:], inverse[k:, :k], inverse[k:, k:] = side, side.T, schur
        self.inverse = inverse
        self.members = np.concatenate([self.members, entering[taken]])
        self.signs = np.concatenate([self.signs, signs[taken]])
        self._keep_exact()
        return taken

    def _keep(self, stays: Matrix) -> None:
        if stays.all():
            return
        leaves = ~stays
        side = self.inverse[np.ix_(stays, leaves)]
        corner = self.inverse[np.ix_(leaves, leaves)]
        self.inverse = self.inverse[np.ix_(stays, stays)] - side @ np.linalg.solve(corner, side.T)
        self.members, self.signs = self.members[stays], self.signs[stays]
        self._keep_exact()

    def _keep_exact(self) -> None:
        # What near copies cost the inverse in digits would stay when they leave.
        whole = np.zeros(self.gradient.shape[0])
        whole[self.members] = self.signs
        again = self.inverse @ (self.hessian @ whole)[self.members]
        if not np.abs(again - self.signs).max(initial=0.0) <= DRIFT:
            among = self.hessian[np.ix_(self.members, self.members)]
            # A singular one is left as it is: steps by it stall, and the members are taken anew.
            with suppress(np.linalg.LinAlgError):
                self.inverse = np.linalg.inv(among)

    def _exchange(self, w: Matrix, entering: int, sign: float) -> Matrix | None:
        """Let a column enter that depends on the members, for the first of them to reach zero.
        None where no member falls.

        Along w[entering] += t * sign with the members making up for it, only the penalty changes,
        and it falls: the condition of this column is violated, those of the members hold.
        """
        along = -sign * (self.inverse @ self.hessian[self.members, entering])
        among = w[self.members]
        falls = along * self.signs < 0.0
        share = np.where(falls, np.abs(among) / np.where(falls, np.abs(along), 1.0), np.inf)
        step = float(share.min(initial=np.inf))
        if not np.isfinite(step):
            return None
        leaving = share <= step
        w = w.copy()
        w[self.members] = np.where(leaving, 0.0, among + step * along)
        w[entering] = step * sign
        self._keep(~leaving)
        if not self._add(np.asarray([entering]), np.asarray([sign])).any():
            w[entering] = 0.0
        return w

    def _refreshed(self, w: Matrix) -> Matrix:
        members, signs = self.members, self.signs
        self.forget()
        taken = self._add(members, signs)
        w = w.copy()
        w[members[~taken]] = 0.0
        return w


def _independent(schur: Matrix, squares: Matrix) -> Matrix:
    """Which rows of a matrix to keep so that it has an inverse; the first of those alike stays."""
    least = DEPENDENT * squares
    taken = squares > 0.0
    if taken.size == 1:
        taken &= schur[0] > least
        return taken
    if taken.all():
        with suppress(np.linalg.LinAlgError):
            if (np.diagonal(np.linalg.cholesky(schur)) ** 2 > least).all():
                return taken
    left = schur.copy()
    for j in range(left.shape[0]):
        taken[j] = taken[j] and left[j, j] > least[j]
        if taken[j]:
            left -= np.outer(left[:, j] / left[j, j], left[j])
    return taken
