"""CUDA C++ of a mini-batch: loss and gradient of rows in a given order, by the threads of a block.

A batch is taken in chunks of at most ROWS rows. They are gathered by `order` into shared memory, in
the dtype of the sums, with a last column of ones where there is an intercept: so its gradient is
one more column's. LANES threads share a row; each multiplies the entries that it has loaded itself,
so nothing waits between loading and product. Then a thread evaluates the loss of a row; then
threads share out columns, and SPLIT of them the rows of a column, to add up the gradient.

Parameters are class-major, (n_outputs, width): what neighbouring threads read is contiguous.
"""

from __future__ import annotations

BATCH = """
typedef {target} Target;
constexpr bool C_ORDER = {c_order};
constexpr int LANES = {lanes}, GROUPS = THREADS / LANES, ROWS = {rows};
constexpr int COLUMNS = {columns}, SPLIT = {split};
constexpr int HELD = 4;  // rows that a group of lanes loads at a time
constexpr int CLASSES = {classes};  // outputs worked on at a time
constexpr int SLOTS = {n_slots}, SCALARS = {n_scalars};

struct Data {
    const Stored* X;
    const Target* y;
    const Number* weight;
    const long long* order;
    long long n;
    int weighted, d, width, n_outputs;
};
struct Shared { Number *at, *parts, *g, *tile, *losses, *warps, *state; };
__device__ inline Shared lay_out(unsigned char* memory, int width, int n_outputs) {
    const int size = width * n_outputs;
    Shared s;
    s.at = reinterpret_cast<Number*>(memory);
    s.parts = s.at + size;
    s.g = s.parts + SPLIT * size;
    s.tile = s.g + ROWS * n_outputs;
    s.losses = s.tile + ROWS * width;
    s.warps = s.losses + WARP;
    s.state = s.warps + 2 * WARP;
    return s;
}
struct Row { Target y; Number weight; };
// The target of the row that this thread will evaluate: asked for before it is needed.
__device__ inline Row fetch(const Data& data, long long first, int m) {
    Row own = {Target(0), Number(1)};
    if (threadIdx.x < m) {
        const long long row = data.order[first + threadIdx.x];
        own.y = data.y[row];
        if (data.weighted) own.weight = data.weight[row];
    }
    return own;
}
// s.g[k, i] = x_i at_k for the m rows of `order` from `first` on, which come into s.tile.
__device__ inline void products(const Data& data, const Shared& s, long long first, int m) {
    const int lane = threadIdx.x % LANES, group = threadIdx.x / LANES;
    for (int base = 0; base < m; base += GROUPS * HELD) {
        long long row[HELD];
        #pragma unroll
        for (int r = 0; r < HELD; ++r) {
            const int i = base + r * GROUPS + group;
            row[r] = i < m ? data.order[first + i] : 0;
        }
        for (int from = 0; from < data.n_outputs; from += CLASSES) {
            Number sums[HELD][CLASSES] = {};
            for (int j = lane; j < data.width; j += LANES) {
                Number x[HELD] = {};
                #pragma unroll
                for (int r = 0; r < HELD; ++r) {
                    const int i = base + r * GROUPS + group;
                    const long long place = C_ORDER ? row[r] * data.d + j : j * data.n + row[r];
                    if (i < m && from > 0) x[r] = s.tile[i * data.width + j];
                    else if (i < m) x[r] = j < data.d ? number(data.X[place]) : Number(1);
                }
                #pragma unroll
                for (int r = 0; r < HELD; ++r) {
                    const int i = base + r * GROUPS + group;
                    if (i < m && from == 0) s.tile[i * data.width + j] = x[r];
                    #pragma unroll
                    for (int k = 0; k < CLASSES; ++k)
                        if (from + k < data.n_outputs)
                            sums[r][k] += x[r] * s.at[(from + k) * data.width + j];
                }
            }
            #pragma unroll
            for (int r = 0; r < HELD; ++r) {
                const int i = base + r * GROUPS + group;
                #pragma unroll
                for (int k = 0; k < CLASSES; ++k) {
                    const Number raw = lane_sum<1, LANES>(sums[r][k]);
                    if (lane == 0 && i < m && from + k < data.n_outputs)
                        s.g[(from + k) * ROWS + i] = raw;
                }
            }
        }
    }
}
{points}
// s.parts[part, k, j] (+)= sum over the rows i of a part of g[k, i] * x[i, j].
__device__ inline void accumulate(const Data& data, const Shared& s, int m, bool afresh) {
    const int part = threadIdx.x / COLUMNS;
    if (part >= SPLIT) return;
    for (int from = 0; from < data.n_outputs; from += CLASSES) {
        for (int j = threadIdx.x % COLUMNS; j < data.width; j += COLUMNS) {
            Number sums[CLASSES] = {};
            #pragma unroll 4
            for (int i = part; i < m; i += SPLIT) {
                const Number x = s.tile[i * data.width + j];
                #pragma unroll
                for (int k = 0; k < CLASSES; ++k)
                    if (from + k < data.n_outputs) sums[k] += x * s.g[(from + k) * ROWS + i];
            }
            #pragma unroll
            for (int k = 0; k < CLASSES; ++k) {
                if (from + k >= data.n_outputs) continue;
                Number& own = s.parts[(part * data.n_outputs + from + k) * data.width + j];
                own = afresh ? sums[k] : own + sums[k];
            }
        }
    }
}
// Sums over the rows first..last of `order` at s.at: into s.parts; the return value is this
// thread's share of the loss. It ends at a barrier.
__device__ inline Number add_up(const Data& data, const Shared& s, long long first,
                                long long last {parameters}) {
    Number loss = Number(0);
    for (long long start = first; start < last; start += ROWS) {
        const int m = int(last - start < ROWS ? last - start : ROWS);
        const Row own = fetch(data, start, m);
        products(data, s, start, m);
        __syncthreads();
        loss += points(own, s.g, m, data.n_outputs {names});
        __syncthreads();
        accumulate(data, s, m, start == first);
        __syncthreads();
    }
    return loss;
}
__device__ inline Number gradient_sum(const Number* parts, int p, int size) {
    Number sum = parts[p];
    for (int part = 1; part < SPLIT; ++part) sum += parts[part * size + p];
    return sum;
}
"""

# What a row adds to the loss, and g: of one raw prediction, and of a class label.
POINTWISE = """
__device__ inline Number points(const Row& own, Number* g, int m, int n_outputs {parameters}) {
    if (threadIdx.x >= m) return Number(0);
    const Number y = own.y, raw = g[threadIdx.x];
    g[threadIdx.x] = own.weight * loss_gradient<Number>({arguments});
    return own.weight * loss_value<Number>({arguments});
}
"""
SOFTMAX = """
__device__ inline Number points(const Row& own, Number* g, int m, int n_outputs) {
    if (threadIdx.x >= m) return Number(0);
    Number* raw = g + threadIdx.x;
    Number largest = raw[0], chosen = Number(0), total = Number(0);
    for (int k = 0; k < n_outputs; ++k) {
        if (raw[k * ROWS] > largest) largest = raw[k * ROWS];
        if (k == own.y) chosen = raw[k * ROWS];
    }
    for (int k = 0; k < n_outputs; ++k) {
        raw[k * ROWS] = exp(raw[k * ROWS] - largest);
        total += raw[k * ROWS];
    }
    const Number scale = own.weight / total;
    for (int k = 0; k < n_outputs; ++k)
        raw[k * ROWS] = raw[k * ROWS] * scale - (k == own.y ? own.weight : Number(0));
    return own.weight * ((largest - chosen) + log(total));
}
"""
