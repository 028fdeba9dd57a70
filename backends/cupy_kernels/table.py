"""All fused kernels of the CuPy backend, by the names of the generic ones."""

from __future__ import annotations

from types import MappingProxyType

from .. import cupy_graph, cupy_network
from . import epoch_launch, launch, step_launch

KERNELS = MappingProxyType(
    {
        **launch.KERNELS,
        **step_launch.KERNELS,
        **epoch_launch.KERNELS,
        **cupy_network.KERNELS,
        **cupy_graph.KERNELS,
    }
)
