"""Differentiation as one more namespace: reverse and forward mode over arrays of any backend."""

from __future__ import annotations

from .checking import check_gradients
from .custom import checkpoint, custom_jvp, custom_vjp, implicit
from .draw import draw
from .jacobians import directional_derivative, hessian, hvp, jacobian
from .memory import compare_memory, memory_profile
from .namespace import GraphNamespace, namespace
from .static.compiled import Compiled, compile
from .tracer import TracingError
from .transforms import elementwise_grad, grad, jvp, value_and_grad, vjp
from .variable import Variable, no_grad

__all__ = [
    "Compiled",
    "GraphNamespace",
    "TracingError",
    "Variable",
    "check_gradients",
    "checkpoint",
    "compare_memory",
    "compile",
    "custom_jvp",
    "custom_vjp",
    "directional_derivative",
    "draw",
    "elementwise_grad",
    "grad",
    "hessian",
    "hvp",
    "implicit",
    "jacobian",
    "jvp",
    "memory_profile",
    "namespace",
    "no_grad",
    "value_and_grad",
    "vjp",
]
