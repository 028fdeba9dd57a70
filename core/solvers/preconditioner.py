"""Estimates of the inverse Hessian from a sample of rows, for L-BFGS to start from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from ...backends import Array, Namespace
from ..columns import column_moments
from ..dispatch import compiled, has_kernel
from ..linalg import Dense, Identity, Solver, bordered_solver
from ..losses import HALF_SQUARED_ERROR
from ..objective import LinearObjective
from ..passes import is_sparse
from ..row_sample import RowSampler
from .diagonal import LEAST_CURVATURE, diagonal_solver, mean_curvature, mean_squares

# Rows of the sample for each column. The error of the estimate falls with the square root.
ROWS_PER_COLUMN = 20
# Forming the Hessian costs rows times columns squared: for wide X half the rows, at one more pass,
# took 0.8 of the time (100,000 x 300). For 64 columns they took 1.2 of it.
WIDE = 128
ROWS_PER_COLUMN_WIDE = 10
# The Gram matrix that all classes share is formed once. Columns that are zero in almost all rows
# need many: on MNIST, 60,000 rows standardized, C = 1, the cost after 100 iterations was 0.229 with
# 4 rows for each column, 0.215 with 10, 0.205 with 20 and with 30.
GRAM_ROWS_PER_COLUMN = 20
# Copies of rows beside X: a larger sample is drawn and evaluated in parts.
SAMPLE_BYTES = 1 << 23
# Where the sample would be more than a third of the rows, all rows are taken.
WHOLE_BELOW = 3
# The joint Hessian of all classes is (columns * classes) squared; beyond this, or where forming it
# costs more than that many passes, one Gram matrix of the columns serves every class.
MAX_JOINT = 1200
JOINT_PASSES = 30
# Beyond this many columns a factor costs more time and memory than it saves passes.
MAX_COLUMNS = 2500
# Up to this order a fused update of L-BFGS gets the inverse itself. Other updates do without: on a
# host the product gained 6 % for 8 columns, and lost 30 % for 60, where BLAS wakes its threads.
MAX_DENSE = 1024
# Sampling error makes directions look flatter than they are; a small ridge bounds the harm.
RELATIVE_RIDGE = 1e-10
# Where a class is certain, curvature vanishes, and grows again a step further. A share of the
# Hessian at the start bounds the step. Of 0, 0.03, 0.1 and 0.3 (covertype, dry bean, htru2 and two
# more) 0.03 lost least anywhere; with 0, covertype took 8 trials for each step.
FIRST_SHARE = 0.03
# Classes whose mean curvatures differ by less than this factor share one Cholesky factor.
CURVATURE_STEP = 1.5


@dataclass
class SampledHessian:
    """Makes estimates of the inverse Hessian, as functions of a flat array.

    A sampled Hessian where it fits in memory easily; for many classes times columns one Gram matrix
    for all classes, scaled for each by its mean curvature; a diagonal for very many columns.
    """

    objective: LinearObjective
    sampler: RowSampler
    first: Array | None = field(default=None, init=False)
    variance: Array | None = field(default=None, init=False)
    squares: Array | None = field(default=None, init=False)
    gram: Array | None = field(default=None, init=False)
    gram_sample: LinearObjective | None = field(default=None, init=False)

    def inverse_at(self, theta: Array) -> Solver:
        """The estimate at theta; each call draws other rows, but for the Gram matrix."""
        objective = self.objective
        if objective.n_rows_of_theta > MAX_COLUMNS:
            if self.gram_sample is None:
                self.gram_sample = self._sample_of(self._sample_rows())
                self.squares = mean_squares(self.gram_sample)
            return diagonal_solver(
                self.gram_sample, self._curvatures(self.gram_sample, theta), self.squares
            )
        if objective.loss.is_multiclass and not self._joint_pays():
            return self._one_gram_for_all_classes(theta)
        hessian, _ = self._mean_over_samples(
            None,
            lambda part: (
                part.value_gradient_hessian(theta)[2]
                + self._missing(part, lambda: self._curvatures(part, theta))
            ),
        )
        if self.first is None:
            self.first = hessian
        else:
            hessian = hessian + FIRST_SHARE * self.first
        solve = hessian_solver(objective, hessian)
        if objective.size > MAX_DENSE or not has_kernel(
            objective.backend, "lbfgs_update", objective.fused
        ):
            return solve
        xp = objective.backend.xp
        return Dense(solve(xp.eye(objective.size, dtype=hessian.dtype, device=device(hessian))))

    def _curvatures(self, sample: LinearObjective, theta: Array) -> Array:
        self.objective.rows_read += sample.n_samples
        return sample.compiled(mean_curvature)(theta)

    def _sample_rows(self, per_column: int | None = None) -> int:
        n_samples = self.objective.n_samples
        if per_column is None:
            wide = self.objective.n_features > WIDE
            per_column = ROWS_PER_COLUMN_WIDE if wide else ROWS_PER_COLUMN
        n_rows = max(500, per_column * self.objective.n_rows_of_theta)
        return n_samples if n_samples <= WHOLE_BELOW * n_rows else n_rows

    def _joint_pays(self) -> bool:
        size = self.objective.size
        one_pass = self.objective.n_samples * size
        return size <= MAX_JOINT and self._sample_rows() * size**2 <= JOINT_PASSES * one_pass

    def _mean_over_samples(
        self, per_column: int | None, of: Callable[[LinearObjective], Array]
    ) -> tuple[Array, LinearObjective]:
        """The mean of a function of samples that together have the wanted rows, and the last one.

        One sample, where a copy of all these rows is small beside X.
        """
        n_rows, X = self._sample_rows(per_column), self.objective.X
        whole = n_rows >= self.objective.n_samples or is_sparse(X)
        width = 8 * self.objective.n_features
        # On a device a part is a draw on the host and a dozen launches: few large ones there.
        part_bytes = max(SAMPLE_BYTES, self.objective.backend.block_bytes or 0)
        n_parts = 1 if whole else -(-n_rows * width // part_bytes)
        sample = self._sample_of(-(-n_rows // n_parts))
        total = of(sample)
        for _ in range(n_parts - 1):
            sample = self._sample_of(-(-n_rows // n_parts))
            total = total + of(sample)
        return (total / n_parts if n_parts > 1 else total), sample

    def _sample_of(self, n_rows: int) -> LinearObjective:
        sample = self.sampler.draw(n_rows)
        self.objective.rows_read += sample.n_samples
        return sample

    def _missing(self, sample: LinearObjective, curvatures: Callable[[], Array]) -> Array | float:
        """Diagonal matrix of the curvature that the sample lacks in columns it hardly holds.

        A column that is zero in all but a few rows of X may be constant in the sample. Its
        curvature would be taken for zero, and the first step along it would be endless.
        """
        if sample.n_samples == self.objective.n_samples:
            return 0.0
        missing: Array = compiled(self.objective.backend, _outer_diagonal)(
            self._lacking(sample), curvatures()
        )
        return missing

    def _gram_of(self, sample: LinearObjective, theta: Array) -> Array:
        """The Gram matrix of a sample, with the variance that it lacks."""
        xp, X = self.objective.backend.xp, sample.X
        squared = replace(
            sample, loss=HALF_SQUARED_ERROR, n_outputs=1, l2_reg_strength=0.0,
            y=np.zeros(sample.n_samples) if is_sparse(X)
            else xp.zeros_like(X[:, 0], dtype=self.objective.dtype),
        )  # fmt: skip
        start = xp.zeros((squared.size,), dtype=self.objective.dtype, device=device(theta))
        gram = squared.value_gradient_hessian(start)[2]
        return gram + self._missing(sample, lambda: xp.ones_like(start[:1]))

    def _lacking(self, sample: LinearObjective) -> Array:
        """By how much the variance in the sample falls short, where that is more than half; with
        a zero for the intercept."""
        if self.variance is None:
            self.objective.rows_read += self.objective.n_samples
            self.variance = self._variance(self.objective)
        shortfall = compiled(self.objective.backend, _shortfall, self.objective.fit_intercept)
        return shortfall(self.variance, self._variance(sample))

    def _variance(self, objective: LinearObjective) -> Array:
        _, variance = column_moments(
            objective.X, objective.sample_weight, backend=objective.backend, fused=objective.fused
        )
        scale = objective.scale
        return variance if scale is None else variance / (scale * scale)

    def _one_gram_for_all_classes(self, theta: Array) -> Solver:
        """W[:, k] is solved with curvature_k * Gram + l2: the block diagonal of the Hessian, where
        the curvature of a class hardly depends on the row.

        Measured on 20,000 rows of MNIST: a Hessian block for each class, from all rows, took 86
        iterations to 1e-6, this takes 88. What they both leave out is what couples the classes.
        """
        objective, xp = self.objective, self.objective.backend.xp
        if self.gram is None or self.gram_sample is None:
            self.gram, self.gram_sample = self._mean_over_samples(
                GRAM_ROWS_PER_COLUMN, lambda part: self._gram_of(part, theta)
            )
        gram, backend = self.gram, objective.backend
        index = xp.arange(gram.shape[0], device=device(gram))
        penalized = xp.astype(index < objective.n_features, gram.dtype)
        eye = xp.eye(gram.shape[0], dtype=gram.dtype, device=device(gram))
        ridge = eye * (objective.l2_reg_strength * penalized)[None, :]
        solvers: dict[int, Solver] = {}
        steps = []
        for curvature in backend.to_numpy(self._curvatures(self.gram_sample, theta)):
            step = round(math.log(max(curvature, LEAST_CURVATURE)) / math.log(CURVATURE_STEP))
            steps.append(step)
            if step not in solvers:
                hessian = CURVATURE_STEP**step * gram + ridge
                solvers[step] = _ridged(objective, hessian, objective.fit_intercept)

        groups = [[k for k, own in enumerate(steps) if own == step] for step in solvers]
        order = [k for group in groups for k in group]
        back = [order.index(k) for k in range(len(order))]
        return GroupedClasses(
            tuple(solvers.values()),
            tuple(backend.from_numpy(np.asarray(group)) for group in groups),
            backend.from_numpy(np.asarray(back)),
        )


class GroupedClasses(NamedTuple):
    """Solves for all classes of a group at once: its factor is read from memory once."""

    solvers: tuple[Solver, ...]
    groups: tuple[Array, ...]  # of each solver, its classes
    back: Array  # shape=(n_classes,): from the order of the groups to that of the classes

    def __call__(self, flat: Array) -> Array:
        """The solution."""
        xp = array_namespace(flat)
        matrix = xp.reshape(flat, (-1, self.back.shape[0]))
        parts = [
            solve(xp.take(matrix, group, axis=1))
            for solve, group in zip(self.solvers, self.groups, strict=True)
        ]
        solved = xp.take(xp.concat(parts, axis=1), self.back, axis=1)
        return xp.reshape(solved, flat.shape)


def _shortfall(xp: Namespace, fit_intercept: bool, whole: Array, held: Array) -> Array:
    lacking = xp.where(held < 0.5 * whole, whole - held, 0.0)
    return xp.concat([lacking, xp.zeros_like(lacking[:1])], axis=0) if fit_intercept else lacking


def _outer_diagonal(xp: Namespace, rows: Array, columns: Array) -> Array:
    """Diagonal matrix of rows[j] * columns[k], j first."""
    diagonal = xp.reshape(rows[:, None] * columns[None, :], (-1,))
    eye = xp.eye(diagonal.shape[0], dtype=rows.dtype, device=device(rows))
    return eye * diagonal[None, :]


def hessian_solver(objective: LinearObjective, hessian: Array) -> Solver:
    """Solves with a (sampled) Hessian of the objective; least norm where it is singular.

    Adding the same number to the raw predictions of all classes changes nothing: without a penalty
    the multinomial Hessian is singular that way. Gradients have no part in that direction, so any
    curvature may be put there.
    """
    if not objective.loss.is_multiclass:
        return _ridged(objective, hessian, objective.fit_intercept)
    free_from = objective.n_features if objective.l2_reg_strength > 0.0 else 0
    lifted = compiled(objective.backend, _lifted, objective.n_outputs, free_from)(hessian)
    return _ridged(objective, lifted, False)


def _lifted(xp: Namespace, K: int, free_from: int, hessian: Array) -> Array:
    n_rows = hessian.shape[0] // K
    mean = xp.mean(xp.reshape(xp.linalg.diagonal(hessian), (n_rows, K)), axis=1)
    row = xp.arange(n_rows, device=device(hessian))
    free = row >= free_from
    # The same number in all entries of a row's block of classes: rank one, along that direction.
    rows = xp.eye(n_rows, dtype=hessian.dtype, device=device(hessian)) * xp.where(free, mean, 0.0)
    classes = xp.ones((K, K), dtype=hessian.dtype, device=device(hessian))
    block = rows[:, None, :, None] * classes[None, :, None, :]
    return hessian + xp.reshape(block, hessian.shape)


def _ridged(objective: LinearObjective, hessian: Array, has_intercept: bool) -> Solver:
    # Without a penalty the least-norm solution is wanted: no ridge, rank is found by `linalg`.
    relative = RELATIVE_RIDGE if objective.l2_reg_strength > 0.0 else 0.0
    hessian, trace = compiled(objective.backend, _with_ridge, relative)(hessian)
    if not float(trace) > 0.0:
        return Identity()
    return bordered_solver(objective.backend, hessian, has_intercept)


def _with_ridge(xp: Namespace, relative: float, hessian: Array) -> tuple[Array, Array]:
    trace = xp.sum(xp.linalg.diagonal(hessian))
    if relative == 0.0:
        return hessian, trace
    eye = xp.eye(hessian.shape[0], dtype=hessian.dtype, device=device(hessian))
    return hessian + (relative * trace / hessian.shape[0]) * eye, trace
