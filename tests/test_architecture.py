"""The rules of the house, read off the source with ``ast``; each rule is tested on a planted bug.

A rule is a function from a parsed module to lines of complaint. docs/architecture.md gives the
reasons; this file makes them hold.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

# layer -> the layers that it may import, itself aside. cli starts bench, which may use anything.
ALLOWED = {
    "backends": set(),
    "core": {"backends"},
    "data": {"core", "backends"},
    "estimators": {"data", "core", "backends"},
    "cli": {"estimators", "data", "core", "backends", "bench"},
    "bench": {"cli", "estimators", "data", "core", "backends"},
}
BACKEND_NAMES = {"numpy", "numba", "cupy", "jax", "array-api-strict", "array_api_strict"}
SKLEARN_ROOMS = {"estimators", "cli", "bench"}
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
FOREIGN_NAMES = {"numpy", "jax", "cupy", "numba", "scipy", "sklearn", "dask", "torch", "typing"}
FILE_LINES, FUNCTION_LINES = 300, 60
SIZE_EXCUSE = re.compile(r"\blonger\s+than\b")


class Module(NamedTuple):
    """One source file: where it lies below the root, and its syntax tree."""

    path: str  # "core/solvers/lbfgs.py"
    text: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        return self.path.partition("/")[0] if "/" in self.path else ""

    @property
    def is_test(self) -> bool:
        # pytest imports test files under names of its own, so those import xpfit absolutely.
        return Path(self.path).name.startswith(("test_", "conftest"))


def parse(path: str, text: str) -> Module:
    return Module(path, text, ast.parse(text, filename=path))


def imports(module: Module) -> Iterator[tuple[int, int, str]]:
    """Yield (line, level, dotted name) of every import, ``import_module("...")`` included."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, 0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = f"{node.module}." if node.module else ""
            yield from ((node.lineno, node.level, prefix + alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            function, name = ast.unparse(node.func), node.args[0]
            called = function.rpartition(".")[2] in {"import_module", "__import__"}
            if called and isinstance(name, ast.Constant) and isinstance(name.value, str):
                stripped = name.value.lstrip(".")
                yield node.lineno, len(name.value) - len(stripped), stripped


def imports_run_one_way(module: Module) -> Iterator[str]:
    if module.layer not in ALLOWED:
        return
    depth = module.path.count("/")  # dots that reach the root package: depth + 1
    for line, level, name in imports(module):
        parts = name.split(".")
        if level == 0 and parts[0] == "xpfit":
            parts = parts[1:] or [""]
        elif level != depth + 1:
            continue
        target = parts[0]
        if target in ALLOWED:
            wrong = target != module.layer and target not in ALLOWED[module.layer]
        else:  # the root package itself, e.g. its version
            wrong = module.layer == "backends"
        if wrong:
            yield f"{module.path}:{line}: {module.layer} imports {target or 'xpfit'}"


def imports_are_relative(module: Module) -> Iterator[str]:
    if module.is_test:
        return
    for line, level, name in imports(module):
        if level == 0 and name.partition(".")[0] in {"xpfit", *ALLOWED}:
            yield f"{module.path}:{line}: absolute import of {name}"


def _strings(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return set().union(*map(_strings, node.elts))
    if isinstance(node, ast.MatchOr):
        return set().union(*map(_strings, node.patterns))
    return _strings(node.value) if isinstance(node, ast.MatchValue) else set()


def _names_a_backend(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in {"name", "__name__", "__module__"} or "backend" in node.attr
    return isinstance(node, ast.Name) and "backend" in node.id


def no_backend_name_is_compared(module: Module) -> Iterator[str]:
    if module.layer == "backends":
        return
    for node in ast.walk(module.tree):
        sides: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            sides = [node.subject, *(case.pattern for case in node.cases)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if re.fullmatch(r"is_(numpy|cupy|jax)_(array|namespace)", node.func.attr):
                yield f"{module.path}:{node.lineno}: asks {node.func.attr}()"
            if node.func.attr in {"startswith", "endswith"}:
                sides = [node.func.value, *node.args]
        strings = set().union(*map(_strings, sides)) if sides else set()
        known = {name for name in strings if name.partition(".")[0] in BACKEND_NAMES}
        if known and any(map(_names_a_backend, sides)):
            yield f"{module.path}:{node.lineno}: compares a backend's name with {sorted(known)}"


def sklearn_stays_in_its_rooms(module: Module) -> Iterator[str]:
    for line, level, name in imports(module):
        if level == 0 and name.partition(".")[0] == "sklearn" and module.layer not in SKLEARN_ROOMS:
            yield f"{module.path}:{line}: imports {name}"


def nothing_is_unpickled(module: Module) -> Iterator[str]:
    for line, level, name in imports(module):
        if level == 0 and name.partition(".")[0] in UNPICKLERS:
            yield f"{module.path}:{line}: imports {name}"
    for node in ast.walk(module.tree):
        allows = isinstance(node, ast.keyword) and node.arg == "allow_pickle"
        if allows and ast.unparse(node.value) != "False":
            yield f"{module.path}:{node.value.lineno}: allow_pickle"


def nothing_prints(module: Module) -> Iterator[str]:
    if module.layer == "cli":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            yield f"{module.path}:{node.lineno}: print()"


def no_module_shadows_a_library(module: Module) -> Iterator[str]:
    if Path(module.path).stem in FOREIGN_NAMES:
        yield f"{module.path}: named like a library"


def files_and_functions_are_short(module: Module) -> Iterator[str]:
    if SIZE_EXCUSE.search(ast.get_docstring(module.tree) or ""):
        return
    if (lines := module.text.count("\n")) > FILE_LINES:
        yield f"{module.path}: {lines} lines, and the docstring does not say why"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The docstring is free: a formula and its references must not cost code.
            start = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
            if (lines := node.end_lineno - start + 1) > FUNCTION_LINES:
                yield f"{module.path}:{node.lineno}: {node.name} has {lines} lines of code"


RULES: list[Callable[[Module], Iterator[str]]] = [
    imports_run_one_way,
    imports_are_relative,
    no_backend_name_is_compared,
    sklearn_stays_in_its_rooms,
    nothing_is_unpickled,
    nothing_prints,
    no_module_shadows_a_library,
    files_and_functions_are_short,
]


def package_modules() -> list[Module]:
    paths = [ROOT / "__init__.py", *(p for layer in ALLOWED for p in (ROOT / layer).rglob("*.py"))]
    return [parse(p.relative_to(ROOT).as_posix(), p.read_text("utf-8")) for p in sorted(paths)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Callable[[Module], Iterator[str]]) -> None:
    modules = package_modules()
    assert len(modules) > len(ALLOWED)
    assert [line for module in modules for line in rule(module)] == []


def test_test_and_tool_files_are_short() -> None:
    paths = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "ci").glob("*.py")]
    modules = [parse(p.relative_to(ROOT).as_posix(), p.read_text("utf-8")) for p in paths]
    assert [line for module in modules for line in files_and_functions_are_short(module)] == []


LONG = "def f():\n" + "    x = 1\n" * 61

PLANTED = [
    (imports_run_one_way, "core/a.py", "from ..estimators import Ridge"),
    (imports_run_one_way, "core/a.py", "from .. import data"),
    (imports_run_one_way, "core/a.py", "def f():\n    from ..cli.main import main"),
    (imports_run_one_way, "core/solvers/a.py", "from ...data.blocks import rows"),
    (imports_run_one_way, "core/a.py", "import_module('..estimators', __package__)"),
    (imports_run_one_way, "data/a.py", "import xpfit.estimators"),
    (imports_run_one_way, "estimators/a.py", "from ..bench import loops"),
    (imports_run_one_way, "backends/a.py", "from ..core import losses"),
    (imports_run_one_way, "backends/a.py", "from .. import __version__"),
    (imports_are_relative, "core/a.py", "from xpfit.core import losses"),
    (imports_are_relative, "core/a.py", "import backends.registry"),
    (no_backend_name_is_compared, "core/a.py", "if backend.name == 'numba': pass"),
    (no_backend_name_is_compared, "core/a.py", "if 'jax' != backend: pass"),
    (no_backend_name_is_compared, "core/a.py", "if self.backend_ in ('cupy', 'jax'): pass"),
    (no_backend_name_is_compared, "core/a.py", "if xp.__name__ == 'jax.numpy': pass"),
    (no_backend_name_is_compared, "core/a.py", "xp.__name__.startswith('cupy')"),
    (no_backend_name_is_compared, "core/a.py", "compat.is_jax_array(x)"),
    (no_backend_name_is_compared, "cli/a.py", "match b.name:\n    case 'jax' | 'cupy': pass"),
    (sklearn_stays_in_its_rooms, "core/a.py", "from sklearn.utils import check_array"),
    (sklearn_stays_in_its_rooms, "__init__.py", "import sklearn"),
    (nothing_is_unpickled, "data/a.py", "import pickle"),
    (nothing_is_unpickled, "data/a.py", "np.load(path, allow_pickle=True)"),
    (nothing_prints, "core/a.py", "print('fitting')"),
    (no_module_shadows_a_library, "backends/jax.py", ""),
    (files_and_functions_are_short, "core/a.py", "x = 1\n" * 301),
    (files_and_functions_are_short, "core/a.py", LONG),
]


@pytest.mark.parametrize(("rule", "path", "source"), PLANTED)
def test_a_planted_bug_is_found(rule: Callable, path: str, source: str) -> None:
    assert list(rule(parse(path, source)))


def test_every_rule_has_a_planted_bug() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


INNOCENT = [
    ("core/a.py", "from ..backends import get_backend\nfrom .losses import f\n"),
    ("core/solvers/a.py", "from ..losses import f\nfrom ...backends import record\n"),
    ("core/a.py", "if solver == 'numpy' or backend == 'auto': pass\n"),
    ("backends/a.py", "if name == 'jax' or backend.name == 'cupy': pass\n"),
    ("estimators/a.py", "from sklearn.base import BaseEstimator\nfrom .. import __version__\n"),
    ("bench/test_a.py", "from xpfit.estimators import Ridge\n"),
    ("cli/a.py", "print('x')\nnp.load(path, allow_pickle=False)\n"),
    ("core/a.py", '"""One table, longer than 300 lines, because."""\n' + LONG),
    ("core/a.py", 'def f():\n    """One.\n' + "\n    more\n" * 40 + '    """\n    return 1\n'),
]


@pytest.mark.parametrize(("path", "source"), INNOCENT)
def test_what_is_right_is_left_alone(path: str, source: str) -> None:
    module = parse(path, source)
    assert [line for rule in RULES for line in rule(module)] == []
