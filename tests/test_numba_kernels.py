"""What only the Numba kernels do: scalar functions, generated modules, threads, memory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from helpers import run_python
from numba import njit

from xpfit.backends import KernelCompileError, get_backend
from xpfit.backends.numba_kernels import compile as kernel_compile
from xpfit.backends.numba_kernels.compile import cache_folder, portable_source
from xpfit.backends.numba_kernels.scalar import exp, log, log1p
from xpfit.backends.numba_kernels.threads import n_threads, run_on_threads
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, PointwiseLoss
from xpfit.core.passes import loss_gradient

NUMBA = get_backend("numba")
NUMPY = get_backend("numpy")


def apply(function: Any, x: np.ndarray) -> np.ndarray:
    @njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def loop(x: Any) -> Any:
        out = np.empty_like(x)
        for i in range(x.shape[0]):
            out[i] = function(x[i])
        return out

    return np.asarray(loop(x))


@pytest.mark.parametrize(
    ("function", "reference", "points"),
    [
        (exp, np.exp, np.linspace(-700, 709, 20_001)),
        (exp, np.exp, np.linspace(-1, 1, 20_001)),
        (log, np.log, np.geomspace(1e-300, 1e300, 20_001)),
        (log, np.log, np.linspace(0.5, 2.0, 20_001)),
        (log1p, np.log1p, np.geomspace(1e-30, 1e300, 20_001)),
        (log1p, np.log1p, np.linspace(0.0, 1.0, 20_001)),
    ],
    ids=["exp", "exp-near-0", "log", "log-near-1", "log1p", "log1p-to-1"],
)
def test_scalar_functions_are_exact_to_the_last_bits(
    function: Any, reference: Any, points: np.ndarray
) -> None:
    expected = reference(points.astype(np.longdouble))
    error = np.abs(apply(function, points) - expected)
    units = error / np.spacing(np.abs(expected).astype(float))
    assert float(units.max()) < 1.6


def test_scalar_functions_at_the_edges() -> None:
    x = np.asarray([0.0, 1e3, -1e3, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(apply(exp, x), [1.0, np.inf, 0.0, np.inf, 0.0, np.nan])
    x = np.asarray([0.0, 1.0, np.inf, -1.0, np.nan])
    np.testing.assert_array_equal(apply(log, x), [-np.inf, 0.0, np.inf, np.nan, np.nan])
    x = np.asarray([0.0, np.inf, -1.0, -2.0, np.nan])
    np.testing.assert_array_equal(apply(log1p, x), [0.0, np.inf, -np.inf, np.nan, np.nan])


@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_results_do_not_depend_on_the_number_of_threads(
    loss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_001, 20)).astype(np.float32)
    K = 3 if loss.is_multiclass else 1
    y = rng.integers(0, 3, 60_001) if K == 3 else rng.integers(0, 2, 60_001).astype(float)
    W, b = rng.normal(size=(20, K)), rng.normal(size=K)
    results = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("XPFIT_NUM_THREADS", threads)
        sums = loss_gradient(X, y, None, W, b, loss, backend=NUMBA)
        results.append((float(sums.loss), sums.grad_W.tobytes(), sums.grad_b.tobytes()))
    assert results[0] == results[1] == results[2]


def test_a_bad_number_of_threads_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPFIT_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="XPFIT_NUM_THREADS='many'"):
        n_threads()


def test_an_error_in_a_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPFIT_NUM_THREADS", "2")

    def work() -> None:
        message = "from a thread"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="from a thread"):
        run_on_threads(work, 2)


def test_passes_from_several_threads_at_once() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30_000, 8)), rng.integers(0, 2, 30_000).astype(float)
    W, b = rng.normal(size=(8, 1)), np.zeros(1)

    def one_pass(_: int) -> bytes:
        return loss_gradient(X, y, None, W, b, HALF_BINOMIAL, backend=NUMBA).grad_W.tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one_pass, range(16)))) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_fork_after_a_pass_can_run_passes() -> None:
    code = """
import os, warnings
import numpy as np
from xpfit.backends import get_backend
from xpfit.core.losses import HALF_BINOMIAL
from xpfit.core.passes import loss_gradient
os.environ["XPFIT_NUM_THREADS"] = "2"
X, y = np.ones((300_000, 8)), np.ones(300_000)
def run():
    args = X, y, None, np.ones((8, 1)), np.zeros(1), HALF_BINOMIAL
    return float(loss_gradient(*args, backend=get_backend("numba")).loss)
first = run()
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    os._exit(0 if run() == first else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    result = run_python(code)
    assert result.returncode == 0, result.stderr


def plain(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return STEEPNESS * (raw_prediction - y) ** 2


STEEPNESS = 2.5
TABLE = [1.0]


def uses_a_list(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return TABLE[0] * raw_prediction


def with_a_factor(factor: float) -> Any:
    def value(xp: Any, y: Any, raw_prediction: Any) -> Any:
        return factor * (raw_prediction - y)

    return value


def test_a_closure_over_numbers_is_portable() -> None:
    source = portable_source(with_a_factor(1.5), "value")
    assert source is not None
    assert "_value_factor = float('1.5')" in source
    assert portable_source(with_a_factor([1.5]), "value") is None  # type: ignore[arg-type]


def test_source_is_portable_only_where_it_stands_alone() -> None:
    source = portable_source(plain, "value")
    assert source is not None
    assert "_value_STEEPNESS = float('2.5')" in source
    assert "return _value_STEEPNESS *" in source
    assert portable_source(uses_a_list, "value") is None
    assert portable_source(lambda xp, y, raw_prediction: y, "value") is None


def test_source_that_changed_after_the_import_is_not_taken(tmp_path: Any) -> None:
    file = tmp_path / "changing.py"
    file.write_text("def value(xp, y, raw):\n    return raw - y\n")
    namespace: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), namespace)
    assert portable_source(namespace["value"], "value") is not None
    file.write_text("def value(xp, y, raw):\n    return raw + y\n")
    import linecache

    linecache.checkcache(str(file))
    assert portable_source(namespace["value"], "value") is None


def test_a_loss_without_source_is_fused_all_the_same() -> None:
    namespace: dict[str, Any] = {}
    text = "\n".join(
        [
            "def value(xp, y, raw): return xp.log(xp.cosh(raw - y))",
            "def gradient(xp, y, raw): return xp.tanh(raw - y)",
            "def curvature(xp, y, raw): return 1.0 - xp.tanh(raw - y) ** 2",
        ]
    )
    exec(text, namespace)
    formulas = [namespace[name] for name in ("value", "gradient", "curvature")]
    loss = PointwiseLoss("log_cosh", *formulas)
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(50, 3)), rng.normal(size=50), None, np.ones((3, 1)), np.zeros(1)
    assert NUMBA.kernels["loss_gradient"].accepts(*arguments, loss)
    fused = loss_gradient(*arguments, loss, backend=NUMBA)
    expected = loss_gradient(*arguments, loss, backend=NUMPY)
    np.testing.assert_allclose(fused.grad_W, expected.grad_W, rtol=1e-12)
    assert float(fused.loss) == pytest.approx(float(expected.loss), rel=1e-12)


def test_kernels_are_kept_on_disk_between_processes(tmp_path: Any) -> None:
    code = """
import logging
import numpy as np
from xpfit.backends import get_backend
from xpfit.core.losses import HALF_SQUARED_ERROR
from xpfit.core.passes import loss_gradient
logging.basicConfig(level=logging.INFO, format="%(message)s")
loss_gradient(np.ones((9, 2)), np.ones(9), None, np.ones((2, 1)), np.zeros(1),
              HALF_SQUARED_ERROR, backend=get_backend("numba"))
"""
    first = run_python(code, XPFIT_CACHE_DIR=str(tmp_path))
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("compiling the Numba kernel loss_gradient") == 1
    again = run_python(code, XPFIT_CACHE_DIR=str(tmp_path))
    assert again.returncode == 0, again.stderr
    assert "compiling" not in again.stderr


def test_an_unwritable_cache_folder_is_no_obstacle(tmp_path: Any) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("in the way")
    code = """
import numpy as np
from xpfit.backends import get_backend
from xpfit.core.losses import HALF_SQUARED_ERROR
from xpfit.core.passes import loss_gradient
sums = loss_gradient(np.ones((9, 2)), np.ones(9), None, np.ones((2, 1)), np.zeros(1),
                     HALF_SQUARED_ERROR, backend=get_backend("numba"))
print(float(sums.loss))
"""
    result = run_python(code, XPFIT_CACHE_DIR=str(blocked))
    assert result.stdout.strip() == "4.5", result.stderr


def test_the_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPFIT_CACHE_DIR", "somewhere")
    assert cache_folder().name == "somewhere"
    monkeypatch.delenv("XPFIT_CACHE_DIR")
    assert cache_folder().name == "xpfit"
    assert kernel_compile.cache_folder().is_absolute()


def test_a_pass_makes_no_copy_of_x() -> None:
    import tracemalloc

    X = np.ones((400_000, 10), dtype=np.float16)
    y, W, b = np.ones(400_000), np.ones((10, 1)), np.zeros(1)
    for order in (X, np.asfortranarray(X)):
        loss_gradient(order, y, None, W, b, HALF_BINOMIAL, backend=NUMBA)
        tracemalloc.start()
        loss_gradient(order, y, None, W, b, HALF_BINOMIAL, backend=NUMBA)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < X.nbytes / 10


def test_a_formula_that_cannot_be_compiled_is_explained() -> None:
    def misspelt(xp: Any, y: Any, raw_prediction: Any) -> Any:
        return xp.expp(raw_prediction)

    def loops(xp: Any, y: Any, raw_prediction: Any) -> Any:
        return sorted([raw_prediction])

    arguments = np.ones((4, 1)), np.zeros(4), None, np.ones((1, 1)), np.zeros(1)
    for formula, why in ((misspelt, "expp"), (loops, "")):
        loss = PointwiseLoss("mistaken", formula, plain, plain)
        with pytest.raises(KernelCompileError, match=f"loss_gradient\\[mistaken.*{why}.*numpy'"):
            loss_gradient(*arguments, loss, backend=NUMBA)


def test_a_number_around_a_formula_is_taken_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = PointwiseLoss("steep", plain, plain, plain)
    arguments = np.ones((4, 1)), np.zeros(4), None, np.ones((1, 1)), np.zeros(1)
    for steepness in (2.5, 7.0):
        monkeypatch.setitem(globals(), "STEEPNESS", steepness)
        sums = loss_gradient(*arguments, loss, backend=NUMBA)
        assert float(sums.loss) == pytest.approx(4.0 * steepness)
