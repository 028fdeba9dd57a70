"""What L-BFGS asks of a cost: the linear models' is one, a network's another."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from ...backends import Array, Backend


class SmoothObjective(Protocol):
    """A cost as a function of one vector; see `LinearObjective` for what each member is."""

    backend: Backend
    fused: bool | None
    rows_read: int
    dtype: Any

    @property
    def n_samples(self) -> int: ...

    @property
    def n_passes(self) -> int: ...

    @property
    def compiles(self) -> bool: ...

    def compiled(
        self, function: Callable[..., Any], *static: Hashable, donate: tuple[int, ...] = ()
    ) -> Callable[..., Any]: ...

    def value_gradient(self, theta: Array) -> tuple[float, Array]: ...

    def cost_gradient(self, theta: Array) -> tuple[Array, Array]: ...

    def read(self, theta: Array) -> Any: ...
