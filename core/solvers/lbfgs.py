"""L-BFGS whose initial inverse Hessian is a Hessian estimated on a sample of rows.

Plain L-BFGS starts each direction from a multiple of the identity, and pays for a badly conditioned
X with hundreds of passes. Here the recursion starts from the factor of a sampled Hessian: what
remains for it to learn is the sampling error, whatever the conditioning. See `preconditioner.py`.

The two-loop recursion (Nocedal and Wright, algorithm 7.4) visits the pairs (s_i, y_i) one after the
other. Each of its loops is the substitution in a triangular system, with R the upper triangle of
S Y' (s and y the rows of S and Y): R alpha = S g, and R' delta = D alpha - Y r with D the diagonal
of R. So a direction is four products with S and Y and two small systems, all of them on the device:
nothing has to be known on the host before the step is tried.
"""

from __future__ import annotations

from typing import NamedTuple

from array_api_compat import device

from ...backends import Array, Namespace
from ..linalg import Solver
from ..objective import LinearObjective
from .full_step import Attempt, attempt_along

# Pairs kept. Each costs two arrays of the size of theta and four vector operations an iteration.
MEMORY = 20
# The initial estimate is not rescaled by more than this.
MAX_SCALE = 100.0


class Memory(NamedTuple):
    """The pairs, newest last; rows of zeros, and a diagonal of ones, where there are none yet."""

    steps: Array  # shape=(MEMORY, size): theta_new - theta_old
    changes: Array  # shape=(MEMORY, size): gradient_new - gradient_old
    products: Array  # shape=(MEMORY, MEMORY): the upper triangle of steps @ changes.T
    scale: Array  # shape=(): s @ y / (y @ initial inverse Hessian @ y) of the newest


class Point(NamedTuple):
    """A point and the gradient there."""

    theta: Array  # shape=(size,)
    gradient: Array  # shape=(size,)


def empty_memory(xp: Namespace, theta: Array) -> Memory:
    """No pairs."""
    where, shape = device(theta), (MEMORY, theta.shape[0])
    # Not one array twice: the memory of each is handed over.
    steps = xp.zeros(shape, dtype=theta.dtype, device=where)
    changes = xp.zeros(shape, dtype=theta.dtype, device=where)
    diagonal = xp.eye(MEMORY, dtype=theta.dtype, device=where)
    return Memory(steps, changes, diagonal, xp.ones((), dtype=theta.dtype, device=where))


def attempt(
    objective: LinearObjective, memory: Memory, before: Point, here: Point, apply_initial: Solver
) -> tuple[Memory, Attempt]:
    """Remember the step that led here, and try the next one in full.

    One function without branches on values, so that a backend that compiles makes one program of a
    whole iteration.

    Parameters
    ----------
    objective : LinearObjective
    memory : Memory
    before, here : Point
        Where they are the same there is nothing to remember.
    apply_initial : callable
        The estimate of the inverse Hessian.
    """
    xp = objective.backend.xp
    memory = _remember(xp, memory, before, here, apply_initial)
    along = direction(xp, memory, here.gradient, apply_initial)
    theta = here.theta + along
    value, gradient = objective.cost_gradient(theta)
    slope = here.gradient @ along
    return memory, attempt_along(xp, slope, along, value, Point(theta, gradient))


def direction(xp: Namespace, memory: Memory, gradient: Array, apply_initial: Solver) -> Array:
    """Minus the inverse-Hessian estimate times the gradient."""
    alpha = _solve(xp, memory.products, memory.steps @ gradient)
    # The usual scaling (Nocedal and Wright, 7.20), with the estimate in place of the identity.
    r = memory.scale * apply_initial(gradient - alpha @ memory.changes)
    inner = xp.linalg.diagonal(memory.products) * alpha - memory.changes @ r
    return -(r + _solve(xp, memory.products.T, inner) @ memory.steps)


def _solve(xp: Namespace, matrix: Array, r: Array) -> Array:
    solution: Array = xp.linalg.solve(matrix, r[:, None])[:, 0]
    return solution


def _remember(
    xp: Namespace, memory: Memory, before: Point, here: Point, apply_initial: Solver
) -> Memory:
    """A pair without positive curvature is replaced by one that does nothing."""
    step, change = here.theta - before.theta, here.gradient - before.gradient
    curvature = step @ change
    keep = curvature > 0.0
    estimated = change @ apply_initial(change)
    ratio = curvature / xp.where(estimated > 0.0, estimated, 1.0)
    bounded = xp.clip(xp.where(estimated > 0.0, ratio, 1.0), 1.0 / MAX_SCALE, MAX_SCALE)
    step, change = xp.where(keep, step, 0.0), xp.where(keep, change, 0.0)
    steps = xp.concat([memory.steps[1:, :], step[None, :]], axis=0)
    changes = xp.concat([memory.changes[1:, :], change[None, :]], axis=0)
    # Below the diagonal nothing is ever read.
    column = xp.concat([steps[:-1, :] @ change, xp.reshape(xp.where(keep, curvature, 1.0), (1,))])
    rows = xp.concat([memory.products[1:, 1:], xp.zeros_like(memory.products[:1, 1:])], axis=0)
    products = xp.concat([rows, column[:, None]], axis=1)
    return Memory(steps, changes, products, xp.where(keep, bounded, memory.scale))
