"""CUDA C++ of an epoch of a network in one launch: gather, forward, loss, backward, step.

The network is a table (`backends/network_table.py`), so one kernel serves every architecture. All
steps are taken by one block, which waits at a barrier after each layer. What of a batch's
activations, of the parameters and of the state fits into shared memory lies there; the rest in
global memory, where one block's reads come from the nearest cache if they can.
"""

from __future__ import annotations

BATCH = """
constexpr bool C_ORDER = {c_order};
constexpr bool ACTIVATIONS_NEAR = {activations}, PARAMETERS_NEAR = {parameters};
constexpr bool STATE_NEAR = {state};
constexpr int SLOTS = {n_slots}, SCALARS = {n_scalars};
// An operation of the table: see numba_kernels/network_codes.py.
{codes}
struct Operation {
    int kind, activation, n, k, parameters, statistics, input, output, kept;
    unsigned layer;
    const double* numbers;
    Number slope;
};
struct Data {
    const Stored* X;
    const long long* classes;
    const Number *values, *weight;
    const long long* order;
    long long n;
    int weighted, d, n_outputs, output;
};
struct Table {
    const long long* rows;
    const double* numbers;
    int n_operations;
};
struct Memory { Number *losses, *warps, *work, *d, *other, *at, *gradient, *state; };
__device__ inline Operation operation(const Table& table, int index) {
    const long long* row = table.rows + index * N_COLUMNS;
    const double* numbers = table.numbers + index * N_NUMBERS;
    return {int(row[KIND]), int(row[ACTIVATION]), int(row[N_IN]), int(row[N_OUT]),
            int(row[PARAMETERS]), int(row[STATISTICS]), int(row[INPUT]), int(row[OUTPUT]),
            int(row[KEPT]), unsigned(row[LAYER]), numbers, Number(numbers[SLOPE])};
}
// The next `count` numbers of shared memory, or of the scratch in global memory.
__device__ inline Number* take(bool near, Number*& shared, Number*& scratch, int count) {
    Number*& from = near ? shared : scratch;
    Number* found = from;
    from += count;
    return found;
}
__device__ inline Memory lay_out(unsigned char* memory, Number* scratch, Number* state, int size,
                                 int n_trained, int work, int widest) {
    Number* shared = reinterpret_cast<Number*>(memory);
    Memory s;
    s.losses = take(true, shared, scratch, WARP);
    s.warps = take(true, shared, scratch, 2 * WARP);
    s.work = take(ACTIVATIONS_NEAR, shared, scratch, work);
    s.d = take(ACTIVATIONS_NEAR, shared, scratch, widest);
    s.other = take(ACTIVATIONS_NEAR, shared, scratch, widest);
    s.at = take(PARAMETERS_NEAR, shared, scratch, size);
    s.gradient = take(PARAMETERS_NEAR, shared, scratch, n_trained);
    s.state = STATE_NEAR ? shared : state;
    return s;
}
// The m rows of `order` from `first` on, in the dtype of the sums. A warp has a row.
__device__ inline void gather(const Data& data, long long first, int m, Number* block) {
    for (int i = threadIdx.x / WARP; i < m; i += WARPS) {
        const long long row = data.order[first + i];
        for (int j = threadIdx.x % WARP; j < data.d; j += WARP) {
            const long long place = C_ORDER ? row * data.d + j : j * data.n + row;
            block[i * data.d + j] = number(data.X[place]);
        }
    }
}
"""

PASSES = """
__device__ inline Normalized normalized(const Operation& o, const Memory& s, int m) {
    const Number* gamma = s.at + o.parameters;
    Number* z = s.work + o.kept;
    return {gamma, gamma + o.n, z, z + m * o.n};
}
__device__ inline void forward(const Table& table, const Memory& s, int m, unsigned key) {
    for (int index = 0; index < table.n_operations; ++index) {
        const Operation o = operation(table, index);
        const Number* x = s.work + o.input;
        Number* out = s.work + o.output;
        if (o.kind == AFFINE) {
            const Number* W = s.at + o.parameters;
            multiply({x, o.n, 1}, {W, o.k, 1}, m, o.k, o.n, out, W + o.n * o.k, o.activation,
                     o.slope);
        } else if (o.kind == BATCH_NORM) {
            batch_norm(x, normalized(o, s, m), m, o.n, Number(o.numbers[FIRST]),
                       Number(o.numbers[SECOND]), s.state + o.statistics, out, o.activation,
                       o.slope);
        } else if (o.kind == LAYER_NORM) {
            layer_norm(x, normalized(o, s, m), m, o.n, Number(o.numbers[FIRST]), out, o.activation,
                       o.slope);
        } else if (o.kind == ELEMENTWISE) {
            for (int e = threadIdx.x; e < m * o.n; e += THREADS)
                out[e] = activated(o.activation, o.slope, x[e]);
        } else if (o.kind == DROPOUT) {
            for (int e = threadIdx.x; e < m * o.n; e += THREADS)
                out[e] = x[e] * drawn(e, key ^ (o.layer * {golden}u), o.numbers[FIRST]);
        } else {
            softmax(x, m, o.n, o.kind == LOG_SOFTMAX, out);
        }
        __syncthreads();
    }
}
// This warp's share of the losses; s.d becomes their derivative. A warp has a row.
__device__ inline Number losses_of(const Data& data, const Memory& s, const Number* raw,
                                   long long first, int m) {
    const int lane = threadIdx.x % WARP, k = data.n_outputs;
    Number sum = Number(0);
    for (int i = threadIdx.x / WARP; i < m; i += WARPS) {
        const long long row = data.order[first + i];
        const Number weight = data.weighted ? data.weight[row] : Number(1);
        const Number* own = raw + i * k;
        Number *d = s.d + i * k, loss = Number(0);
        if (data.output == SOFTMAX_CROSS_ENTROPY) {
            const long long chosen = data.classes[row];
            Number largest = -xp_infinity<Number>(), total = Number(0);
            for (int j = lane; j < k; j += WARP) largest = xp_maximum(largest, own[j]);
            largest = lane_maximum(largest);
            for (int j = lane; j < k; j += WARP) total += exp(own[j] - largest);
            total = lane_sum<1, WARP>(total);
            for (int j = lane; j < k; j += WARP)
                d[j] = weight * (exp(own[j] - largest) / total - Number(j == chosen));
            loss = log(total) - (own[chosen] - largest);
        } else {
            for (int j = lane; j < k; j += WARP) {
                const Number x = own[j], y = data.values[row * k + j];
                const bool squared = data.output == SQUARED_ERROR;
                d[j] = weight * (squared ? x - y : sigmoid(x) - y);
                loss += squared ? Number(0.5) * xp_square(x - y)
                                : activated(SOFTPLUS, Number(0), x) - y * x;
            }
            loss = lane_sum<1, WARP>(loss);
        }
        sum += weight * loss;
    }
    return sum;
}
// s.gradient, from s.d. Operations without parameters that stand before all others are left out.
__device__ inline void backward(const Table& table, const Memory& s, int m, unsigned key) {
    Number *d = s.d, *other = s.other;
    for (int index = table.n_operations - 1; index >= 0; --index) {
        const Operation o = operation(table, index);
        const Number *x = s.work + o.input, *out = s.work + o.output;
        Number* gradient = s.gradient + o.parameters;
        const bool further = o.parameters > 0;
        if (o.activation != NONE) {
            const bool from_x = o.kind == ELEMENTWISE
                                && (o.activation == LEAKY_RELU || o.activation == GELU
                                    || o.activation == SOFTPLUS);
            for (int e = threadIdx.x; e < m * o.k; e += THREADS)
                d[e] *= derivative(o.activation, o.slope, from_x ? x[e] : out[e]);
            __syncthreads();
        }
        if (o.kind == AFFINE) {
            multiply({x, 1, o.n}, {d, o.k, 1}, o.n, o.k, m, gradient, nullptr, NONE, Number(0));
            column_sums(d, m, o.k, gradient + o.n * o.k);
            if (further) {
                multiply({d, o.k, 1}, {s.at + o.parameters, 1, o.k}, m, o.n, o.k, other, nullptr,
                         NONE, Number(0));
                Number* before = d;
                d = other;
                other = before;
            }
        } else if (o.kind == BATCH_NORM || o.kind == LAYER_NORM) {
            const Normalized own = normalized(o, s, m);
            norm_back(d, own, m, o.n, gradient, o.kind == BATCH_NORM);
            if (o.kind == LAYER_NORM && further) layer_norm_back(d, own, m, o.n);
        } else if (o.kind == DROPOUT) {
            for (int e = threadIdx.x; e < m * o.n; e += THREADS)
                d[e] *= drawn(e, key ^ (o.layer * {golden}u), o.numbers[FIRST]);
        } else if (o.kind != ELEMENTWISE) {
            softmax_back(d, out, m, o.n, o.kind == LOG_SOFTMAX);
        }
        __syncthreads();
        if (o.parameters == 0) return;
    }
}
"""

# One block a multiprocessor is said outright: left to itself, ptxas saves registers for a second.
EPOCH = """
__device__ inline bool is_penalized(const long long* ranges, int n_ranges, int p) {
    for (int r = 0; r < n_ranges; ++r)
        if (ranges[2 * r] <= p && p < ranges[2 * r + 1]) return true;
    return false;
}
extern "C" __global__ void __launch_bounds__(THREADS, 1)
network_epoch(const Stored* __restrict__ X, const long long* __restrict__ classes,
              const Number* __restrict__ values, const Number* __restrict__ weight, int weighted,
              const long long* __restrict__ order, const long long* __restrict__ rows,
              const double* __restrict__ layer_numbers, int n_operations, int output,
              const long long* __restrict__ penalized, int n_penalized,
              const unsigned* __restrict__ keys, const Number* __restrict__ numbers,
              Number* state, Number* scratch, Number* __restrict__ losses, long long n, int d,
              int n_outputs, int size, int n_trained, int work, int widest, Number ahead,
              Number l2, Number max_norm, int averaged, int clips, long long n_taken,
              long long batch_size) {
    XPFIT_SHARED_MEMORY(memory);
    const Data data = {X, classes, values, weight, order, n, weighted, d, n_outputs, output};
    const Table table = {rows, layer_numbers, n_operations};
    const Options options = {ahead, l2, max_norm, averaged};
    const Memory s = lay_out(memory, scratch, state, size, n_trained, work, widest);
    const int n_arrays = 1 + SLOTS + averaged;
    for (int p = threadIdx.x; p < size; p += THREADS) {
        for (int a = 0; a < n_arrays; ++a) {
            // Statistics have no slots: zeros stand there.
            const bool none = p >= n_trained && 0 < a && a <= SLOTS;
            s.state[a * size + p] = none ? Number(0) : state[a * size + p];
        }
        s.at[p] = place_of(s.state, p, size, options);
    }
    int t = 0;
    for (long long first = 0; first < n_taken; first += batch_size, ++t) {
        const int m = int(first + batch_size < n_taken ? batch_size : n_taken - first);
        gather(data, first, m, s.work);
        __syncthreads();
        forward(table, s, m, keys[t]);
        const Number* raw = s.work + operation(table, n_operations - 1).output;
        const Number loss = losses_of(data, s, raw, first, m);
        if (threadIdx.x % WARP == 0) s.losses[threadIdx.x / WARP] = loss;
        __syncthreads();
        backward(table, s, m, keys[t]);
        const Number share = Number(1) / Number(m);
        if (threadIdx.x == 0) {
            Number total = Number(0);
            for (int warp = 0; warp < WARPS; ++warp) total += s.losses[warp];
            losses[t] = share * total;
        }
        for (int p = threadIdx.x; p < n_trained; p += THREADS) {
            const Number mean = share * s.gradient[p];
            s.gradient[p] = l2 != Number(0) && is_penalized(penalized, n_penalized, p)
                                ? mean + l2 * s.at[p]
                                : mean;
        }
        const Number factor = clips ? clip_factor(s.gradient, n_trained, max_norm, s.warps)
                                    : Number(1);
        const Number* own = numbers + t * NUMBERS;
        for (int p = threadIdx.x; p < size; p += THREADS) {
            if (p < n_trained) {
                take_step(s.state, p, size, factor * s.gradient[p], own,
                          is_penalized(penalized, n_penalized, p), options);
                s.at[p] = place_of(s.state, p, size, options);
            } else if (averaged) {
                Number& average = s.state[(1 + SLOTS) * size + p];
                average += own[SCALARS] * (s.state[p] - average);
            }
        }
    }
    if (!STATE_NEAR) return;
    for (int p = threadIdx.x; p < size; p += THREADS)
        for (int a = 0; a < n_arrays; ++a) state[a * size + p] = s.state[a * size + p];
}
"""
