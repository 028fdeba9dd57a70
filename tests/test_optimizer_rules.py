"""The same source for all: each rule compiled one number at a time by Numba, and translated to
CUDA C++."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optimizer_cases import CASES

from xpfit.backends.cupy_kernels.formula import translate
from xpfit.core.optimizers.rule import Rule

RULES = {case.optimizer.rule.__name__: case for case in CASES.values()}


def compiled_loop(rule: Rule, n_slots: int, n_scalars: int) -> Any:
    """`run(gradient, parameter, slots, scalars, update)`: the rule on one number after the other,
    slots replaced in place."""
    from numba import njit

    from xpfit.backends.numba_kernels.scalar import scalar_namespace

    slots = [f"slots[{k}, i]" for k in range(n_slots)]
    numbers = [f"scalars[{k}]" for k in range(n_scalars)]
    arguments = ", ".join(["xp", "gradient[i]", "parameter[i]", *slots, *numbers])
    source = textwrap.dedent(f"""
        def run(gradient, parameter, slots, scalars, update):
            xp = scalar_namespace()
            for i in range(gradient.size):
                {", ".join(["update[i]", *slots])}, = rule({arguments})
    """)
    around = {"rule": njit(error_model="numpy")(rule), "scalar_namespace": scalar_namespace}
    exec(source, around)
    return njit(error_model="numpy")(around["run"])


@pytest.mark.parametrize("name", RULES)
def test_numba_compiles_the_rule_one_number_at_a_time(name: str) -> None:
    optimizer = RULES[name].optimizer
    rng = np.random.default_rng(0)
    params, state = rng.normal(size=50), optimizer.init(np.zeros(50))
    slots = np.tile(np.array(optimizer.initial_slots)[:, None], (1, 50))
    run = compiled_loop(optimizer.rule, optimizer.n_slots, len(optimizer.scalars(1, 0.1)))
    for step in range(3):
        grads, update = rng.normal(size=50), np.empty(50)
        expected, state = optimizer.update(grads, state, params, learning_rate=0.1)
        scalars = np.array(optimizer.scalars(step + 1, 0.1), dtype=np.float64)
        run(grads, params, slots, scalars, update)
        np.testing.assert_allclose(update, expected, rtol=1e-13, atol=1e-15)
        for mine, theirs in zip(slots, state.slots, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-15)
        params = params + update


def _uses(rule: Rule) -> set[str]:
    """Names of the namespace's functions that a rule calls."""
    tree = ast.parse(inspect.getsource(rule))
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if ast.unparse(node.value) == "xp"}


def one_function_for_each_result(rule: Rule, folder: Path) -> list[Any]:
    """The rule cut up, from a file: the translator makes functions of one result."""
    definition = ast.parse(inspect.getsource(rule)).body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.returns = None
    for argument in definition.args.args:
        argument.annotation = None
    last = definition.body[-1]
    assert isinstance(last, ast.Return)
    assert isinstance(last.value, ast.Tuple)
    texts = []
    for k, result in enumerate(last.value.elts):
        definition.name, definition.body[-1] = f"result_{k}", ast.Return(result)
        texts.append(ast.unparse(ast.fix_missing_locations(definition)))
    path = folder / f"{rule.__name__}_in_parts.py"
    path.write_text("\n\n".join(texts), "utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [getattr(module, f"result_{k}") for k in range(len(texts))]


@pytest.mark.parametrize("name", RULES)
def test_the_rule_translates_to_cuda(name: str, tmp_path: Path) -> None:
    optimizer = RULES[name].optimizer
    parts = one_function_for_each_result(optimizer.rule, tmp_path)
    assert len(parts) == 1 + optimizer.n_slots
    for part in parts:
        assert f"T {part.__name__}(T " in translate(part, part.__name__, name)


@pytest.mark.parametrize("name", RULES)
def test_the_rule_is_plain(name: str) -> None:
    rule = RULES[name].optimizer.rule
    definition = ast.parse(inspect.getsource(rule)).body[0]
    assert isinstance(definition, ast.FunctionDef)
    assert not definition.decorator_list
    assert not definition.args.defaults
    kinds = (ast.If, ast.IfExp, ast.For, ast.While, ast.AugAssign, ast.Subscript)
    nodes = [node for statement in definition.body for node in ast.walk(statement)]
    assert not [node for node in nodes if isinstance(node, kinds)]
    assert _uses(rule) <= {"sqrt", "where", "maximum"}
    # The slots and the scalars are all of the arguments.
    optimizer = RULES[name].optimizer
    n_arguments = len(definition.args.args)
    assert n_arguments == 3 + optimizer.n_slots + len(optimizer.scalars(1, 0.1))
