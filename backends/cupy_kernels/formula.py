"""Translates a pointwise formula from Python into a CUDA C++ function.

The formula that NumPy evaluates on arrays is the one source: it is read back as a syntax tree and
written as straight-line C++ on one number of type T. Every assignment makes a new constant, so a
name that is bound twice needs no thought.

The C++ functions that stand for those of `xp` are in HELPERS and in CUDA's own mathematics.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from ..errors import not_translatable
from ..formula_source import definition_of, names_around

# One argument, and the same name in CUDA.
PLAIN = {
    "exp", "log", "log1p", "expm1", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "atan", "floor",
}  # fmt: skip
ONE_ARGUMENT = {**{name: name for name in PLAIN}, "abs": "fabs", "square": "xp_square"} | {
    "sign": "xp_sign"
}
TWO_ARGUMENTS = {name: f"xp_{name}" for name in ("maximum", "minimum", "logaddexp")}
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip
LOGIC: dict[type[ast.operator], str] = {ast.BitAnd: "&&", ast.BitOr: "||", ast.BitXor: "!="}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
# Integer powers up to this become products; NumPy squares by a product too.
LARGEST_PRODUCT = 8

HELPERS = """
template <typename T> __device__ inline T xp_infinity() { return T(1e308) * T(1e308); }
template <typename T> __device__ inline T xp_nan() { return xp_infinity<T>() - xp_infinity<T>(); }
template <typename T> __device__ inline T xp_square(T x) { return x * x; }
// x != x: NaN goes through, as in NumPy.
template <typename T> __device__ inline T xp_maximum(T a, T b) { return a > b || a != a ? a : b; }
template <typename T> __device__ inline T xp_minimum(T a, T b) { return a < b || a != a ? a : b; }
template <typename T> __device__ inline T xp_sign(T x) {
    return x > T(0) ? T(1) : x < T(0) ? T(-1) : x == T(0) ? T(0) : x;
}
template <typename T> __device__ inline T xp_logaddexp(T a, T b) {
    // Equal arguments apart: inf - inf would be NaN.
    if (a == b) return a + T(0.693147180559945309);
    return xp_maximum(a, b) + log1p(exp(-fabs(a - b)));
}
template <typename T> __device__ inline T xp_power(T x, int n) {
    T result = T(1);
    for (int i = 0; i < n; ++i) result *= x;
    return result;
}
"""


class _Term(NamedTuple):
    """A C++ expression; it is a truth value or a number of type T."""

    text: str
    is_truth: bool = False

    def number(self) -> str:
        return f"T({self.text})" if self.is_truth else self.text


def can_translate(function: Callable[..., Any]) -> bool:
    """Whether the function's source can be read; whether it translates is another question."""
    return definition_of(function) is not None


def translate(function: Callable[..., Any], name: str, what: str, n_results: int = 0) -> str:
    """A formula `f(xp, *numbers)` as a C++ template called `name`.

    Parameters
    ----------
    function : callable
        A plain `def` of element-wise functions of `xp`, arithmetic, comparisons and numbers.
    name : str
        Name of the C++ function: `template <typename T> T name(T y, T raw_prediction, ...)`.
    what : str
        Whose formula it is, for the error: "half_binomial".
    n_results : int
        Above 0 the formula returns a tuple of so many, and the C++ function, `void`, leaves them
        in an array that is its first argument: `name(T* out, T gradient, ...)`.

    Raises
    ------
    KernelCompileError
        For anything else in the source; it says what, and in which line of the function.

    Examples
    --------
    >>> from xpfit.core.losses import HALF_POISSON
    >>> print(translate(HALF_POISSON.gradient, "gradient", "half_poisson"))
    template <typename T> __device__ inline T gradient(T v1_y, T v2_raw_prediction) {
        return (exp(v2_raw_prediction) - v1_y);
    }
    """
    definition, whose = definition_of(function), f"{what}: {name}"
    if definition is None:
        raise not_translatable(whose, "its source cannot be read")
    return _Translation(definition, names_around(function), whose, n_results).text(name)


class _Translation:
    """One formula on its way into C++."""

    def __init__(
        self, definition: ast.FunctionDef, around: dict[str, Any], what: str, n_results: int = 0
    ) -> None:
        self.definition, self.around, self.what = definition, around, what
        self.n_results = n_results
        self.known: dict[str, _Term] = {}
        self.lines: list[str] = []
        self.count = 0

    def text(self, name: str) -> str:
        arguments = self.definition.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            raise self.error(self.definition, "arguments other than plain ones")
        self.xp, *numbers = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
        parameters = []
        for argument in numbers:
            self.known[argument] = _Term(self.fresh(argument))
            parameters.append(f"T {self.known[argument].text}")
        result = "T"
        if self.n_results:
            result, parameters = "void", ["T* out", *parameters]
        parameter_list = ", ".join(parameters)
        head = f"template <typename T> __device__ inline {result} {name}({parameter_list}) {{"
        for position, statement in enumerate(self.definition.body):
            last = position == len(self.definition.body) - 1
            if isinstance(statement, ast.Return) != last:
                raise self.error(statement, "a way through that does not end in one return")
            self.statement(statement)
        return "\n".join([head, *self.lines, "}"])

    def error(self, node: ast.AST, why: str) -> Exception:
        line = getattr(node, "lineno", 1)
        shown = ast.unparse(node).splitlines()[0]
        return not_translatable(self.what, f"line {line} has {why}: {shown}")

    def fresh(self, name: str) -> str:
        # Numbered: Python's names may be words of C++, or not even ASCII.
        self.count += 1
        plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
        return f"v{self.count}_{plain}"

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Return) and node.value is not None:
            self.leave(node.value)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            pass  # the docstring
        elif isinstance(node, ast.Assign):
            value = self.terms(node.value)
            for target in node.targets:
                self.bind(target, value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self.bind(node.target, [self.term(node.value)])
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            old = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
            both = ast.copy_location(ast.BinOp(old, node.op, node.value), node)
            self.bind(node.target, [self.term(both)])
        else:
            why = "an if (write xp.where)" if isinstance(node, ast.If) else "this statement"
            raise self.error(node, why)

    def leave(self, node: ast.expr) -> None:
        if not self.n_results:
            self.lines.append(f"    return {self.term(node).number()};")
            return
        results = node.elts if isinstance(node, ast.Tuple) else []
        if len(results) != self.n_results:
            raise self.error(node, f"a return of something else than {self.n_results} results")
        for place, result in enumerate(results):
            self.lines.append(f"    out[{place}] = {self.term(result).number()};")

    def terms(self, node: ast.expr) -> list[_Term]:
        # Right sides first: in a, b = b, a both are the old ones.
        items = node.elts if isinstance(node, ast.Tuple) else [node]
        return [self.keep(self.term(item)) for item in items]

    def keep(self, term: _Term) -> _Term:
        kept = _Term(self.fresh("x"), term.is_truth)
        kind = "bool" if term.is_truth else "T"
        self.lines.append(f"    const {kind} {kept.text} = {term.text};")
        return kept

    def bind(self, target: ast.expr, values: list[_Term]) -> None:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        if len(names) != len(values):
            raise self.error(target, "an assignment of another number of values")
        for name, value in zip(names, values, strict=True):
            if not isinstance(name, ast.Name):
                raise self.error(target, "an assignment to something else than a name")
            self.known[name.id] = value

    def term(self, node: ast.expr) -> _Term:
        if isinstance(node, ast.Constant | ast.Attribute):
            return self.constant(node)
        if isinstance(node, ast.Name):
            return self.known[node.id] if node.id in self.known else self.constant(node)
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        if isinstance(node, ast.UnaryOp):
            operand = self.term(node.operand)
            if isinstance(node.op, ast.USub | ast.UAdd):
                sign = "-" if isinstance(node.op, ast.USub) else ""
                return _Term(f"({sign}{operand.number()})")
            if isinstance(node.op, ast.Invert) and operand.is_truth:
                return _Term(f"(!{operand.text})", True)
        if (
            isinstance(node, ast.Compare)
            and len(node.ops) == 1
            and type(node.ops[0]) in COMPARISONS
        ):
            left, right = self.term(node.left).number(), self.term(node.comparators[0]).number()
            return _Term(f"({left} {COMPARISONS[type(node.ops[0])]} {right})", True)
        if isinstance(node, ast.Call):
            return self.call(node)
        why = "a conditional (write xp.where)" if isinstance(node, ast.IfExp) else "an expression"
        raise self.error(node, why)

    def constant(self, node: ast.expr) -> _Term:
        value = self.value_of(node)
        if isinstance(value, bool):
            return _Term("true" if value else "false", True)
        if not isinstance(value, int | float):
            raise self.error(node, "something that is not a number")
        number = float(value)
        if math.isnan(number):
            return _Term("xp_nan<T>()")
        if math.isinf(number):
            return _Term(f"({'-' if number < 0 else ''}xp_infinity<T>())")
        return _Term(f"T({number!r})")

    def value_of(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self.around.get(node.id)
        if isinstance(node, ast.Attribute):  # math.pi
            owner = self.value_of(node.value)
            return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
        return None

    def binary(self, node: ast.BinOp) -> _Term:
        kind = type(node.op)
        if kind is ast.Pow:
            return self.power(node)
        left, right = self.term(node.left), self.term(node.right)
        if kind in LOGIC and left.is_truth and right.is_truth:
            return _Term(f"({left.text} {LOGIC[kind]} {right.text})", True)
        if kind not in ARITHMETIC:
            raise self.error(node, "an operator that is not translated")
        return _Term(f"({left.number()} {ARITHMETIC[kind]} {right.number()})")

    def power(self, node: ast.BinOp) -> _Term:
        base = self.term(node.left).number()
        exponent, sign = node.right, 1
        if isinstance(exponent, ast.UnaryOp) and isinstance(exponent.op, ast.USub):
            exponent, sign = exponent.operand, -1
        value = self.value_of(exponent)
        if isinstance(value, int | float) and abs(value) <= LARGEST_PRODUCT and value % 1 == 0:
            whole = sign * int(value)
            product = f"xp_power({base}, {abs(whole)})"
            return _Term(product if whole >= 0 else f"(T(1) / {product})")
        why = f"a power that is not a whole number of at most {LARGEST_PRODUCT}"
        raise self.error(node, why)

    def call(self, node: ast.Call) -> _Term:
        function, name = node.func, None
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            name = function.attr if function.value.id == self.xp else None
        elif isinstance(function, ast.Name) and function.id == "abs":
            name = None if "abs" in self.around else "abs"
        if node.keywords or name is None:
            raise self.error(node, "a call of something else than a function of xp")
        arguments = [self.term(argument) for argument in node.args]
        if name in ONE_ARGUMENT and len(arguments) == 1:
            return _Term(f"{ONE_ARGUMENT[name]}({arguments[0].number()})")
        if name in TWO_ARGUMENTS and len(arguments) == 2:
            left, right = (argument.number() for argument in arguments)
            return _Term(f"{TWO_ARGUMENTS[name]}<T>({left}, {right})")
        if name == "where" and len(arguments) == 3 and arguments[0].is_truth:
            test, a, b = arguments
            return _Term(f"({test.text} ? {a.number()} : {b.number()})")
        raise self.error(node, "a function of xp that is not translated")
