"""Trees of parameters, dtypes, compiling, errors: what all optimizers have in common."""

from __future__ import annotations

import dataclasses
import logging
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import assert_matches, python_output
from optimizer_cases import CASES

from xpfit.backends import Backend
from xpfit.core.optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Optimizer,
    RMSProp,
    apply_updates,
    get_optimizer,
    leaves,
    tree_map,
)
from xpfit.core.schedules import Cosine, OneCycle, WarmUp


class Layer(NamedTuple):
    W: Any
    b: Any


def nest(make: Any = np.asarray) -> Any:
    def ones(*shape):
        return make(np.ones(shape))

    return {
        "layers": [Layer(ones(3, 2), ones(2)), Layer(ones(2, 1), None)],
        "scale": (ones(), {}),
        "rest": OrderedDict(z=ones(4), a=ones(1)),
        "nothing": None,
    }


@pytest.mark.parametrize("name", CASES)
def test_a_nest_keeps_its_structure_and_no_argument_changes(name: str, backend: Backend) -> None:
    optimizer = CASES[name].optimizer
    params = nest(lambda x: backend.from_numpy(np.asarray(x)))
    grads = tree_map(lambda p: 2.0 * p, params)
    before = [backend.to_numpy(x).copy() for x in leaves((params, grads))]
    state = optimizer.init(params)
    updates, after = optimizer.update(grads, state, optimizer.lookahead(params, state))
    moved = apply_updates(params, updates)
    assert isinstance(moved["layers"][1], Layer)
    assert moved["layers"][1].b is None
    assert isinstance(moved["rest"], OrderedDict)
    assert [leaf.shape for leaf in leaves(moved)] == [leaf.shape for leaf in leaves(params)]
    for slot in (updates, *after.slots):
        tree_map(lambda a, b: None, params, slot)
    assert (state.step, after.step, len(after.slots)) == (0, 1, optimizer.n_slots)
    assert all(backend.to_numpy(x).min() < 1.0 for x in leaves(moved))
    for x, value in zip(leaves((params, grads)), before, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(x), value)
    for slot, value in zip(state.slots, optimizer.initial_slots, strict=True):
        assert all((backend.to_numpy(x) == value).all() for x in leaves(slot))


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32(name: str, backend: Backend) -> None:
    case = CASES[name]
    # Numbers of NumPy's own types would win over float32.
    rate = case.optimizer.learning_rate
    rate = rate if callable(rate) else np.float64(rate)
    optimizer = dataclasses.replace(case.optimizer, learning_rate=rate)
    params = {"w": backend.from_numpy(np.array([1.0, -2.0], np.float32))}
    state, update = optimizer.init(params), backend.jit(optimizer.update)
    for rate in (None, np.float64(0.1), 0.1):
        updates, state = update(params, state, params, rate)
        params = apply_updates(params, updates)
    for tree in (updates, params, *state.slots):
        assert_matches(
            tree["w"], backend.to_numpy(tree["w"]).astype(np.float32), backend=backend, rtol=0.0
        )


def test_float32_keeps_the_digits_of_one_minus_beta(backend: Backend) -> None:
    params = backend.from_numpy(np.ones(1, np.float32))
    optimizer = Adam(0.1)
    _, state = backend.jit(optimizer.update)(params, optimizer.init(params), params)
    np.testing.assert_allclose(backend.to_numpy(state.slots[1]), 1e-3, rtol=1e-7)


SCHEDULES = {
    "number": 0.1,
    "warm_up": WarmUp(3, Cosine(0.1, period=4, period_factor=2)),
    "one_cycle": OneCycle(0.1, total_steps=20, three_phase=True),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ["nesterov", "momentum-dampened", "rmsprop-centered", "adamw"])
def test_a_traced_state_takes_the_same_steps_and_compiles_once(
    name: str, schedule: str, jax_backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    import jax

    optimizer = dataclasses.replace(CASES[name].optimizer, learning_rate=SCHEDULES[schedule])
    start = {"w": np.array([1.0, -2.0]), "b": [np.array(0.5)]}
    update = jax.jit(optimizer.update)
    here, there = tree_map(jax_backend.from_numpy, start), start
    state, state_there = optimizer.init(here), optimizer.init(there)
    counts = []
    for _ in range(12):
        caplog.clear()
        with jax.log_compiles(), caplog.at_level(logging.WARNING, logger="jax"):
            updates, state = update(here, state, here)
        counts.append(sum("Compiling" in record.getMessage() for record in caplog.records))
        here = apply_updates(here, updates)
        updates, state_there = optimizer.update(there, state_there, there)
        there = apply_updates(there, updates)
    assert counts[0] > 0
    assert counts[1:] == [0] * 11
    assert int(state.step) == 12
    for a, b in zip(leaves(here), leaves(there), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_scan_carries_the_state(jax_backend: Backend) -> None:
    import jax

    optimizer = Adam(Cosine(0.1, period=5))
    start = {"w": jax_backend.from_numpy(np.array([1.0, -2.0], np.float32))}

    def one_step(carry, _):
        params, state = carry
        updates, state = optimizer.update(params, state, params)
        return (apply_updates(params, updates), state), None

    (params, state), _ = jax.lax.scan(one_step, (start, optimizer.init(start)), None, length=7)
    assert int(state.step) == 7
    assert params["w"].dtype == np.float32


def test_jax_in_its_32_bit_mode_takes_the_same_steps(jax_backend: Backend) -> None:
    code = """
import jax, numpy as np
from xpfit.core.optimizers import Adam, apply_updates
from xpfit.core.schedules import Cosine, WarmUp
assert not jax.config.jax_enable_x64
optimizer = Adam(WarmUp(5, Cosine(0.1, period=7, period_factor=3)))
update = jax.jit(optimizer.update)
here, there = jax.numpy.ones(3), np.ones(3, np.float32)
state, other = optimizer.init(here), optimizer.init(there)
for _ in range(50):
    updates, state = update(here, state, here)
    here = apply_updates(here, updates)
    updates, other = optimizer.update(there, other, there)
    there = apply_updates(there, updates)
print(here.dtype, float(abs(np.asarray(here) - there).max()) < 1e-5)
"""
    assert python_output(code, JAX_ENABLE_X64="") == "float32 True"


W = np.ones((3, 2))
PARAMS = {"W": W, "b": [np.ones(2)]}

MISFITS = [
    ({"W": W}, r"grads does not fit params: at params there is a dict with the keys 'W', 'b', at "),
    ({"W": W, "b": (np.ones(2),)}, r"at params\['b'\] there is a list of length 1, at grads\['b'"),
    ({"W": W, "b": []}, r"at grads\['b'\] a list of length 0"),
    ({"W": W, "b": None}, r"at grads\['b'\] None"),
    ({"W": [W], "b": [np.ones(2)]}, r"at params\['W'\] there is a leaf \(ndarray\)"),
    ({"W": W, "b": [np.ones(1)]}, r"grads\['b'\]\[0\] of shape \(1,\) for a parameter of \(2,\)"),
    ({"W": W.T, "b": [np.ones(2)]}, r"of shape \(2, 3\) for a parameter of \(3, 2\)"),
]


@pytest.mark.parametrize(("grads", "text"), MISFITS)
def test_gradients_that_do_not_fit_are_refused(grads: Any, text: str) -> None:
    optimizer = Adam()
    with pytest.raises(ValueError, match=text):
        optimizer.update(grads, optimizer.init(PARAMS), PARAMS)


def test_the_order_of_keys_does_not_matter() -> None:
    optimizer = SGD(1.0)
    params, grads = {"a": np.zeros(1), "b": np.zeros(2)}, {"b": np.full(2, 2.0), "a": np.ones(1)}
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    assert {key: x.tolist() for key, x in updates.items()} == {"a": [-1.0], "b": [-2.0, -2.0]}


def test_other_dtypes_libraries_and_states_are_refused(jax_backend: Backend) -> None:
    optimizer, state = Adam(), Adam().init(PARAMS)
    grads = {"W": W.astype(np.float32), "b": [np.ones(2)]}
    with pytest.raises(TypeError, match=r"grads\['W'\] of float32 for a parameter of float64"):
        optimizer.update(grads, state, PARAMS)
    grads = {"W": jax_backend.from_numpy(W), "b": [np.ones(2)]}
    with pytest.raises(TypeError, match=r"Adam was given params and grads of .*ArrayImpl, numpy"):
        optimizer.update(grads, state, PARAMS)
    with pytest.raises(ValueError, match=r"a state with 0 slots, but keeps 2: .* init\(params\)"):
        optimizer.update(PARAMS, SGD().init(PARAMS), PARAMS)
    with pytest.raises(ValueError, match=r"state\.slots\[0\] does not fit params"):
        optimizer.update(PARAMS, optimizer.init([W]), PARAMS)
    other = {"W": W, "b": [np.ones(1)]}
    with pytest.raises(ValueError, match=r"state\.slots\[0\]\['b'\]\[0\] of shape \(1,\) for"):
        optimizer.update(PARAMS, optimizer.init(other), PARAMS)
    lookahead = SGD(momentum=0.9, nesterov="lookahead")
    with pytest.raises(ValueError, match="a state with 0 slots, but keeps 1"):
        lookahead.lookahead(PARAMS, SGD().init(PARAMS))


def test_parameters_must_be_floating_arrays() -> None:
    with pytest.raises(TypeError, match=r"init\(\) was given params\['n'\], numpy.ndarray of int"):
        Adam().init({"n": np.arange(3)})
    with pytest.raises(TypeError, match=r"given params of builtins\.float.*asarray"):
        Adam().init({"w": 1.0})


@pytest.mark.parametrize("empty", [None, {}, [], {"a": [None]}])
def test_nothing_to_optimize_is_no_error(empty: Any) -> None:
    optimizer = Adam()
    updates, state = optimizer.update(empty, optimizer.init(empty), empty)
    assert updates == empty
    assert state.step == 1


WRONG = [
    (SGD, {"learning_rate": -0.1}, ValueError, r"SGD\(learning_rate=-0.1\).* a number >= 0"),
    (SGD, {"learning_rate": "fast"}, TypeError, r"SGD\(learning_rate='fast'\)"),
    (SGD, {"learning_rate": float("nan")}, ValueError, r"learning_rate must be a number >= 0"),
    (SGD, {"momentum": 1.0}, ValueError, r"SGD\(momentum=1.0\): .* a number in \[0, 1\)"),
    (SGD, {"nesterov": True}, ValueError, "nesterov and dampening need a momentum > 0"),
    (SGD, {"momentum": 0.9, "nesterov": "ahead"}, ValueError, "one of False, True, 'lookahead'"),
    (SGD, {"momentum": 0.9, "nesterov": 1}, ValueError, "one of False, True, 'lookahead'"),
    (SGD, {"momentum": 0.9, "momentum_form": "mean"}, ValueError, "'accumulated', 'average'"),
    (SGD, {"momentum": 0.9, "nesterov": True, "dampening": 0.1}, ValueError, "without nesterov"),
    (SGD, {"weight_decay": -1}, ValueError, r"weight_decay must be a number >= 0"),
    (AdaGrad, {"epsilon": -1e-8}, ValueError, r"AdaGrad\(epsilon=-1e-08\)"),
    (AdaGrad, {"initial_accumulator": -1.0}, ValueError, "initial_accumulator must be"),
    (RMSProp, {"beta2": 1.0}, ValueError, r"RMSProp\(beta2=1.0\)"),
    (RMSProp, {"centered": "yes"}, ValueError, "one of False, True"),
    (Adam, {"beta1": -0.1}, ValueError, r"Adam\(beta1=-0.1\): beta1 must be .* \[0, 1\)"),
    (Adam, {"epsilon_inside_root": 1}, ValueError, "one of False, True"),
    (AdamW, {"weight_decay": None}, TypeError, r"AdamW\(weight_decay=None\)"),
]


@pytest.mark.parametrize(("kind", "options", "error", "text"), WRONG)
def test_options_out_of_range_are_refused(
    kind: Any, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        kind(**options)


def test_optimizers_are_found_by_name() -> None:
    assert get_optimizer("adam", learning_rate=0.5) == Adam(0.5)
    assert get_optimizer("sgd", momentum=0.9) == SGD(momentum=0.9)
    made = AdamW()
    assert get_optimizer(made) is made
    kinds = ("sgd", "adagrad", "rmsprop", "adam", "adamw")
    assert all(isinstance(get_optimizer(kind), Optimizer) for kind in kinds)


def test_the_error_for_a_name_says_what_was_asked_by_whom_why_not_and_what_to_do() -> None:
    with pytest.raises(ValueError, match="unknown") as caught:
        get_optimizer("adm", source="optimizer= of MLP")
    assert str(caught.value) == (
        "unknown optimizer 'adm' (from optimizer= of MLP): there is none of that name. "
        "Known: sgd, adagrad, rmsprop, adam, adamw. Did you mean 'adam'? "
        "Give one of these names, or an Optimizer."
    )
    with pytest.raises(TypeError, match=r"'adam' .* has no option betas\. Its options are: learn"):
        get_optimizer("adam", betas=(0.9, 0.99))
    with pytest.raises(TypeError, match="together with learning_rate"):
        get_optimizer(Adam(), learning_rate=0.1)
    with pytest.raises(TypeError, match="no optimizer, and no name of one"):
        get_optimizer(3)  # type: ignore[arg-type]
    # Errors of values pass as they are.
    with pytest.raises(TypeError, match=r"Adam\(beta1='a'\)"):
        get_optimizer("adam", beta1="a")
