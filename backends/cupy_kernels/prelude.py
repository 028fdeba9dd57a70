"""What stands before every kernel: stored types, conversion in registers, sums within a warp.

No CUDA header is included, so compiling needs NVRTC and nothing else: half and bfloat16 are read as
bits. The tests compile the same text for the CPU, where `__CUDA_ARCH__` is not defined.
"""

from __future__ import annotations

import numpy as np

# The dtype of X by name, and the C++ type in which its entries lie in memory.
STORED = {
    "float64": "double",
    "float32": "float",
    "float16": "HalfBits",
    "bfloat16": "BrainBits",
    "bool": "unsigned char",
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
}
COMPUTED = {"float64": "double", "float32": "float"}

PRELUDE = """
#ifndef XPFIT_SHARED_MEMORY
#define XPFIT_SHARED_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]
#endif
struct HalfBits { unsigned short bits; };
struct BrainBits { unsigned short bits; };
typedef {stored} Stored;
typedef {computed} Number;
constexpr int THREADS = {threads}, WARP = 32, WARPS = THREADS / WARP;
constexpr int VECTOR = {vector};
constexpr unsigned EVERY_LANE = 0xffffffffu;
__host__ __device__ constexpr int smaller(int a, int b) { return a < b ? a : b; }
struct alignas(VECTOR * sizeof(Stored)) Vector { Stored entry[VECTOR]; };

template <typename Plain> __device__ inline Number number(Plain x) { return Number(x); }
__device__ inline Number number(BrainBits x) { return __uint_as_float(unsigned(x.bits) << 16); }
__device__ inline Number number(HalfBits x) {
    float value;
#ifdef __CUDA_ARCH__
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
#else
    // Moving the exponent over and multiplying by 2^112 scales subnormal numbers right, too.
    const unsigned moved = (x.bits & 0x7fffu) << 13;
    value = __uint_as_float(moved) * 0x1p112f;
    if ((x.bits & 0x7c00u) == 0x7c00u) value = __uint_as_float(moved | 0x7f800000u);
    if (x.bits & 0x8000u) value = -value;
#endif
    return value;
}
// Sum over the lanes that differ in the bits from..to of their index, the same in all of them.
template <int FROM, int TO> __device__ inline Number lane_sum(Number x) {
    #pragma unroll
    for (int offset = FROM; offset < TO; offset *= 2) x += __shfl_xor_sync(EVERY_LANE, x, offset);
    return x;
}
"""

# The sum over the warps of a number that each of them has.
SUM_OVER_WARPS = """
// Every thread gets it, after a barrier; `parts` has room for one number a warp.
__device__ inline Number sum_over_warps(Number own, Number* parts) {
    const int lane = threadIdx.x % WARP;
    if (lane == 0) parts[threadIdx.x / WARP] = own;
    __syncthreads();
    return lane_sum<1, WARP>(lane < WARPS ? parts[lane] : Number(0));
}
"""

# Adds up the slots: 32 columns a block, each by 8 threads that take every 8th slot.
ADD_SLOTS = """
extern "C" __global__ void __launch_bounds__(THREADS)
add_slots(const double* slots, int n_slots, int n_sums, Number* sums) {
    __shared__ double parts[WARPS][WARP];
    const int lane = threadIdx.x % WARP, part = threadIdx.x / WARP;
    const int column = blockIdx.x * WARP + lane;
    double total = 0.0;
    if (column < n_sums) {
        #pragma unroll 8
        for (int slot = part; slot < n_slots; slot += WARPS)
            total += slots[(long long)slot * n_sums + column];
    }
    parts[part][lane] = total;
    __syncthreads();
    if (part == 0 && column < n_sums) {
        for (int other = 1; other < WARPS; ++other) total += parts[other][lane];
        sums[column] = Number(total);
    }
}
"""


def prelude(stored: str, computed: str, vector: int, threads: int) -> str:
    """The text before a kernel for X of dtype `stored` and sums in dtype `computed`."""
    text = PRELUDE.replace("{stored}", STORED[stored]).replace("{computed}", COMPUTED[computed])
    return text.replace("{vector}", str(vector)).replace("{threads}", str(threads))


def itemsize_of(dtype: str) -> int:
    """Bytes of one entry of the dtype of that name.

    Examples
    --------
    >>> itemsize_of("bfloat16"), itemsize_of("bool"), itemsize_of("int64")
    (2, 1, 8)
    """
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
