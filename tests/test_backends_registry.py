"""Which backend is chosen, by whom, and what is said when it cannot be."""

from __future__ import annotations

import contextlib
import dataclasses
import threading

import numpy as np
import pytest
from helpers import python_output

from xpfit.backends import (
    BackendUnavailableError,
    FusedKernel,
    MixedBackendError,
    UnknownBackendError,
    available_backends,
    backend_of,
    default_name,
    describe_array,
    fused_enabled,
    get_backend,
    resolve_backend,
    use_backend,
    use_fused,
)
from xpfit.core.dispatch import run_kernel

HOST_ARRAY = np.zeros((2, 2))
# (argument, arrays, context, environment) -> name, or the error and a piece of its text.
PRECEDENCE = [
    (None, None, None, None, "numpy"),
    (None, None, None, "numba", "numba"),
    (None, None, None, "jax", "jax"),
    (None, None, "jax", "numba", "jax"),
    (None, None, "numpy", "numba", "numpy"),
    ("numpy", None, "jax", "numba", "numpy"),
    ("jax", None, "numba", None, "jax"),
    (None, "host", None, None, "numpy"),
    (None, "host", None, "numba", "numba"),
    (None, "host", "numba", None, "numba"),
    (None, "host", "jax", None, "numpy"),
    (None, "host", None, "jax", "numpy"),
    (None, "host", "numpy", "numba", "numpy"),
    ("numba", "host", "numpy", None, "numba"),
    ("numpy", "host", "numba", "jax", "numpy"),
    ("jax", "host", None, None, MixedBackendError),
    (None, "jax", None, None, "jax"),
    (None, "jax", "numba", "numpy", "jax"),
    ("jax", "jax", "numba", None, "jax"),
    ("numpy", "jax", None, None, MixedBackendError),
    ("numba", "jax", "jax", "jax", MixedBackendError),
    (None, "both", None, None, MixedBackendError),
    ("jax", "both", "jax", None, MixedBackendError),
    ("numpy", "both", None, "numpy", MixedBackendError),
]


@pytest.mark.parametrize(("argument", "arrays", "context", "environment", "expected"), PRECEDENCE)
def test_precedence(argument, arrays, context, environment, expected, monkeypatch, jax_backend):
    given = {
        None: (),
        "host": (HOST_ARRAY, None),
        "jax": (jax_backend.from_numpy(HOST_ARRAY), None),
        "both": (jax_backend.from_numpy(HOST_ARRAY), HOST_ARRAY),
    }[arrays]
    if environment:
        monkeypatch.setenv("XPFIT_BACKEND", environment)
    with use_backend(context) if context else contextlib.nullcontext():
        if isinstance(expected, str):
            assert resolve_backend(argument, *given).name == expected
        else:
            with pytest.raises(expected):
                resolve_backend(argument, *given)


UNKNOWN = "unknown backend {!r} (from {}). Known: numpy, numba, cupy, jax."


@pytest.mark.parametrize("arrays", [(), (HOST_ARRAY,)], ids=["no-arrays", "arrays"])
def test_a_misspelt_name_is_an_error_wherever_it_comes_from(arrays, monkeypatch) -> None:
    with pytest.raises(UnknownBackendError) as raised:
        resolve_backend("cuppy", *arrays, who="Ridge")
    hint = " Did you mean 'cupy'?"
    assert str(raised.value) == UNKNOWN.format("cuppy", "backend= in Ridge") + hint
    with pytest.raises(UnknownBackendError) as raised, use_backend("Jaxx"):
        pass
    assert str(raised.value) == UNKNOWN.format("Jaxx", "use_backend()") + " Did you mean 'jax'?"
    monkeypatch.setenv("XPFIT_BACKEND", "nunpy")
    # Even where an argument or the arrays would have decided.
    for argument in (None, "numpy"):
        with pytest.raises(UnknownBackendError) as raised:
            resolve_backend(argument, *arrays)
        source = "environment variable XPFIT_BACKEND"
        assert str(raised.value) == UNKNOWN.format("nunpy", source) + " Did you mean 'numpy'?"


def test_a_name_like_no_other_gets_no_hint() -> None:
    with pytest.raises(UnknownBackendError) as raised:
        get_backend("tensorflow-gpu")
    assert str(raised.value) == UNKNOWN.format("tensorflow-gpu", "get_backend()")
    with pytest.raises(ValueError, match="unknown backend None"):
        get_backend(None)


def test_arrays_that_contradict_an_argument(jax_backend) -> None:
    with pytest.raises(MixedBackendError) as raised:
        resolve_backend("jax", None, HOST_ARRAY, who="Ridge")
    assert str(raised.value) == (
        "backend 'jax' (from backend= in Ridge) was asked for, but the data are "
        "numpy.ndarray of float64 (cpu), which belong to backend 'numpy'; data are never moved "
        "between devices unasked. Leave backend= out, or convert the arrays first."
    )
    with pytest.raises(MixedBackendError, match=r"'numpy' .* belong to backend 'jax'"):
        resolve_backend("numpy", jax_backend.from_numpy(HOST_ARRAY))
    # A record is a demand as much as a name is.
    with pytest.raises(MixedBackendError, match="belong to backend 'numpy'"):
        resolve_backend(jax_backend, HOST_ARRAY)
    assert resolve_backend(jax_backend) is jax_backend


def test_a_record_of_ones_own_is_taken_at_its_word() -> None:
    mine = dataclasses.replace(get_backend("numpy"), name="mine")
    assert resolve_backend(mine, HOST_ARRAY) is mine


def test_arrays_of_two_libraries(jax_backend) -> None:
    on_jax = jax_backend.from_numpy(np.zeros(3, np.float32))
    with pytest.raises(MixedBackendError) as raised:
        backend_of(on_jax, HOST_ARRAY, who="Ridge.fit")
    assert str(raised.value) == (
        "inputs of Ridge.fit come from different libraries or devices: "
        f"{describe_array(on_jax)}; numpy.ndarray of float64 (cpu). "
        "Move them to one, with its asarray: y = cupy.asarray(y), y = jax.numpy.asarray(y)."
    )
    assert "float32 (cpu)" in describe_array(on_jax)
    assert backend_of(on_jax, None, on_jax) == "jax"
    assert backend_of(HOST_ARRAY, None) is None
    assert backend_of(None, None) is None


def test_no_arrays_at_all_is_not_a_contradiction(jax_backend) -> None:
    assert resolve_backend("jax", None, None) is jax_backend
    with use_backend("jax"):
        assert resolve_backend(None, None) is jax_backend


def test_an_unavailable_backend_says_who_asked_why_and_what_to_do() -> None:
    printed = python_output(
        """
import sys, os
sys.modules["cupy"] = None
from xpfit.backends import get_backend, resolve_backend, use_backend, available_backends
usable = [status.name for status in available_backends() if status.available]
def said(action):
    try:
        action()
    except ImportError as problem:
        assert isinstance(problem.__cause__, ModuleNotFoundError), problem.__cause__
        return type(problem).__name__, str(problem)
expected = ("BackendUnavailableError", "backend 'cupy' (from SOURCE) is not installed: no module "
    "named 'cupy'. Install it with: pip install 'xpfit[cupy-cuda12]' (CUDA 12) or pip install "
    "'xpfit[cupy-cuda13]' (CUDA 13). Usable here: " + ", ".join(usable) + ". No fallback is made.")
for action, source in (
    (lambda: resolve_backend("cupy", who="Ridge"), "backend= in Ridge"),
    (lambda: get_backend("cupy"), "get_backend()"),
    (lambda: use_backend("cupy").__enter__(), "use_backend()"),
):
    assert said(action) == (expected[0], expected[1].replace("SOURCE", source)), said(action)
import numpy
os.environ["XPFIT_BACKEND"] = "cupy"
text = expected[1].replace("SOURCE", "environment variable XPFIT_BACKEND")
assert said(lambda: resolve_backend(None, numpy.zeros(3)))[1] == text
print("numpy" in usable and "cupy" not in usable)
"""
    )
    assert printed == "True"


def test_the_context_ends_with_its_block(monkeypatch) -> None:
    monkeypatch.setenv("XPFIT_BACKEND", "numba")
    assert default_name() == ("numba", "environment variable XPFIT_BACKEND")
    with pytest.raises(ZeroDivisionError), use_backend("numpy"):  # noqa: PT012
        assert default_name() == ("numpy", "use_backend()")
        with use_backend("numba"), use_fused(False):
            assert default_name() == ("numba", "use_backend()")
            assert not fused_enabled()
        assert default_name() == ("numpy", "use_backend()")
        raise ZeroDivisionError
    assert default_name() == ("numba", "environment variable XPFIT_BACKEND")
    monkeypatch.delenv("XPFIT_BACKEND")
    assert default_name() == (None, "default")
    with pytest.raises(ZeroDivisionError), use_fused(False):
        raise ZeroDivisionError
    assert fused_enabled()


def test_a_context_is_of_one_thread() -> None:
    entered, done = threading.Event(), threading.Event()
    seen = {}

    def other():
        with use_backend("numba"), use_fused(False):
            entered.set()
            done.wait(10)
            seen["other"] = (resolve_backend().name, fused_enabled())

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    seen["this"] = (resolve_backend().name, fused_enabled())
    done.set()
    thread.join(10)
    assert seen == {"this": ("numpy", True), "other": ("numba", False)}


@pytest.mark.parametrize(
    ("text", "enabled"),
    [
        *((text, True) for text in ("1", "true", " ON ", "yes", "")),
        *((text, False) for text in ("0", "False", "no", "off")),
    ],
)
def test_fused_from_the_environment(text: str, enabled: bool, monkeypatch) -> None:
    monkeypatch.setenv("XPFIT_FUSED", text)
    assert fused_enabled() is enabled
    assert fused_enabled(not enabled) is not enabled
    with use_fused(not enabled):
        assert fused_enabled() is not enabled
        assert fused_enabled(enabled) is enabled


def test_a_bad_word_in_the_environment_is_an_error(monkeypatch) -> None:
    monkeypatch.setenv("XPFIT_FUSED", "Maybe")
    with pytest.raises(ValueError, match="XPFIT_FUSED") as raised:
        fused_enabled()
    assert str(raised.value) == (
        "XPFIT_FUSED='maybe' (environment variable) is neither on nor off. "
        "Set it to 1 (fused kernels, the default) or 0 (generic kernels)."
    )
    assert fused_enabled(True)


def test_the_dispatcher_asks_before_it_calls_a_fused_kernel(monkeypatch) -> None:
    def generic(x, *, backend):
        return "generic"

    kernels = {"double": FusedKernel(lambda x: "fused", lambda x: x > 0)}
    backend = dataclasses.replace(get_backend("numpy"), kernels=kernels)
    assert run_kernel(backend, "double", generic, 1) == "fused"
    assert run_kernel(backend, "double", generic, -1) == "generic"
    assert run_kernel(backend, "other", generic, 1) == "generic"
    assert run_kernel(backend, "double", generic, 1, fused=False) == "generic"
    with use_fused(False):
        assert run_kernel(backend, "double", generic, 1) == "generic"
    monkeypatch.setenv("XPFIT_FUSED", "0")
    assert run_kernel(backend, "double", generic, 1) == "generic"
    assert run_kernel(backend, "double", generic, 1, fused=True) == "fused"


def test_available_backends_lists_every_one_with_a_version_or_a_reason() -> None:
    found = available_backends()
    assert [status.name for status in found] == ["numpy", "numba", "cupy", "jax"]
    assert found[0] == ("numpy", True, np.__version__, ("cpu",), None)
    for status in found:
        if status.available:
            assert status.version
            assert status.devices
            assert status.reason is None
        else:
            assert (status.version, status.devices) == (None, ())
            assert status.reason.endswith(".")
            with pytest.raises(BackendUnavailableError):
                get_backend(status.name)
