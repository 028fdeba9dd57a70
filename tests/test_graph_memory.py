"""What reverse mode holds: all values of a chain, or some 2 sqrt(n) of them with checkpoints."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.graph import checkpoint, compare_memory, grad, memory_profile, namespace
from xpfit.core.graph import node as nodes

xp = namespace(np)
N_STEPS, N_PIECES = 100, 10
X = np.linspace(0.1, 1.0, 30_000)


def steps(x: Any, n: int) -> Any:
    for _ in range(n):
        x = xp.sin(x)
    return x


def kept(x: Any) -> Any:
    return xp.sum(steps(x, N_STEPS))


def checkpointed(x: Any) -> Any:
    for _ in range(N_PIECES):
        x = checkpoint(lambda z: steps(z, N_STEPS // N_PIECES))(x)
    return xp.sum(x)


def test_checkpoints_hold_two_square_roots_of_the_values() -> None:
    found = compare_memory({"kept": kept, "checkpointed": checkpointed}, X)
    plain, pieces = found.profiles.values()
    # In values of the chain; 1 % is room for the nodes themselves.
    assert N_STEPS <= plain.kept / X.nbytes <= 1.01 * N_STEPS
    assert N_STEPS <= plain.peak / X.nbytes <= 1.01 * (N_STEPS + 3)
    assert N_PIECES <= pieces.kept / X.nbytes <= 1.01 * N_PIECES + 0.1
    bound = 2 * math.sqrt(N_STEPS)
    assert bound <= pieces.peak / X.nbytes <= bound + 4
    np.testing.assert_allclose(grad(kept)(X), grad(checkpointed)(X), rtol=1e-13)


def test_the_timeline() -> None:
    profile = memory_profile(kept, X)
    assert (profile.n_forward, profile.n_operations) == (N_STEPS + 1, 2 * N_STEPS + 2)
    values = profile.held / X.nbytes
    # One value more for each step, then one less; at the end the gradient is left.
    np.testing.assert_allclose(values[: N_STEPS + 1], np.arange(N_STEPS + 1), atol=0.5)
    # Nodes are let go as they are done, so the second half mirrors the first.
    np.testing.assert_allclose(values[N_STEPS + 2 :], np.arange(N_STEPS, -1, -1) + 1, atol=1.5)
    assert values[-1] == pytest.approx(1.0, abs=0.2)
    assert np.all(profile.most >= profile.held)
    assert profile.kept == profile.held[N_STEPS + 1]
    assert profile.peak == profile.most.max() > profile.kept


def test_a_peak_within_one_operation_is_seen() -> None:
    def with_a_temporary(x: Any) -> Any:
        big = np.zeros(20 * X.size)
        del big
        return xp.sum(x)

    profile = memory_profile(with_a_temporary, X)
    assert profile.peak >= 20 * X.nbytes
    assert profile.kept < X.nbytes


def test_the_tables() -> None:
    text = str(memory_profile(kept, X)).splitlines()
    assert text[0].split("  ")[0] == "pass"
    assert text[1].split()[:2] == ["forward", "101"]
    assert float(text[1].split()[2]) == pytest.approx(24.0, abs=0.2)  # MB
    assert text[2].split()[:2] == ["backward", "101"]
    found = str(compare_memory({"kept": kept, "checkpointed": checkpointed}, X)).splitlines()
    assert found[1].split()[0] == "kept"
    assert found[1].split()[-1] == "1.00"
    assert 0.2 < float(found[2].split()[-1]) < 0.3


def test_the_picture() -> None:
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    found = compare_memory({"kept": kept, "_pieces": checkpointed}, X)
    given = figure.Figure().subplots()
    axes = found.plot(given)
    assert axes is given
    lines = [line for line in axes.lines if len(line.get_xdata()) > 1]
    for line, profile in zip(lines, found.profiles.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), profile.held)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [text.split(",")[0] for text in texts] == ["kept", " _pieces", "end of the forward pass"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("operations done", "memory held")
    alone = found.profiles["kept"].plot()
    assert [t.get_text() for t in alone.get_legend().get_texts()] == ["end of the forward pass"]


def test_arguments_and_constants() -> None:
    def cost(X: Any, w: Any, y: Any) -> Any:
        return xp.mean((X @ w - y) ** 2)

    rng = np.random.default_rng(0)
    data = rng.normal(size=(5000, 4)), np.zeros(4), rng.normal(size=5000)
    of_w = memory_profile(cost, *data, argnums=1)
    of_both = memory_profile(cost, *data, argnums=(0, 1))
    assert of_both.held[-1] - of_w.held[-1] == pytest.approx(data[0].nbytes, abs=2000)
    flat = memory_profile(lambda x: 5.0, 1.0)
    assert (flat.n_operations, flat.n_forward) == (0, 0)
    assert "backward" in str(flat)


def test_nothing_is_left_behind() -> None:
    before = nodes._order
    memory_profile(kept, X)
    with pytest.raises(ZeroDivisionError):
        memory_profile(lambda x: 1 / 0, 1.0)
    calls = []

    def fails_later(x: Any) -> Any:
        calls.append(x)
        return kept(x) if len(calls) == 1 else 1 / 0

    with pytest.raises(ZeroDivisionError):
        memory_profile(fails_later, X)
    assert nodes._order is before
    assert not tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        assert memory_profile(kept, X).kept >= N_STEPS * X.nbytes
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_operations_of_other_threads_are_not_counted() -> None:
    def with_another(x: Any) -> Any:
        thread = threading.Thread(target=lambda: grad(kept)(np.ones(3)))
        thread.start()
        thread.join()
        return xp.sum(x)

    assert memory_profile(with_another, X).n_operations == 2


def test_other_libraries_are_refused(jax_backend: Backend) -> None:
    with pytest.raises(TypeError, match=r"jax.*tracemalloc.*NumPy arrays of the same shapes"):
        memory_profile(namespace(jax_backend.xp).sum, jax_backend.from_numpy(X))
    with pytest.raises(ValueError, match="given no function"):
        compare_memory({}, X)


def test_without_matplotlib_there_is_a_table() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from xpfit.core.graph import memory_profile\n"
        "profile = memory_profile(lambda x: x * x, 3.0)\n"
        "assert 'forward' in str(profile)\n"
        "try:\n    profile.plot()\n"
        "except ModuleNotFoundError as problem:\n    sys.stdout.write(str(problem))\n"
    )
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("xpfit.core.graph.memory_profile needs matplotlib")
