"""Reads the source of a loss's formulas back: what every compiler of formulas starts from."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any


def definition_of(function: Callable[..., Any]) -> ast.FunctionDef | None:
    """The syntax tree of a plain `def`; None where there is none to be had, or not for sure.

    There is none for a lambda, a decorated function, one with default values, a callable object,
    a function typed into `exec`, and one whose file has changed since it was imported.
    """
    if not isinstance(function, FunctionType):
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef) or definition.decorator_list:
        return None
    if definition.args.defaults or definition.args.kw_defaults:
        return None
    return definition if _is_source_of(definition, function) else None


def _is_source_of(definition: ast.FunctionDef, function: FunctionType) -> bool:
    # The file may have changed since it was imported: then its text is that of another function.
    own = function.__code__
    code = _code_in(compile(ast.Module([definition], []), "<source>", "exec"))
    if own.co_freevars:
        # Names of a closure are reached in another way than globals: an outer function has them.
        outer = ast.parse(f"def outer({', '.join(own.co_freevars)}): pass")
        function_around = outer.body[0]
        assert isinstance(function_around, ast.FunctionDef)
        function_around.body = [definition]
        code = _code_in(_code_in(compile(outer, "<source>", "exec")))
    return (code.co_code, code.co_names, code.co_varnames) == (
        own.co_code,
        own.co_names,
        own.co_varnames,
    ) and [c for c in code.co_consts if isinstance(c, int | float)] == [
        c for c in own.co_consts if isinstance(c, int | float)
    ]


def _code_in(code: CodeType) -> CodeType:
    return next(constant for constant in code.co_consts if isinstance(constant, CodeType))


def names_around(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function takes from around it: its globals and its closure, by name."""
    variables = inspect.getclosurevars(function)
    return {**variables.globals, **variables.nonlocals}
