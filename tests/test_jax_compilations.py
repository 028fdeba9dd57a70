"""How often JAX compiles during fits: once for each program and shape, and then never again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
import pytest

from xpfit.backends import Backend, use_fused
from xpfit.core.fit import fit_linear_model
from xpfit.core.fit_huber import fit_huber
from xpfit.core.linalg import InverseFactor
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, huber
from xpfit.core.objective import LinearObjective
from xpfit.core.solvers import lbfgs

# A first fit compiled 164 small programs before its iterations were compiled as a whole.
MOST_PROGRAMS = 45


@pytest.fixture
def programs(jax_backend: Backend, caplog: pytest.LogCaptureFixture) -> Any:
    """Counts the programs that a block of code compiles."""

    @contextmanager
    def counted() -> Iterator[list[str]]:
        found: list[str] = []
        caplog.clear()
        with jax.log_compiles(), caplog.at_level(logging.WARNING, logger="jax"):
            yield found
        found += [r.getMessage() for r in caplog.records if r.getMessage().startswith("Compiling")]

    return counted


def fit(
    backend: Backend, seed: int = 0, K: int = 1, loss: Any = HALF_BINOMIAL, n: int = 4001,
    **more: Any,
) -> Any:  # fmt: skip
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 7 + K))
    y = (X[:, :K] + rng.normal(size=(n, K))).argmax(1) if K > 1 else (X[:, 0] > 0).astype(float)
    return fit_linear_model(
        backend.from_numpy(X), backend.from_numpy(y), loss=loss, backend=backend, n_outputs=K,
        **{"solver": "lbfgs", "l2_reg_strength": 1e-3, "tol": 1e-7, **more},
    )  # fmt: skip


def test_the_counter_counts(jax_backend: Backend, programs: Any) -> None:
    def one_of_its_own(x: Any) -> Any:
        return x * 3 + 1

    with programs() as found:
        jax.jit(one_of_its_own)(np.ones(17))
    assert any("one_of_its_own" in text for text in found)


@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
@pytest.mark.parametrize(("K", "loss"), [(1, HALF_BINOMIAL), (4, HALF_MULTINOMIAL)])
def test_a_second_fit_compiles_nothing(
    jax_backend: Backend, programs: Any, K: int, loss: Any, solver: str
) -> None:
    with programs() as first:
        assert fit(jax_backend, K=K, loss=loss, solver=solver).result.converged
    assert 0 < len(first) <= MOST_PROGRAMS
    with programs() as others:
        fit(jax_backend, K=K, loss=loss, solver=solver)
        fit(jax_backend, seed=1, K=K, loss=loss, solver=solver)  # other numbers of the same shape
        fit(jax_backend, K=K, loss=loss, solver=solver, l2_reg_strength=1e-2)  # as along a path
    assert others == []


def test_iterations_and_parameters_compile_nothing(jax_backend: Backend, programs: Any) -> None:
    fit(jax_backend, loss=huber(0.5), max_iter=4)
    with programs() as others:
        longer = fit(jax_backend, loss=huber(0.25), max_iter=30, tol=0.0)
    assert longer.result.n_iter > 4
    # From the fifth iteration on the first estimate has a share in the Hessian.
    assert [text for text in others if "_run_on_parts" in text] == []


def test_without_fused_kernels_nothing_is_compiled_as_a_whole(
    jax_backend: Backend, programs: Any
) -> None:
    fused = fit(jax_backend, seed=2, max_iter=3)
    with programs() as found, use_fused(enabled=False):
        plain = fit(jax_backend, seed=2, max_iter=3)
    assert [text for text in found if "_run_on_parts" in text] == []
    np.testing.assert_allclose(plain.W, fused.W, rtol=1e-6)


def test_the_memory_of_pairs_is_handed_over(jax_backend: Backend) -> None:
    rng = np.random.default_rng(0)
    objective = LinearObjective(
        jax_backend.from_numpy(rng.normal(size=(600, 3))),
        jax_backend.from_numpy((rng.random(600) < 0.5).astype(float)),
        None, HALF_BINOMIAL, jax_backend,
    )  # fmt: skip
    theta = jax_backend.from_numpy(np.zeros(4))
    here = lbfgs.Point(theta, objective.value_gradient(theta)[1])
    memory = lbfgs.empty_memory(jax_backend.xp, theta)
    solver = InverseFactor(jax_backend.from_numpy(np.eye(4)))
    run = objective.compiled(lbfgs.attempt, lbfgs.MEMORY, donate=(0,))
    handed_over, _ = run(memory, 0, here, here, solver)
    run(handed_over, 1, here, here, solver)
    assert handed_over.steps.is_deleted()
    assert handed_over.changes.is_deleted()


@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
@pytest.mark.parametrize(("K", "loss"), [(1, HALF_BINOMIAL), (4, HALF_MULTINOMIAL)])
def test_another_number_of_rows_compiles_no_pass(
    jax_backend: Backend, programs: Any, solver: str, K: int, loss: Any
) -> None:
    options = {"solver": solver, "K": K, "loss": loss}
    fit(jax_backend, n=4001, **options)
    with programs() as found:
        fit(jax_backend, n=3907, **options)
    # To fill up to the bucket, and two transfers.
    assert len(found) <= 3, found
    assert [text for text in found if "_run_on_parts" in text] == []


def test_huber_compiles_no_pass_for_another_number_of_rows(
    jax_backend: Backend, programs: Any
) -> None:
    def fitted(n: int) -> None:
        rng = np.random.default_rng(n)
        X = rng.normal(size=(n, 5))
        y = X[:, 0] + rng.normal(size=n)
        fit_huber(jax_backend.from_numpy(X), jax_backend.from_numpy(y), backend=jax_backend)

    fitted(2001)
    with programs() as found:
        fitted(1999)
    assert len(found) <= 5, found
    assert [text for text in found if "_gram" in text or "_loss" in text] == []
