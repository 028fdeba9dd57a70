"""How a pass is cut up: rows into slots, a slot's rows and columns among the threads of a block.

All of it follows from the shape, dtype, order and alignment of X, and from nothing else: not from
the device. Each slot's sums are made by one block in a fixed order, and slots are added in a fixed
order, so a pass gives the same bits however many blocks the device runs at a time.
"""

from __future__ import annotations

from typing import NamedTuple

THREADS = 256
WARP = 32
# Slots beyond this cost more to add up than they gain in balance between multiprocessors.
MOST_SLOTS = 2048
SLOT_BYTES = 1 << 25
# What a thread holds of X at a time, in registers: 32 of the 255 that it may have, and 64 once
# converted (ptxas keeps uint8 entries as float64: with 128 of them it ran out of registers).
HELD_BYTES, CONVERTED_BYTES = 128, 256
MOST_ENTRIES = 16
MOST_ROWS = 8
# 8 entries a thread leave registers for more rows; wide rows need 16.
WIDE = 256
VECTOR_BYTES = 16
# In Fortran order the threads of a block that share a column read at least 4 rows of it.
FEWEST_ROWS = 4
# What a block can have where a multiprocessor has 100 KiB of shared memory, and 228 KiB; and the
# rows for which that must do. A device with less takes the generic pass.
SHARED_BYTES = ((96 << 10, 8), (224 << 10, 4))
MOST_TILE_ROWS = 32
SPLIT_BYTES = 1 << 15
# Kernels of one block. In an iteration of L-BFGS one multiprocessor reads (parameters)^2 numbers:
# 8 MiB here, by reckoning (nothing was measured) about as long as the launches that it saves. A
# warp has a lane for each pair.
MOST_PARAMETERS, MOST_PAIRS = 1024, 32
# Three vectors of so many float64 are 400 KiB: by reckoning some microseconds.
MOST_SUMMED = 1 << 14
MOST_WARPS, FEWEST_WARPS = 32, 8


class RowGeometry(NamedTuple):
    """Threads of a block for passes with one output: `rows` groups of `owners` threads.

    A thread owns `entries` columns, and holds them of `held_rows` rows at a time in registers.
    """

    c_order: bool
    owners: int
    entries: int
    held_rows: int
    vector: int

    @property
    def rows(self) -> int:
        return THREADS // self.owners

    @property
    def padded(self) -> int:
        return self.owners * self.entries

    @property
    def tile_rows(self) -> int:
        return self.rows * self.held_rows

    @property
    def parts(self) -> int:
        """Warps among which the columns of a row are spread."""
        return _spans(self.owners, self.rows, self.c_order)

    def shared_bytes(self, n_vectors: int, itemsize: int) -> int:
        """Shared memory of a block: column sums, scalars, `n_vectors` of W, partial products."""
        doubles = self.padded + 2 * (THREADS // WARP)
        numbers = n_vectors * self.padded
        if self.parts > 1:
            numbers += 2 * self.parts * self.tile_rows
        return 8 * doubles + itemsize * numbers


class TileGeometry(NamedTuple):
    """A tile of X in shared memory, for passes with several outputs."""

    c_order: bool
    tile_rows: int
    padded_columns: int
    split: int
    vector: int

    def shared_bytes(self, d: int, n_outputs: int, sizes: tuple[int, int]) -> int:
        """Shared memory of a block: sums, partial products, raw predictions, the tile."""
        numbers = (
            self.split * n_outputs * d
            + n_outputs
            + THREADS
            + 4 * THREADS
            + n_outputs * self.tile_rows
            + 2 * self.tile_rows
        )
        return sizes[1] * numbers + sizes[0] * (self.tile_rows + 1) * d


def _spans(own: int, other: int, own_is_inner: bool) -> int:
    # Warps over which `own` is spread, where it runs fastest (inner) in the index of a thread.
    if own_is_inner:
        return max(1, own // WARP)
    return own if other >= WARP else max(1, own * other // WARP)


def _up(number: int) -> int:
    """The smallest power of two that is not below `number`."""
    return 1 << max(0, number - 1).bit_length()


def _power_in(number: int, most: int) -> int:
    """The largest power of two, at most `most`, that divides `number`."""
    return min(most, number & -number) if number else most


def _down(number: int) -> int:
    return 1 << (max(1, number).bit_length() - 1)


def _held(entries: int, sizes: tuple[int, int]) -> int:
    most = min(HELD_BYTES // (entries * sizes[0]), CONVERTED_BYTES // (entries * sizes[1]))
    return min(MOST_ROWS, _down(most))


def row_geometry(
    n: int, d: int, sizes: tuple[int, int], c_order: bool, alignment: int
) -> RowGeometry | None:
    """The cut for one output; None where X has more columns than a block can own.

    Parameters
    ----------
    n, d : int
        Shape of X.
    sizes : tuple of int
        Bytes of one entry of X, and of one of W.
    c_order : bool
        Whether rows of X are contiguous; else its columns are.
    alignment : int
        A power of two that divides the address of X.

    Examples
    --------
    >>> row_geometry(1000, 64, (8, 8), True, 256)
    RowGeometry(c_order=True, owners=8, entries=8, held_rows=2, vector=2)
    >>> row_geometry(1000, 5000, (8, 8), True, 256) is None
    True
    """
    widest = max(1, min(VECTOR_BYTES, alignment) // sizes[0])
    if c_order:
        vector = _power_in(d, widest)
        target = max(8, vector) if d <= WIDE else MOST_ENTRIES
        owners = _up(-(-d // target))
        entries = vector * -(-d // (owners * vector))
        if owners > THREADS or entries > MOST_ENTRIES:
            return None
        return RowGeometry(True, owners, entries, _held(entries, sizes), vector)
    owners = _up(-(-d // MOST_ENTRIES))
    if owners > THREADS // FEWEST_ROWS:
        return None
    entries = -(-d // owners)
    held = _held(entries, sizes)
    return RowGeometry(False, owners, entries, held, min(held, _power_in(n, widest)))


def tile_geometry(
    n: int, d: int, n_outputs: int, sizes: tuple[int, int], c_order: bool, alignment: int
) -> TileGeometry | None:
    """The cut for several outputs; None where no tile fits into shared memory.

    The parameters are those of `row_geometry`.
    """
    widest = max(1, min(VECTOR_BYTES, alignment) // sizes[0])
    columns = min(THREADS, _up(d))
    vector = _power_in(d, widest) if c_order else 1
    for budget, fewest_rows in SHARED_BYTES:
        rows = MOST_TILE_ROWS
        while rows >= fewest_rows:
            split = min(THREADS // columns, rows)
            while split > 1 and split * n_outputs * d * sizes[1] > SPLIT_BYTES:
                split //= 2
            tile = TileGeometry(c_order, rows, columns, split, vector)
            if tile.shared_bytes(d, n_outputs, sizes) <= budget:
                return tile
            rows //= 2
    return None


def slots_of(n: int, tile_rows: int, n_sums: int) -> tuple[int, int]:
    """(rows of a slot, slots): whole tiles, and a workspace of n_sums doubles a slot that is small.

    Examples
    --------
    >>> slots_of(1_000_000, 64, 66)
    (512, 1954)
    """
    most = max(1, min(MOST_SLOTS, SLOT_BYTES // (8 * n_sums)))
    tiles = max(1, -(-n // tile_rows))
    slot_rows = tile_rows * -(-tiles // most)
    return slot_rows, max(1, -(-n // slot_rows))


def threads_of(n_tasks: int) -> int:
    """Threads of a kernel of one block: a warp for each task, as far as a block has them.

    Nothing else runs on the device meanwhile, and memory is waited for less the more warps there
    are. Powers of two, so that few kernels are compiled.

    Examples
    --------
    >>> threads_of(1), threads_of(9), threads_of(1000)
    (256, 512, 1024)
    """
    return WARP * min(MOST_WARPS, max(FEWEST_WARPS, _up(n_tasks)))


def update_shared_bytes(size: int, itemsize: int) -> int:
    """Shared memory of `lbfgs_update`: the triangle, two numbers of each pair, two of each warp,
    three vectors. At most 34 KiB: every device has that."""
    doubles = MOST_PAIRS * (MOST_PAIRS + 1)
    return 8 * doubles + itemsize * (2 * MOST_PAIRS + 2 * WARP + 3 * size)


def numbers_shared_bytes(itemsize: int) -> int:
    """Shared memory of `step_numbers`: three numbers of each warp."""
    return 3 * WARP * itemsize
