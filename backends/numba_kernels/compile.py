"""Makes the compiled passes of a loss: a module per loss and layout, kept on disk.

Numba keeps compiled code on disk for functions that stand in a file and reach other compiled
functions as module globals. So the template `pointwise_passes.py` is copied to a file whose
imports bind the formulas of one loss and the products of one layout. The file's name holds a hash
of all that went into it; a changed formula is another file. The same goes for a user's own loss,
as long as its source can be read and uses nothing but its arguments and numbers; otherwise it is
compiled in each process.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numba
from numba import njit
from numba.core import event
from numba.core.errors import NumbaError

from ..cache import cache_folder
from ..constants import NORM_FLOOR
from ..errors import not_compilable
from ..formula_source import definition_of, names_around

logger = logging.getLogger("xpfit")

FORMULAS = ("value", "gradient", "curvature")
_HERE = Path(__file__).parent
_PACKAGE = __package__ or "xpfit.backends.numba_kernels"
_OPTIONS = 'error_model="numpy", fastmath={"contract"}, forceinline=True'


def portable_source(function: Callable[..., Any], name: str) -> str | None:
    """Source of a formula, renamed to `name`, if it stands on its own; None if it does not.

    It does if it is a plain `def` without decorators or defaults that uses its arguments, numbers
    from around it, and nothing else.
    """
    definition = definition_of(function)
    if definition is None:
        return None
    definition.name = name
    definition.returns = None
    for argument in definition.args.args:
        argument.annotation = None
    outside = names_around(function)
    if not all(isinstance(number, int | float) for number in outside.values()):
        return None
    # Names of their own: formulas from several modules may mean different numbers by one name.
    own = {key: f"_{name}_{key}" for key in outside}
    for node in ast.walk(definition):
        if isinstance(node, ast.Name) and node.id in own:
            node.id = own[node.id]
    numbers = [f"{own[key]} = float({str(float(x))!r})" for key, x in outside.items()]
    return "\n".join([*numbers, "", f"@njit({_OPTIONS})", ast.unparse(definition), "", ""])


def _write_once(path: Path, text: str) -> bool:
    """Write a file unless it is there with this text. False where the folder cannot be written."""
    try:
        if path.exists() and path.read_bytes() == text.encode():
            return True
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError:
        return False
    return True


@functools.cache
def _library_hash() -> str:
    # All kernel files: compiled code of one is inlined into the others' cache.
    digest = hashlib.sha256(f"{numba.__version__} {sys.version} {NORM_FLOOR}".encode())
    for path in sorted(_HERE.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _absolute(template: str) -> str:
    return template.replace("from .", f"from {_PACKAGE}.")


def _load(name: str, text: str, bound: dict[str, Any] | None = None) -> ModuleType:
    """The module made of `text`: from a file in the cache folder where it can be written."""
    digest = hashlib.sha256((_library_hash() + text).encode()).hexdigest()[:20]
    module_name = f"xpfit_generated_{name}_{digest}"
    path = cache_folder() / f"{module_name}.py"
    if bound is None and _write_once(path, text):
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module  # numba's cache unpickles by module name
        spec.loader.exec_module(module)
        return module
    # No place on disk, or formulas without source: same text, compiled in this process only.
    module = sys.modules[module_name] = ModuleType(module_name)
    module.__dict__.update(bound or {})
    in_memory = text.replace(", cache=True", "")
    exec(compile(in_memory, f"<{module_name}>", "exec"), module.__dict__)
    return module


@functools.lru_cache(maxsize=64)
def pointwise_passes(
    name: str,
    formulas: tuple[Callable[..., Any], ...],
    layout: str,
    captured_numbers: tuple[float, ...],
    template_name: str = "pointwise_passes",
) -> ModuleType:
    """The module of fused passes of one loss for one layout of X.

    Parameters
    ----------
    name : str
        Name of the loss; for people, it stands in the file's name.
    formulas : tuple (value, gradient, curvature)
    layout : {"c", "f", "csr"}
    captured_numbers : tuple of float
        What the formulas take from around them. Not used here but as a key: after a change of one
        the module is made anew.
    template_name : str
        The file with the passes.
    """
    template = (_HERE / f"{template_name}.py").read_text(encoding="utf-8")
    sources = [portable_source(f, key) for f, key in zip(formulas, FORMULAS, strict=True)]
    template = template.replace("from .rows_c import", f"from .rows_{layout} import")
    binding = "from .template_loss import curvature, gradient, value\n"
    assert binding in template
    safe_name = "".join(letter if letter.isalnum() else "_" for letter in name)
    if template_name != "pointwise_passes":
        safe_name = f"{template_name}_{safe_name}"
    if any(source is None for source in sources):
        options = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}
        bound = {key: njit(**options)(f) for f, key in zip(formulas, FORMULAS, strict=True)}
        return _load(f"{safe_name}_{layout}", _absolute(template.replace(binding, "")), bound)
    text = template.replace(binding, "\n\n" + "\n".join(source or "" for source in sources))
    return _load(f"{safe_name}_{layout}", _absolute(text))


@functools.cache
def plain_passes(template_name: str, layout: str) -> ModuleType:
    """The module of passes that need no loss, or only a built-in one, for one layout of X."""
    template = (_HERE / f"{template_name}.py").read_text(encoding="utf-8")
    text = template.replace("from .rows_c import", f"from .rows_{layout} import")
    return _load(f"{template_name}_{layout}", _absolute(text))


def graph_module(text: str) -> ModuleType:
    """The module of a static graph's source."""
    return _load("graph", _absolute(text))


@functools.lru_cache(maxsize=64)
def epoch_module(
    name: str,
    formulas: tuple[Callable[..., Any], ...],
    rule: Callable[..., Any],
    n_slots: int,
    n_scalars: int,
    layout: str,
    captured_numbers: tuple[float, ...],
    template_name: str = "",
) -> ModuleType:
    """The module of mini-batch epochs of one loss and one optimizer for one layout of X.

    Parameters
    ----------
    name : str
        For people, it stands in the file's name.
    formulas : tuple (value, gradient), or () for the half multinomial loss
    rule : callable
        `rule(xp, gradient, parameter, *slots, *scalars) -> (update, *slots)`.
    layout : {"dense", "csr"}
    captured_numbers : tuple of float
        As in `pointwise_passes`.
    template_name : str
        The file with the epoch, if it is not that of a linear model.
    """
    template_name = template_name or ("pointwise_epoch" if formulas else "multinomial_epoch")
    template = (_HERE / f"{template_name}.py").read_text(encoding="utf-8")
    text = template.replace("from .batch_dense import", f"from .batch_{layout} import")
    if "from .network_passes import" in text:
        # Compiled and kept by itself: the larger part, and the same for every rule and type of X.
        passes = plain_passes("network_passes", "c").__name__
        text = text.replace("from .network_passes import", f"from {passes} import")
    functions = dict(zip(("value", "gradient"), formulas, strict=False)) | {"rule": rule}
    for binding in ("template_loss import gradient, value", "template_rule import apply_rule"):
        text = text.replace(f"from .{binding}\n", "")
    sources = {key: portable_source(function, key) for key, function in functions.items()}
    bound: dict[str, Any] | None = None
    if any(source is None for source in sources.values()):
        options = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}
        bound = {key: njit(**options)(function) for key, function in functions.items()}
        sources = {}
    own = [source or "" for source in sources.values()] + [_rule_loop(n_slots, n_scalars)]
    imports, _, rest = text.partition("\n\n\n@njit")
    head = imports + "\nfrom .scalar import scalar_namespace\n"
    return _load(
        f"{name}_{layout}", _absolute(head + "\n\n" + "\n".join(own) + "\n\n@njit" + rest), bound
    )


def _rule_loop(n_slots: int, n_scalars: int) -> str:
    """Source of `apply_rule` for a rule of so many slots and scalars."""
    scalars = [f"c{i}" for i in range(n_scalars)]
    slots = [f"slots[{i}, j]" for i in range(n_slots)]
    news = [f"s{i}" for i in range(n_slots)]
    arguments = ", ".join(["xp", "gradient[j]", "theta[j]", *slots, *scalars])
    lines = [
        '@njit(nogil=True, fastmath={"contract"}, error_model="numpy")',
        "def apply_rule(gradient, theta, slots, scalars, t):",
        "    xp = scalar_namespace()",
        *(f"    {c} = scalars[t, {i}]" for i, c in enumerate(scalars)),
        "    for j in range(theta.shape[0]):",
        f"        {', '.join(['update', *news])}, = rule({arguments})",
        "        theta[j] += update",
        *(f"        {slot} = {new}" for slot, new in zip(slots, news, strict=True)),
    ]
    return "\n".join(lines) + "\n"


class _Announce(event.Listener):
    """Says once that a kernel is being compiled: seconds of silence look like a hang."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.said = False

    def on_start(self, _event: Any) -> None:
        if not self.said:
            self.said = True
            logger.warning(
                "xpfit: compiling the Numba kernel %s (some seconds, once; kept in %s)",
                self.what,
                cache_folder(),
            )

    def on_end(self, _event: Any) -> None:
        pass


# Keyed by the kernel itself: an id may be used again once a kernel is gone.
_ready: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


def _reason(problem: NumbaError) -> str:
    """The lines of Numba's message that say what is wrong, not where in Numba it was found."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(problem))
    lines = [line.strip() for line in plain.splitlines()]
    telling = (
        "Unknown attribute",
        "Untyped global name",
        "No implementation of function",
        "No match",
        "Invalid use of",
        "Cannot unify",
        "cannot determine",
    )
    found = [line for line in lines if line.startswith(telling)]
    return (found or [line for line in lines if line] or ["no reason given"])[0].rstrip(".:")


def prepare(kernel: Any, what: str, *arguments: Any) -> None:
    """Compile `kernel` for these arguments, or load it from disk, before threads call it.

    `what` names the kernel and every type that varies from call to call: asking Numba for the
    types of the arguments would take longer than a small pass.
    """
    prepared = _ready.setdefault(kernel, set())
    if what in prepared:
        return
    signature = tuple(numba.typeof(argument) for argument in arguments)
    try:
        with event.install_listener("numba:compile", _Announce(what)):
            kernel.compile(signature)
    except NumbaError as problem:
        raise not_compilable(what, _reason(problem)) from problem
    prepared.add(what)
