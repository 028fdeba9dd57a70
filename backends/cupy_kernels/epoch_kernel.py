"""CUDA C++ of mini-batch descent: an epoch in one launch, or a step in two.

`state` holds arrays of the shape of the parameters, (n_outputs, width), one behind the other:
theta, the slots of the optimizer, the average where one is kept. In an epoch of one block a
parameter belongs to one thread, from the sum of its gradient to its step, so a step waits at
barriers four times, and six where gradients are clipped; a chunk of rows more costs three.

All sums have an order that follows from the sizes alone, and nothing is added atomically.
"""

from __future__ import annotations

# Of networks too: options, the place of the gradient, clipping, the step of one parameter.
STEP = """
// Of each step: those of the rule, the gain of the average, the threshold of the L1 penalty.
constexpr int NUMBERS = SCALARS + 2;
struct Options {
    Number ahead, l2, max_norm;
    int averaged;
};
// Where the gradient is taken.
__device__ inline Number place_of(const Number* state, int p, int size, const Options& options) {
    if (SLOTS == 0 || options.ahead == Number(0)) return state[p];
    return state[p] + options.ahead * state[size + p];
}
__device__ inline Number lane_maximum(Number x) {
    #pragma unroll
    for (int offset = 1; offset < WARP; offset *= 2)
        x = xp_maximum(x, __shfl_xor_sync(EVERY_LANE, x, offset));
    return x;
}
// What gradients are multiplied by, so that their norm is at most max_norm. As in the generic
// engine, squares are taken of numbers divided by the largest, and NaN passes.
__device__ inline Number clip_factor(const Number* gradient, int size, Number max_norm,
                                     Number* warps) {
    const int lane = threadIdx.x % WARP;
    Number largest = Number(0), squares = Number(0);
    for (int p = threadIdx.x; p < size; p += THREADS)
        largest = xp_maximum(largest, Number(fabs(gradient[p])));
    largest = lane_maximum(largest);
    if (lane == 0) warps[threadIdx.x / WARP] = largest;
    __syncthreads();
    largest = lane_maximum(lane < WARPS ? warps[lane] : Number(0));
    const bool usable = largest > Number(0) && largest < xp_infinity<Number>();
    const Number scale = usable ? largest : Number(1);
    for (int p = threadIdx.x; p < size; p += THREADS) squares += xp_square(gradient[p] / scale);
    const Number norm = scale * sqrt(sum_over_warps(lane_sum<1, WARP>(squares), warps + WARP));
    const Number factor = max_norm / (norm + Number({norm_floor}));
    return factor > Number(1) ? Number(1) : factor;
}
// One parameter's step; `numbers` are those of the rule, then the gain of the average, and how far
// the L1 penalty pulls coefficients to zero.
__device__ inline void take_step(Number* state, int p, int size, Number gradient,
                                 const Number* numbers, bool penalized,
                                 const Options& options) {
    Number found[1 + SLOTS];
    const Number parameter = state[p];
    update_rule<Number>(found, {rule_arguments});
    Number theta = parameter + found[0];
    const Number threshold = penalized ? numbers[SCALARS + 1] : Number(0);
    if (threshold > Number(0)) {
        // Not fmin and fmax: NaN passes, so that a fit which diverged says so.
        theta -= theta > threshold ? threshold : theta < -threshold ? -threshold : theta;
    }
    state[p] = theta;
    #pragma unroll
    for (int slot = 1; slot <= SLOTS; ++slot) state[slot * size + p] = found[slot];
    if (options.averaged) {
        Number& average = state[(1 + SLOTS) * size + p];
        average += numbers[SCALARS] * (theta - average);
    }
}
"""

MEAN = """
__device__ inline Number mean_gradient(Number sum, Number at, int p, int count, const Data& data,
                                       const Options& options) {
    const Number mean = (Number(1) / Number(count)) * sum;
    return p % data.width < data.d ? mean + options.l2 * at : mean;
}
"""

EPOCH = """
// All steps of an epoch, by one block. The state lies in shared memory meanwhile if it fits. One
// block a multiprocessor is said outright: left to itself, ptxas saves registers for a second one.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
minibatch_epoch(const Stored* __restrict__ X, const Target* __restrict__ y,
                const Number* __restrict__ weight, int weighted,
                const long long* __restrict__ order, const Number* __restrict__ numbers,
                Number* state, Number* __restrict__ losses {parameters}, long long n, int d,
                int width, int n_outputs, Number ahead, Number l2, Number max_norm, int averaged,
                int clips, long long n_taken, long long batch_size) {
    XPFIT_SHARED_MEMORY(memory);
    const Data data = {X, y, weight, order, n, weighted, d, width, n_outputs};
    const Options options = {ahead, l2, max_norm, averaged};
    const Shared s = lay_out(memory, width, n_outputs);
    const int size = width * n_outputs, n_arrays = 1 + SLOTS + averaged;
    Number* own = {in_shared} ? s.state : state;
    for (int p = threadIdx.x; p < size; p += THREADS) {
        if ({in_shared})
            for (int a = 0; a < n_arrays; ++a) own[a * size + p] = state[a * size + p];
        s.at[p] = place_of(own, p, size, options);
    }
    __syncthreads();
    int t = 0;
    for (long long first = 0; first < n_taken; first += batch_size, ++t) {
        const long long last = first + batch_size < n_taken ? first + batch_size : n_taken;
        const int count = int(last - first);
        const Number loss = lane_sum<1, WARP>(add_up(data, s, first, last {names}));
        if (threadIdx.x % WARP == 0) s.losses[threadIdx.x / WARP] = loss;
        for (int p = threadIdx.x; p < size; p += THREADS)
            s.parts[p] = mean_gradient(gradient_sum(s.parts, p, size), s.at[p], p, count, data,
                                       options);
        const Number factor = clips ? clip_factor(s.parts, size, max_norm, s.warps) : Number(1);
        for (int p = threadIdx.x; p < size; p += THREADS) {
            take_step(own, p, size, factor * s.parts[p], numbers + t * NUMBERS,
                      p % width < d, options);
            s.at[p] = place_of(own, p, size, options);
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            Number total = Number(0);
            for (int warp = 0; warp < WARPS; ++warp) total += s.losses[warp];
            losses[t] = (Number(1) / Number(count)) * total;
        }
    }
    if (!{in_shared}) return;
    for (int p = threadIdx.x; p < size; p += THREADS)
        for (int a = 0; a < n_arrays; ++a) state[a * size + p] = own[a * size + p];
}
"""

# A step of large batches: sums of some rows by each block, then the step itself.
STEPWISE = """
extern "C" __global__ void __launch_bounds__(THREADS, 2)
batch_sums(const Stored* __restrict__ X, const Target* __restrict__ y,
           const Number* __restrict__ weight, int weighted, const long long* __restrict__ order,
           const Number* __restrict__ state, Number* __restrict__ sums {parameters}, long long n,
           int d, int width, int n_outputs, Number ahead, long long first, long long last,
           int block_rows) {
    XPFIT_SHARED_MEMORY(memory);
    const Data data = {X, y, weight, order, n, weighted, d, width, n_outputs};
    const Options options = {ahead};
    const Shared s = lay_out(memory, width, n_outputs);
    const int size = width * n_outputs;
    for (int p = threadIdx.x; p < size; p += THREADS) s.at[p] = place_of(state, p, size, options);
    __syncthreads();
    const long long begin = first + (long long)blockIdx.x * block_rows;
    const long long end = begin + block_rows < last ? begin + block_rows : last;
    const Number loss = lane_sum<1, WARP>(add_up(data, s, begin, end {names}));
    const Number total = sum_over_warps(loss, s.warps);
    Number* out = sums + (long long)blockIdx.x * (size + 1);
    for (int p = threadIdx.x; p < size; p += THREADS) out[p] = gradient_sum(s.parts, p, size);
    if (threadIdx.x == 0) out[size] = total;
}

// 32 parameters a block and turn; to clip, one block must take them all.
extern "C" __global__ void __launch_bounds__(THREADS)
batch_step(const Number* __restrict__ sums, int n_parts, const Number* __restrict__ numbers,
           Number* state, Number* gradient, Number* __restrict__ losses, int t, int count, int d,
           int width, int n_outputs, Number ahead, Number l2, Number max_norm, int averaged,
           int clips) {
    __shared__ Number parts[WARPS][WARP], warps[2 * WARP];
    Data data = {};
    data.d = d;
    data.width = width;
    const Options options = {ahead, l2, max_norm, averaged};
    const int size = width * n_outputs, lane = threadIdx.x % WARP, part = threadIdx.x / WARP;
    for (int base = blockIdx.x * WARP; base <= size; base += gridDim.x * WARP) {
        const int p = base + lane;
        Number total = Number(0);
        if (p <= size)
            for (int other = part; other < n_parts; other += WARPS)
                total += sums[(long long)other * (size + 1) + p];
        parts[part][lane] = total;
        __syncthreads();
        if (part == 0 && p <= size) {
            for (int other = 1; other < WARPS; ++other) total += parts[other][lane];
            if (p == size) losses[t] = (Number(1) / Number(count)) * total;
            else gradient[p] = mean_gradient(total, place_of(state, p, size, options), p, count,
                                             data, options);
        }
        __syncthreads();
    }
    const Number factor = clips ? clip_factor(gradient, size, max_norm, warps) : Number(1);
    for (int own = threadIdx.x;; own += THREADS) {
        const int p = (own / WARP * gridDim.x + blockIdx.x) * WARP + own % WARP;
        if (p >= size) return;
        take_step(state, p, size, factor * gradient[p], numbers + t * NUMBERS, p % width < d,
                  options);
    }
}
"""
