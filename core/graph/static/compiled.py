"""`compile`: a function of arrays, traced once for each set of shapes and dtypes."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from ....backends import (
    Backend,
    MixedBackendError,
    context_choice,
    fused_enabled,
    resolve_backend,
)
from ...dispatch import run_kernel
from ...optimizers.tree import leaves, tree_map, unflatten
from ..namespace import space_of
from ..node import Box
from ..tracer import Tape, Tracer, TracingError, concrete
from .entry import Entry, require_repeatable
from .flatten import Flat
from .program import Program
from .simplify import program_of
from .source import python_function

# Types of arrays that were met: arguments of these need no closer look.
_ARRAYS: set[Any] = set()
# Programs are kept for so many sets of shapes and dtypes; the oldest ones go.
MOST_PROGRAMS = 128


class Compiled:
    """See `compile`."""

    def __init__(
        self, function: Callable[..., Any], backend: str | Backend | None, fused: bool | None
    ) -> None:
        functools.update_wrapper(self, function)
        self._function, self._backend, self._fused = function, backend, fused
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._who = getattr(function, "__name__", "the function")

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        kinds: list[Any]
        if not options:
            # The usual call, with arrays alone: half the time of a small program lay here.
            kinds = [(a.__class__, a.shape, a.dtype) for a in arguments if a.__class__ in _ARRAYS]
            if len(kinds) == len(arguments):
                entry = self._entries.get((context_choice(), (tuple, *kinds)))
                if entry is not None:
                    return entry(arguments)
        flat, key = self._flat(arguments, options)
        if flat.boxed:
            # Differentiated, or part of another function that is compiled: it is followed inside.
            return self._function(*arguments, **options)
        arrays = flat.as_arrays()
        return self._entry(key, arrays, arguments, options)(arrays)

    def program(self, *arguments: Any, **options: Any) -> Program:
        """The program for such arguments; `print` shows it as a table."""
        flat, key = self._flat(arguments, options)
        return self._entry(key, flat.as_arrays(), arguments, options).program

    def _flat(self, arguments: Any, options: Any) -> tuple[Flat, Hashable]:
        flat = Flat()
        key = flat.key(arguments, self._who)
        return flat, (key, flat.key(options, self._who)) if options else key

    def _entry(self, key: Hashable, arrays: list[Any], arguments: Any, options: Any) -> Entry:
        whole = (context_choice(), key)
        entry = self._entries.get(whole)
        if entry is not None:
            return entry
        chosen, fused = self._chosen(arrays), fused_enabled(self._fused)
        entry = self._traced(arrays, arguments, options, chosen, fused)
        with self._lock:
            self._entries[whole] = entry
            _ARRAYS.update(type(array) for array in arrays)
            while len(self._entries) > MOST_PROGRAMS:
                self._entries.popitem(last=False)
        return entry

    def _chosen(self, arrays: list[Any]) -> Backend | None:
        try:
            return resolve_backend(self._backend, *arrays, who=f"compile({self._who})")
        except MixedBackendError:
            raise
        except TypeError:
            if self._backend is not None:
                raise
            return None  # arrays of another library of the standard

    def _traced(
        self, arrays: list[Any], arguments: Any, options: Any, backend: Backend | None, fused: bool
    ) -> Entry:
        tape, waiting = Tape(), iter(arrays)

        def traced(value: Any) -> Any:
            if isinstance(value, bool | int | str):
                return value
            array = next(waiting)
            return tape.argument(array, space_of(array))

        boxed, named = tree_map(traced, (arguments, options))
        try:
            result = self._function(*boxed, **named)
        finally:
            tape.is_open = False
        if result is None:
            message = f"{self._who} is compiled, and returned None. Is a return missing?"
            raise TracingError(message)
        ends = leaves(result)
        for end in ends:
            self._require_own(end, tape)
        program = program_of(tape, len(arrays), ends)
        require_repeatable(self._who, program, arrays, [concrete(end) for end in ends])
        # Only the containers: the values of the first call are let go.
        containers = unflatten(result, [0] * len(ends))
        return Entry(program, containers, _runner(program, backend, fused))

    def _require_own(self, end: Any, tape: Tape) -> None:
        if isinstance(end, Box) and not (isinstance(end, Tracer) and end.tape is tape):
            message = (
                f"{self._who} is compiled, and returned a node that comes from outside of it, such "
                "as a Variable that it uses. Pass what it depends on as an argument."
            )
            raise TracingError(message)

    def __repr__(self) -> str:
        return f"<compiled {self._who}, {len(self._entries)} programs>"


def _by_lines(program: Program, write: Callable[..., Any], *, backend: Backend | None) -> Any:
    """The generic `graph_program`: a line for each operation."""
    return write(program)


def _by_compiler(program: Program, write: Callable[..., Any], *, backend: Backend) -> Any:
    """The same lines, by the backend's own compiler where it can follow them all."""
    run = write(program)
    opaque = any(operation.kind != "listed" for operation in program.operations)
    return run if opaque else backend.jit(run)


def _runner(program: Program, backend: Backend | None, fused: bool) -> Any:
    """How a program is run: by the backend's own kernel, by its compiler, or line by line."""
    if backend is None:
        return _by_lines(program, python_function, backend=None)
    generic = _by_compiler if fused else _by_lines
    return run_kernel(
        backend, "graph_program", generic, program, python_function, fused=fused, in_blocks=False
    )


def compile(
    function: Callable[..., Any] | None = None,
    *,
    backend: str | Backend | None = None,
    fused: bool | None = None,
) -> Any:
    """The same function, as a static graph: traced once, simplified, and run as generated code.

    The first call with arrays of given shapes and dtypes runs the function and writes down what it
    does; common parts are shared, what no result needs is dropped, and later calls run the code
    that was made of it: one compiled function on Numba, in which chains of element-wise functions
    are one loop; a jitted one on JAX; a line for each operation on NumPy. The function may use
    transforms: `compile(grad(f))` is the usual case.

    Parameters
    ----------
    function : callable
        Of arrays, Python floats, and tuples, lists and dicts of them; an int, a bool, a str or None
        is part of the program, and another one makes another program. Without effects. None: a
        decorator, as in @compile(backend="numba").
    backend : {"numpy", "numba", "jax", "cupy"} or None
        None: that of the arrays, or of the context; Numba, whose arrays are NumPy's, is asked for.
    fused : bool or None
        False: a line for each operation on every backend, which is the oracle.

    Returns
    -------
    Compiled
        A callable; its method `program(*args)` shows what was made.

    Raises
    ------
    TracingError
        For a function that looks at numbers: a branch, a loop, an index or a mask that depends on
        them. The place is named.

    Notes
    -----
    Arrays from around the function that meet an argument are read anew in every call. What is
    computed from them alone, whatever else is around the function, and environment variables stay
    as they were when it was traced. Results are arrays of the caller's own. `checkpoint` has no
    effect inside: what is computed twice is computed once.

    A float becomes an array of one number, in the widest floating dtype of the arrays beside it.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.graph import compile, grad, namespace
    >>> xp = namespace(np)
    >>> slope = compile(grad(lambda x: xp.sum(xp.sin(x) * x)))
    >>> slope(np.asarray([0.0, 1.0])).round(4).tolist()
    [0.0, 1.3818]
    """
    if function is None:
        return functools.partial(compile, backend=backend, fused=fused)
    if not callable(function):
        message = (
            f"compile was given {type(function).__name__}, which cannot be called. Give a function "
            "of arrays: compile(f), not compile(f(x))."
        )
        raise TypeError(message)
    return Compiled(function, backend, fused)
