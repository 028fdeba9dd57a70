"""The CUDA C++ text of an epoch of a network. A pure function of strings and numbers."""

from __future__ import annotations

from ..constants import GELU_CUBE, GELU_SCALE, GOLDEN, MIX_1, MIX_2
from ..numba_kernels import network_codes
from . import network_kernel, network_layers
from .epoch_source import PointwiseRule, step_of, update_rule
from .formula import HELPERS
from .network_geometry import NetworkCut
from .prelude import SUM_OVER_WARPS, prelude
from .source import fill, truth


def _codes() -> str:
    """The numbers by which the table names things, as constants of the same names."""
    own = {name: value for name, value in vars(network_codes).items() if isinstance(value, int)}
    return "\n".join(f"constexpr int {name} = {value};" for name, value in own.items())


def network_source(rule: PointwiseRule, stored: str, computed: str, cut: NetworkCut) -> str:
    """An epoch of any network; the kernel is `network_epoch`.

    Parameters
    ----------
    rule : PointwiseRule
    stored, computed : str
        Names of the dtypes of X and of the parameters.
    cut : NetworkCut

    Raises
    ------
    KernelCompileError
        Where the rule cannot be translated.

    Examples
    --------
    >>> from xpfit.backends.cupy_kernels.epoch_source import rule_of
    >>> from xpfit.core.optimizers import SGD
    >>> cut = NetworkCut(True, 256, True, True, False)
    >>> text = network_source(rule_of(SGD().rule, 0, 1), "uint8", "float32", cut)
    >>> "\\nnetwork_epoch(" in text, "constexpr int AFFINE = 0;" in text
    (True, True)
    """
    batch = fill(
        network_kernel.BATCH,
        c_order=truth(cut.c_order),
        activations=truth(cut.activations),
        parameters=truth(cut.parameters),
        state=truth(cut.state),
        n_slots=rule.n_slots,
        n_scalars=rule.n_scalars,
        codes=_codes(),
    )
    activations = fill(
        network_layers.ACTIVATIONS,
        gelu_scale=repr(GELU_SCALE),
        gelu_cube=repr(GELU_CUBE),
        golden=GOLDEN,
        mix_1=MIX_1,
        mix_2=MIX_2,
    )
    parts = [
        prelude(stored, computed, 1, cut.threads),
        SUM_OVER_WARPS,
        HELPERS,
        update_rule(rule),
        batch,
        step_of(rule),
        activations,
        network_layers.PRODUCTS,
        network_layers.ROWS,
        fill(network_kernel.PASSES, golden=GOLDEN),
        network_kernel.EPOCH,
    ]
    return "\n".join(parts)
