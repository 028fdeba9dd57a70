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

from typing import Any, NamedTuple

from array_api_compat import device

from ...backends import Array, Backend, Namespace
from ..dispatch import run_kernel
from ..linalg import Solver
from .full_step import Attempt, attempt_along
from .smooth import SmoothObjective

# Pairs kept. Each costs two arrays of the size of theta and four vector operations an iteration.
MEMORY = 20
# The initial estimate is not rescaled by more than this.
MAX_SCALE = 100.0


class Memory(NamedTuple):
    """The pairs, each in a slot of its own; rows of zeros, and a diagonal of ones, where there are
    none yet."""

    steps: Array  # shape=(MEMORY, size): theta_new - theta_old
    changes: Array  # shape=(MEMORY, size): gradient_new - gradient_old
    products: Array  # shape=(MEMORY, MEMORY): changes @ steps.T
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
    objective: SmoothObjective,
    n_slots: int,
    memory: Memory,
    slot: Any,
    before: Point,
    here: Point,
    apply_initial: Solver,
) -> tuple[Memory, Attempt]:
    """Remember the step that led here, and try the next one in full.

    One function without branches on values, so that a backend that compiles makes one program of a
    whole iteration.

    Parameters
    ----------
    objective : SmoothObjective
    n_slots : int
        How many slots are in use, this one included. More would do, and take longer.
    memory : Memory
        Used up.
    slot : int
        Where to remember; the slot after it (around the end) holds the oldest pair.
    before, here : Point
        Where they are the same there is nothing to remember.
    apply_initial : callable
        The estimate of the inverse Hessian.
    """
    memory, along, theta = update(
        n_slots, memory, slot, before, here, apply_initial,
        backend=objective.backend, fused=objective.fused,
    )  # fmt: skip
    value, gradient = objective.cost_gradient(theta)
    there = Point(theta, gradient)
    return memory, attempt_along(objective, here.gradient, along, value, there)


def update(
    n_slots: int,
    memory: Memory,
    slot: Any,
    before: Point,
    here: Point,
    apply_initial: Solver,
    *,
    backend: Backend,
    fused: bool | None = None,
) -> tuple[Memory, Array, Array]:
    """All of an iteration but the pass: the memory, the direction, and theta after the full step.

    Takes what `attempt` takes.
    """
    kept, along, theta = run_kernel(
        backend, "lbfgs_update", generic_update,
        n_slots, memory, slot, before, here, apply_initial, fused=fused, in_blocks=False,
    )  # fmt: skip
    return Memory(*kept), along, theta


def generic_update(
    n_slots: int,
    memory: Memory,
    slot: Any,
    before: Point,
    here: Point,
    apply_initial: Solver,
    *,
    backend: Backend,
) -> tuple[Memory, Array, Array]:
    """As `update`, on any namespace."""
    memory = _remember(backend, n_slots, memory, slot, before, here, apply_initial)
    along = _direction(backend.xp, n_slots, memory, slot, here.gradient, apply_initial)
    return memory, along, here.theta + along


def _direction(
    xp: Namespace, n_slots: int, memory: Memory, slot: Any, gradient: Array, apply_initial: Solver
) -> Array:
    """Minus the inverse-Hessian estimate times the gradient."""
    steps, changes = memory.steps[:n_slots, :], memory.changes[:n_slots, :]
    # From the oldest to the newest, and back to slots.
    slots = xp.arange(n_slots, device=device(gradient))
    by_age, by_slot = (slots + (slot + 1)) % n_slots, (slots - (slot + 1)) % n_slots
    products = xp.take(xp.take(memory.products[:n_slots, :n_slots], by_age, axis=0), by_age, axis=1)
    # Below the diagonal stand products with pairs that are forgotten.
    triangle = xp.triu(products.T)
    alpha = _solve(xp, triangle, xp.take(steps @ gradient, by_age))
    # The usual scaling (Nocedal and Wright, 7.20), with the estimate in place of the identity.
    r = memory.scale * apply_initial(gradient - xp.take(alpha, by_slot) @ changes)
    inner = xp.linalg.diagonal(triangle) * alpha - xp.take(changes @ r, by_age)
    return -(r + xp.take(_solve(xp, triangle.T, inner), by_slot) @ steps)


def _solve(xp: Namespace, matrix: Array, r: Array) -> Array:
    solution: Array = xp.linalg.solve(matrix, r[:, None])[:, 0]
    return solution


def _remember(
    backend: Backend,
    n_slots: int,
    memory: Memory,
    slot: Any,
    before: Point,
    here: Point,
    apply_initial: Solver,
) -> Memory:
    """A pair without positive curvature is replaced by one that does nothing."""
    xp, set_row = backend.xp, backend.set_row
    step, change = here.theta - before.theta, here.gradient - before.gradient
    curvature = step @ change
    keep = curvature > 0.0
    estimated = change @ apply_initial(change)
    ratio = curvature / xp.where(estimated > 0.0, estimated, 1.0)
    bounded = xp.clip(xp.where(estimated > 0.0, ratio, 1.0), 1.0 / MAX_SCALE, MAX_SCALE)
    step, change = xp.where(keep, step, 0.0), xp.where(keep, change, 0.0)
    steps = set_row(memory.steps, slot, step)
    changes = set_row(memory.changes, slot, change)
    row = steps[:n_slots, :] @ change
    own = xp.arange(n_slots, device=device(step)) == slot
    row = xp.where(own, xp.where(keep, curvature, 1.0), row)
    if n_slots < MEMORY:
        row = xp.concat([row, xp.zeros((MEMORY - n_slots,), dtype=row.dtype, device=device(step))])
    products = set_row(memory.products, slot, row)
    return Memory(steps, changes, products, xp.where(keep, bounded, memory.scale))
