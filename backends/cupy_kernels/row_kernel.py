"""CUDA C++ of the passes with one output: X goes from memory into registers, once.

A block works on a tile of ROWS * HELD rows at a time. Each row has OWNERS threads; an owner holds
ENTRIES of its columns in registers, so the same registers serve the product with w and then the
accumulation of g * x. In C order the owners of a row are neighbours (they read a row's bytes one
after the other), in Fortran order the rows of an owner are.

Padding columns hold zeros in registers and in the shared copies of w; padding rows have g = 0.
"""

from __future__ import annotations

BODY = """
constexpr bool C_ORDER = {c_order};
constexpr int OWNERS = {owners}, ROWS = THREADS / OWNERS, ENTRIES = {entries}, HELD = {held};
constexpr int PADDED = OWNERS * ENTRIES;
// The index of a thread counts owners first in C order, rows first in Fortran order. INNER is how
// many of the first fit into a warp; PARTS and UNITS are the warps over which the owners of a row
// and the rows of an owner are spread.
constexpr int INNER = smaller(C_ORDER ? OWNERS : ROWS, WARP);
constexpr int PARTS = {parts}, UNITS = {units};
constexpr int OWNER_FROM = C_ORDER ? 1 : INNER, OWNER_TO = C_ORDER ? INNER : WARP;
constexpr int ROW_FROM = C_ORDER ? INNER : 1, ROW_TO = C_ORDER ? WARP : INNER;
constexpr int ROW_VECTORS = C_ORDER ? HELD : HELD / VECTOR;
constexpr int COLUMN_VECTORS = C_ORDER ? ENTRIES / VECTOR : ENTRIES;

struct Thread {
    int lane, warp, owner, row, part, unit;
    bool speaks_for_row, speaks_for_column;
};
__device__ inline Thread this_thread() {
    Thread t;
    const int index = threadIdx.x;
    t.lane = index % WARP;
    t.warp = index / WARP;
    t.owner = C_ORDER ? index % OWNERS : index / ROWS;
    t.row = C_ORDER ? index / OWNERS : index % ROWS;
    const bool first_inner = t.lane % INNER == 0, first_outer = t.lane < INNER;
    t.part = C_ORDER ? t.owner / WARP : t.owner / (WARP / INNER);
    t.unit = C_ORDER ? (OWNERS >= WARP ? t.row : t.warp) : t.row / WARP;
    t.speaks_for_row = C_ORDER ? first_inner : first_outer;
    t.speaks_for_column = C_ORDER ? first_outer : first_inner;
    return t;
}
__device__ inline int column_of(const Thread& t, int e) {
    return C_ORDER ? (e / VECTOR * OWNERS + t.owner) * VECTOR + e % VECTOR : e * OWNERS + t.owner;
}
__device__ inline long long row_of(const Thread& t, long long base, int r) {
    return C_ORDER ? base + r * ROWS + t.row
                   : base + (r / VECTOR * ROWS + t.row) * VECTOR + r % VECTOR;
}
struct Held {
    Vector x[ROW_VECTORS][COLUMN_VECTORS];
    __device__ inline Number at(int r, int e) const {
        return C_ORDER ? number(x[r][e / VECTOR].entry[e % VECTOR])
                       : number(x[r / VECTOR][e].entry[r % VECTOR]);
    }
};
__device__ inline void load(Held& held, const Stored* __restrict__ X, const Thread& t,
                            long long base, long long last, long long n, int d) {
    #pragma unroll
    for (int r = 0; r < ROW_VECTORS; ++r) {
        const long long row = row_of(t, base, C_ORDER ? r : r * VECTOR);
        #pragma unroll
        for (int e = 0; e < COLUMN_VECTORS; ++e) {
            const int column = column_of(t, C_ORDER ? e * VECTOR : e);
            const long long place = C_ORDER ? row * d + column : column * n + row;
            held.x[r][e] = Vector{};
            if (row < last && column < d)
                held.x[r][e] = *reinterpret_cast<const Vector*>(X + place);
        }
    }
}
// raw[r] = the product of row r with w, the same in all owners of the row. Calls take turns with
// two halves of `scratch`: a thread that is ahead writes into the one that nobody reads.
__device__ inline void product(const Held& held, const Number* w, const Thread& t,
                               Number* scratch, int& turn, Number (&raw)[HELD]) {
    #pragma unroll
    for (int r = 0; r < HELD; ++r) {
        Number sum = Number(0);
        #pragma unroll
        for (int e = 0; e < ENTRIES; ++e) sum += held.at(r, e) * w[column_of(t, e)];
        raw[r] = lane_sum<OWNER_FROM, OWNER_TO>(sum);
    }
    if (PARTS > 1) {
        Number* mine = scratch + turn * PARTS * ROWS * HELD;
        #pragma unroll
        for (int r = 0; r < HELD; ++r)
            if (t.speaks_for_row) mine[(t.part * ROWS + t.row) * HELD + r] = raw[r];
        __syncthreads();
        #pragma unroll
        for (int r = 0; r < HELD; ++r) {
            raw[r] = Number(0);
            for (int part = 0; part < PARTS; ++part)
                raw[r] += mine[(part * ROWS + t.row) * HELD + r];
        }
        turn = 1 - turn;
    }
}
"""

# One row's share: `g`, and what it adds to the loss.
POINT = """
struct Targets {
    const Number* y;
    const Number* weight;
    int weighted;
};
__device__ inline Number point(const Targets& targets, long long i, Number raw, Number along,
                               Number& value {parameters}) {
    const Number weight = targets.weighted ? targets.weight[i] : Number(1);
    const Number y = targets.y[i];
    value = {value};
    return weight * {gradient};
}
// In C order the owners of a row share out the HELD rows: without that each would evaluate the
// formulas of all of them.
__device__ inline void points(const Targets& targets, const Thread& t, long long base,
                              long long last, const Number (&raw)[HELD],
                              const Number (&along)[HELD], Number (&g)[HELD], Number& total,
                              Number& total_g {parameters}) {
    constexpr int SHARE = C_ORDER ? INNER : 1;
    #pragma unroll
    for (int k = 0; k < HELD; k += SHARE) {
        const int mine = k + (C_ORDER ? t.lane % INNER : 0);
        Number my_raw = Number(0), my_along = Number(0), my_g = Number(0);
        #pragma unroll
        for (int r = k; r < smaller(k + SHARE, HELD); ++r)
            if (r == mine) { my_raw = raw[r]; my_along = along[r]; }
        const long long i = row_of(t, base, mine);
        if (mine < HELD && i < last) {
            Number value;
            my_g = point(targets, i, my_raw, my_along, value {names});
            if (t.part == 0 && (C_ORDER || t.owner == 0)) { total += value; total_g += my_g; }
        }
        #pragma unroll
        for (int r = k; r < smaller(k + SHARE, HELD); ++r)
            g[r] = C_ORDER ? __shfl_sync(EVERY_LANE, my_g, r - k, SHARE) : my_g;
    }
}
"""

# The sums of a slot: lanes by shuffles, then warps one after the other, in a fixed order.
FINISH = """
__device__ inline void finish(Number (&sums)[ENTRIES], Number total, Number total_g,
                              const Thread& t, double* columns, double* scalars, int d,
                              double* out) {
    #pragma unroll
    for (int e = 0; e < ENTRIES; ++e) sums[e] = lane_sum<ROW_FROM, ROW_TO>(sums[e]);
    total = lane_sum<1, WARP>(total);
    total_g = lane_sum<1, WARP>(total_g);
    if (t.lane == 0) { scalars[2 * t.warp] = total_g; scalars[2 * t.warp + 1] = total; }
    for (int unit = 0; unit < UNITS; ++unit) {
        if (t.unit == unit && t.speaks_for_column) {
            #pragma unroll
            for (int e = 0; e < ENTRIES; ++e) {
                double& column = columns[column_of(t, e)];
                column = unit == 0 ? double(sums[e]) : column + double(sums[e]);
            }
        }
        __syncthreads();
    }
    for (int j = threadIdx.x; j < d; j += THREADS) out[j] = columns[j];
    if (threadIdx.x < 2) {
        double sum = 0.0;
        for (int warp = 0; warp < WARPS; ++warp) sum += scalars[2 * warp + threadIdx.x];
        out[d + threadIdx.x] = sum;
    }
    __syncthreads();
}
"""

PASS = """
extern "C" __global__ void __launch_bounds__(THREADS)
row_pass(const Stored* __restrict__ X, const Number* __restrict__ y,
         const Number* __restrict__ weight, int weighted, const Number* __restrict__ w,
         const Number* __restrict__ b, const Number* __restrict__ v,
         const Number* __restrict__ c {parameters}, long long n, int d, long long slot_rows,
         int n_slots, double* __restrict__ slots) {
    XPFIT_SHARED_MEMORY(memory);
    double* columns = reinterpret_cast<double*>(memory);
    double* scalars = columns + PADDED;
    Number* shared_w = reinterpret_cast<Number*>(scalars + 2 * WARPS);
    Number* shared_v = shared_w + PADDED;
    Number* scratch = shared_w + {vectors} * PADDED;
    const Thread t = this_thread();
    const Targets targets = {y, weight, weighted};
    for (int j = threadIdx.x; j < PADDED; j += THREADS) {
        shared_w[j] = j < d ? w[j] : Number(0);
        if ({vectors} == 2) shared_v[j] = j < d ? v[j] : Number(0);
    }
    const Number intercept = b[0], intercept_along = {vectors} == 2 ? c[0] : Number(0);
    __syncthreads();
    int turn = 0;
    for (int slot = blockIdx.x; slot < n_slots; slot += gridDim.x) {
        const long long first = slot * slot_rows;
        const long long last = first + slot_rows < n ? first + slot_rows : n;
        Number sums[ENTRIES] = {}, total = Number(0), total_g = Number(0);
        for (long long base = first; base < last; base += ROWS * HELD) {
            Held held;
            Number raw[HELD], along[HELD] = {}, g[HELD];
            load(held, X, t, base, last, n, d);
            product(held, shared_w, t, scratch, turn, raw);
            if ({vectors} == 2) product(held, shared_v, t, scratch, turn, along);
            #pragma unroll
            for (int r = 0; r < HELD; ++r) { raw[r] += intercept; along[r] += intercept_along; }
            points(targets, t, base, last, raw, along, g, total, total_g {names});
            #pragma unroll
            for (int r = 0; r < HELD; ++r) {
                #pragma unroll
                for (int e = 0; e < ENTRIES; ++e) sums[e] += g[r] * held.at(r, e);
            }
        }
        finish(sums, total, total_g, t, columns, scalars, d,
               slots + (long long)slot * (d + 2));
    }
}
"""

PREDICT = """
extern "C" __global__ void __launch_bounds__(THREADS)
predict_raw(const Stored* __restrict__ X, const Number* __restrict__ w,
            const Number* __restrict__ b, long long n, int d, long long slot_rows, int n_slots,
            Number* __restrict__ out) {
    XPFIT_SHARED_MEMORY(memory);
    Number* shared_w = reinterpret_cast<Number*>(memory);
    Number* scratch = shared_w + PADDED;
    const Thread t = this_thread();
    for (int j = threadIdx.x; j < PADDED; j += THREADS) shared_w[j] = j < d ? w[j] : Number(0);
    const Number intercept = b[0];
    __syncthreads();
    int turn = 0;
    for (int slot = blockIdx.x; slot < n_slots; slot += gridDim.x) {
        const long long first = slot * slot_rows;
        const long long last = first + slot_rows < n ? first + slot_rows : n;
        for (long long base = first; base < last; base += ROWS * HELD) {
            Held held;
            Number raw[HELD];
            load(held, X, t, base, last, n, d);
            product(held, shared_w, t, scratch, turn, raw);
            #pragma unroll
            for (int r = 0; r < HELD; ++r) {
                const long long i = row_of(t, base, r);
                if (t.owner == 0 && i < last) out[i] = raw[r] + intercept;
            }
        }
    }
}
"""
