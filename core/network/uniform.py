"""Random numbers by counting: a hash of a key and a place, the same bits on every backend.

Arrays of random numbers drawn on the host would have to travel at every step. Here the host draws
one key a step, and everything else is integer arithmetic modulo 2**32. The hash is the finalizer of
MurmurHash3 (Appleby, public domain), whose every input bit changes half of the output bits.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import device

from ...backends import Array, Namespace
from ...backends.constants import GOLDEN, MIX_1, MIX_2

ALL = 1 << 32


def random_bits(xp: Namespace, key: Any, like: Array) -> Array:
    """Random uint32 for each place of a matrix, row after row.

    Parameters
    ----------
    key : array of shape (), uint32
    like : array of shape (n, k)
        Whose shape and device the result has.

    Examples
    --------
    >>> import numpy as np
    >>> random_bits(np, np.asarray(7, dtype=np.uint32), np.zeros((1, 2))).tolist()
    [[415870660, 920564995]]
    """
    n, k = like.shape
    where = device(like)
    places = xp.astype(xp.arange(n * k, device=where), xp.uint32)

    def number(value: int) -> Array:
        return xp.asarray(value, dtype=xp.uint32, device=where)

    def folded(bits: Array, by: int) -> Array:
        return xp.bitwise_xor(bits, xp.bitwise_right_shift(bits, number(by)))

    bits = places * number(GOLDEN) + key
    bits = folded(bits, 16) * number(MIX_1)
    bits = folded(bits, 13) * number(MIX_2)
    return xp.reshape(folded(bits, 16), (n, k))


def layer_key(xp: Namespace, key: Any, layer: int) -> Any:
    """The key of a layer, from that of a step."""
    own = xp.asarray((layer * GOLDEN) % ALL, dtype=xp.uint32, device=device(key))
    return xp.bitwise_xor(key, own)
