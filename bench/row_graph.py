"""Row `graph`: gradients by the computation graph, dynamic and compiled, against autograd, PyTorch
and the hand-written pass; second derivatives; checkpointed chains."""

from __future__ import annotations

import importlib
import math
import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..backends import get_backend
from ..core.graph import checkpoint, compile, grad, hvp, namespace, value_and_grad
from ..core.losses import HALF_BINOMIAL
from ..core.passes import loss_gradient
from .figures import Row
from .peers import has, jax_in_64_bits, missing_note
from .problems import gaussian
from .sizes import Size, pause_for, rounds_for
from .timing import Comparison, compare

KEY = "graph"
DYNAMIC, COMPILED = "xpfit dynamic", "xpfit compiled, numba"
BY_LINES = "xpfit compiled, numpy"
AUTOGRAD, TORCH, JAX = "autograd", "PyTorch", "jax.jit of jax.grad"
BY_HAND = "the generic pass, by hand"
CHAIN_ROUNDS = 50
SHAPES: dict[Size, tuple[int, int]] = {"full": (10_000, 64), "tiny": (50, 3)}
# Steps of a checkpointed chain, and numbers in each of its values.
CHAINS: dict[Size, tuple[int, int]] = {"full": (400, 20_000), "tiny": (16, 2000)}

xp = namespace(np)


def chain(x: Any, space: Any = xp, rounds: int = CHAIN_ROUNDS) -> Any:
    """The sum of what is left after so many rounds of x <- sin(x) x + 1."""
    for _ in range(rounds):
        x = space.sin(x) * x + 1.0
    return space.sum(x)


def torch_gradient(x: Any) -> Callable[[], Any]:
    """The chain's gradient by PyTorch, from NumPy to NumPy."""
    import torch

    def run() -> Any:
        given = torch.from_numpy(x).requires_grad_()
        chain(given, torch).backward()
        return given.grad.numpy()

    return run


def jax_gradient(x: Any) -> Callable[[], Any]:
    """The chain's gradient compiled by JAX."""
    import jax

    slope = jax.jit(jax.grad(lambda z: chain(z, jax.numpy)))
    given = jax.numpy.asarray(x)
    return lambda: np.asarray(slope(given))


def _error(a: Any, b: Any) -> float:
    return float(np.max(np.abs(np.asarray(a) - b)) / np.max(np.abs(b)))


def _measure_chain(row: Row, size: Size, rounds: int | None) -> None:
    x = np.linspace(0.1, 1.0, 10)
    compiled = compile(grad(chain), backend="numba")
    by_lines = compile(grad(chain), backend="numpy")
    contestants: dict[str, Callable[[], Any]] = {
        DYNAMIC: lambda: grad(chain)(x),
        COMPILED: lambda: compiled(x),
        BY_LINES: lambda: by_lines(x),
    }
    if has("autograd"):
        numpy = importlib.import_module("autograd.numpy")
        slope = importlib.import_module("autograd").grad(lambda z: chain(z, numpy))
        contestants[AUTOGRAD] = lambda: slope(x)
    if has("torch"):
        contestants[TORCH] = torch_gradient(x)
    if has("jax"):
        contestants[JAX] = jax_gradient(x)
    found = compare(
        contestants, rounds=rounds_for(size, rounds, 15), error=_error, tolerance=1e-9,
        pause=pause_for(size), shortest_sample=0.02 if size == "full" else 0.0,
    )  # fmt: skip
    what = f"{CHAIN_ROUNDS} rounds of sin(x) x + 1 on 10 numbers"
    row.keep(what, found)
    for name in (AUTOGRAD, TORCH):
        if name in found.timings:
            row.add(f"{what}: {name} / dynamic", found.ratio(name, DYNAMIC), 3.0, sense=">=")
    if AUTOGRAD in found.timings:
        row.add(f"{what}: autograd / compiled", found.ratio(AUTOGRAD, COMPILED), 100.0, sense=">=")
    if JAX in found.timings:
        row.add(f"{what}: JAX, jitted / compiled", found.ratio(JAX, COMPILED), None, sense=">=")


def logistic_cost(w: Any, b: Any, X: Any, y: Any) -> Any:
    """The sum of the logistic loss, by the formula that the fits use."""
    return xp.sum(HALF_BINOMIAL.value(xp, y, X @ w + b))


def _measure_logistic(row: Row, size: Size, rounds: int | None) -> None:
    n, d = SHAPES[size]
    X = gaussian(n, d)
    y = (X[:, 0] > 0.3).astype(np.float64)
    w, b = np.linspace(-0.5, 0.5, d), np.asarray(0.1)
    backend = get_backend("numpy")
    W, intercept = w[:, None], np.reshape(b, (1,))
    slope = value_and_grad(logistic_cost, (0, 1))
    compiled = compile(slope, backend="numba")
    by_lines = compile(slope, backend="numpy")
    along = np.cos(np.arange(d))

    def by_hand() -> Any:
        sums = loss_gradient(X, y, None, W, intercept, HALF_BINOMIAL, backend=backend)
        return np.ravel(sums[1])

    contestants = {
        BY_HAND: by_hand,
        DYNAMIC: lambda: slope(w, b, X, y)[1][0],
        COMPILED: lambda: compiled(w, b, X, y)[1][0],
        BY_LINES: lambda: by_lines(w, b, X, y)[1][0],
        "Hessian-vector product, dynamic": lambda: hvp(
            lambda v: logistic_cost(v, b, X, y), w, along
        ),
    }
    found = compare(
        contestants, rounds=rounds_for(size, rounds, 15), error=_error, tolerance=1e-9,
        unchecked=frozenset({"Hessian-vector product, dynamic"}), pause=pause_for(size),
        shortest_sample=0.02 if size == "full" else 0.0,
    )  # fmt: skip
    what = f"logistic gradient, {n:,} x {d}"
    row.keep(what, found)
    row.add(f"{what}: dynamic / by hand", found.ratio(DYNAMIC, BY_HAND), 1.3, sense="<=")
    row.add(f"{what}: compiled / by hand", found.ratio(COMPILED, BY_HAND), 1.0, sense="<=")
    ratio = found.ratio("Hessian-vector product, dynamic", DYNAMIC)
    row.add(f"{what}: Hessian-vector product / gradient", ratio, 4.0, sense="<=")


def _step(x: Any) -> Any:
    return xp.sin(x) * x + 1.0


def checkpointed_chain(x: Any, n_steps: int) -> Any:
    """A chain of steps in about sqrt(n) checkpointed pieces."""
    length = math.isqrt(n_steps)

    def piece(z: Any, n: int) -> Any:
        for _ in range(n):
            z = _step(z)
        return z

    kept = checkpoint(piece)
    for start in range(0, n_steps, length):
        x = kept(x, n=min(length, n_steps - start))
    return xp.sum(x)


def peak_bytes(run: Callable[[], Any]) -> int:
    """The most that NumPy held at a time, over what it held before."""
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def _measure_checkpoints(row: Row, size: Size, rounds: int | None) -> None:
    n_steps, n = CHAINS[size]
    x = np.linspace(0.1, 1.0, n)
    plain, kept = "kept", "checkpointed"
    contestants = {
        plain: lambda: grad(chain)(x, rounds=n_steps),
        kept: lambda: grad(checkpointed_chain)(x, n_steps),
    }
    found: Comparison = compare(
        contestants, rounds=rounds_for(size, rounds, 9), error=_error, tolerance=1e-9,
        pause=pause_for(size), shortest_sample=0.0,
    )  # fmt: skip
    what = f"a chain of {n_steps} steps of {n:,} numbers, checkpointed"
    row.keep(what, found)
    row.add(f"{what}: time / kept", found.ratio(kept, plain), 1.4, sense="<=")
    # A step makes two values that its derivative needs.
    values = peak_bytes(contestants[kept]) / (2 * x.nbytes)
    row.add(f"{what}: peak, in steps, / 2 sqrt(n)", values / (2 * math.sqrt(n_steps)), 1.2,
            sense="<=")  # fmt: skip
    whole = peak_bytes(contestants[plain]) / (2 * x.nbytes)
    row.notes.append(
        f"Memory of the chain of {n_steps} steps: {whole:.0f} steps' values kept, {values:.0f} "
        f"with checkpoints, 2 sqrt(n) = {2 * math.sqrt(n_steps):.0f}."
    )


def run(size: Size, rounds: int | None = None) -> dict[str, Any]:
    """Measure the row."""
    row = Row(
        KEY, "gradients by the computation graph, float64; the results agree to 1e-9",
        notes=missing_note(("autograd", "torch", "jax")),
    )  # fmt: skip
    with jax_in_64_bits() if has("jax") else nullcontext():
        _measure_chain(row, size, rounds)
    _measure_logistic(row, size, rounds)
    _measure_checkpoints(row, size, rounds)
    return row.as_dict()
