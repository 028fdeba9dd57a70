"""CUDA C++ of all of an L-BFGS iteration but its pass over the data, by one block.

For small problems, where some seventy launches of library functions take longer than their work.
One block needs no launch between its steps, only barriers; it gives up all other multiprocessors.

The two products with the inverse Hessian (of the change of the gradient, for the scale, and of what
the first loop leaves of the gradient) are made together: the matrix, far the largest array here, is
read once. That is possible because the first loop does not need the scale.

Sums as long as a parameter vector are formed in the dtype of the arrays: no lane adds up more than
32 terms before the lanes are added in a tree, so a float32 sum is as good as the generic one, and
many GPUs do float64 at a 64th of the rate. The two triangular systems are solved in float64 always:
they are tiny, one number of each lane of a warp, and errors in them go into every parameter. A lane
multiplies by the inverse of its diagonal entry: a division would stand twenty times in the chain.

A row of the triangle belongs to the lane of its pair's age, the oldest first; the memory keeps
pairs by slot.
"""

from __future__ import annotations

# By how much the initial estimate may be rescaled: MAX_SCALE of core/solvers/lbfgs.py, which a
# backend cannot import. A test holds them together.
MOST_SCALED = 100.0

UPDATE = """
constexpr int PAIRS = {pairs}, PITCH = PAIRS + 1;
constexpr Number MOST_SCALED = Number({most_scaled});
constexpr Number LEAST_SCALED = Number(1.0 / {most_scaled});

// In which slot the pair of an age is, of n in use, and the other way round.
__device__ inline int slot_of(int age, int newest, int n) { return (age + newest + 1) % n; }
__device__ inline int age_of(int slot, int newest, int n) { return (slot - newest - 1 + n) % n; }

__device__ inline Number product(const Number* a, const Number* x, int size) {
    Number sum = Number(0);
    #pragma unroll 4
    for (int i = threadIdx.x % WARP; i < size; i += WARP) sum += a[i] * x[i];
    return lane_sum<1, WARP>(sum);
}
// a @ x and a @ z, with one read of a.
struct Two { Number x, z; };
__device__ inline Two products_of(const Number* a, const Number* x, const Number* z, int size) {
    Two sums = {Number(0), Number(0)};
    #pragma unroll 4
    for (int i = threadIdx.x % WARP; i < size; i += WARP) {
        const Number entry = a[i];
        sums.x += entry * x[i];
        sums.z += entry * z[i];
    }
    sums.x = lane_sum<1, WARP>(sums.x);
    sums.z = lane_sum<1, WARP>(sums.z);
    return sums;
}
// Entry i of the sum over the pairs of factor times vector.
__device__ inline Number combined(const Number* factors, const Number* vectors, int i, int size,
                                  int n) {
    Number sum = Number(0);
    #pragma unroll 4
    for (int j = 0; j < n; ++j) sum += factors[j] * vectors[j * size + i];
    return sum;
}
// R x = right, for R[a][b] = triangle[b][a] with a <= b; lane a gets x[a].
__device__ inline double solved(const double* triangle, double inverse, double right, int n) {
    const int lane = threadIdx.x % WARP;
    for (int b = n - 1; b >= 0; --b) {
        const double x = __shfl_sync(EVERY_LANE, right * inverse, b);
        if (lane < b) right -= triangle[b * PITCH + lane] * x;
    }
    return right * inverse;
}
// The same for the transpose of R.
__device__ inline double solved_transposed(const double* triangle, double inverse, double right,
                                           int n) {
    const int lane = threadIdx.x % WARP;
    for (int b = 0; b < n; ++b) {
        const double x = __shfl_sync(EVERY_LANE, right * inverse, b);
        if (lane > b && lane < n) right -= triangle[lane * PITCH + b] * x;
    }
    return right * inverse;
}

// steps, changes, products and scale are written to, and so may not be declared __restrict__: what
// a thread has written others read behind the next barrier.
extern "C" __global__ void __launch_bounds__(THREADS)
lbfgs_update(int n, int capacity, int slot, int size, Number* steps, Number* changes,
             Number* products, Number* scale, const Number* __restrict__ theta_before,
             const Number* __restrict__ gradient_before, const Number* __restrict__ theta,
             const Number* __restrict__ gradient, const Number* __restrict__ inverse,
             Number* __restrict__ along, Number* __restrict__ theta_after) {
    XPFIT_SHARED_MEMORY(memory);
    double* triangle = reinterpret_cast<double*>(memory);
    Number* by_slot = reinterpret_cast<Number*>(triangle + PAIRS * PITCH);
    Number* factors = by_slot + PAIRS;
    Number* parts = factors + PAIRS;
    Number* change = parts + 2 * WARP;
    Number* left = change + size;
    Number* solution = left + size;
    const int thread = threadIdx.x, lane = thread % WARP, warp = thread / WARP;
    const Number old_scale = scale[0];

    Number sum = Number(0);
    for (int i = thread; i < size; i += THREADS) {
        left[i] = theta[i] - theta_before[i];
        change[i] = gradient[i] - gradient_before[i];
        sum += left[i] * change[i];
    }
    const Number curvature = sum_over_warps(lane_sum<1, WARP>(sum), parts);
    // False for NaN, too.
    const bool keep = curvature > Number(0);
    for (int i = thread; i < size; i += THREADS) {
        if (!keep) change[i] = Number(0);
        steps[slot * size + i] = keep ? left[i] : Number(0);
        changes[slot * size + i] = change[i];
    }
    // All but the newest pair's row, which is made below.
    for (int entry = thread; entry < (n - 1) * n; entry += THREADS) {
        const int b = entry / n, a = entry % n;
        const int row = slot_of(b, slot, n), column = slot_of(a, slot, n);
        if (a <= b) triangle[b * PITCH + a] = double(products[row * capacity + column]);
    }
    for (int j = n + thread; j < capacity; j += THREADS) products[slot * capacity + j] = Number(0);
    __syncthreads();

    for (int j = warp; j < n; j += WARPS) {
        const Two two = products_of(steps + j * size, change, gradient, size);
        const Number entry = j != slot ? two.x : keep ? curvature : Number(1);
        if (lane == 0) {
            by_slot[j] = two.z;
            products[slot * capacity + j] = entry;
            triangle[(n - 1) * PITCH + age_of(j, slot, n)] = double(entry);
        }
    }
    __syncthreads();

    double diagonal = 1.0, alpha = 0.0;
    const int own = slot_of(lane, slot, n);
    if (warp == 0) {
        if (lane < n) diagonal = triangle[lane * PITCH + lane];
        alpha = solved(triangle, 1.0 / diagonal, lane < n ? double(by_slot[own]) : 0.0, n);
        if (lane < n) factors[own] = Number(alpha);
    }
    __syncthreads();
    for (int i = thread; i < size; i += THREADS)
        left[i] = gradient[i] - combined(factors, changes, i, size, n);
    __syncthreads();

    sum = Number(0);
    for (int i = warp; i < size; i += WARPS) {
        const Two two = products_of(inverse + i * size, change, left, size);
        sum += change[i] * two.x;
        if (lane == 0) solution[i] = two.z;
    }
    const Number estimated = sum_over_warps(sum, parts + WARP);
    // Comparisons that NaN passes: fmin and fmax would drop it.
    const Number ratio = estimated > Number(0) ? curvature / estimated : Number(1);
    const Number bounded =
        ratio < LEAST_SCALED ? LEAST_SCALED : ratio > MOST_SCALED ? MOST_SCALED : ratio;
    const Number scaled = keep ? bounded : old_scale;
    if (thread == 0) scale[0] = scaled;
    for (int j = warp; j < n; j += WARPS) {
        const Number entry = scaled * product(changes + j * size, solution, size);
        if (lane == 0) by_slot[j] = entry;
    }
    __syncthreads();

    if (warp == 0) {
        const double right = lane < n ? diagonal * alpha - double(by_slot[own]) : 0.0;
        const double delta = solved_transposed(triangle, 1.0 / diagonal, right, n);
        if (lane < n) factors[own] = Number(delta);
    }
    __syncthreads();
    for (int i = thread; i < size; i += THREADS) {
        const Number direction = -(scaled * solution[i] + combined(factors, steps, i, size, n));
        along[i] = direction;
        theta_after[i] = theta[i] + direction;
    }
}
"""

# What an attempt is judged by: slope at the start, cost, slope and largest gradient at the end.
NUMBERS = """
__device__ inline Number larger(Number a, Number b) {
    return a > b || a != a ? a : b;  // a != a: NaN goes through, from either side
}

extern "C" __global__ void __launch_bounds__(THREADS)
step_numbers(int size, const Number* __restrict__ start, const Number* __restrict__ along,
             const Number* __restrict__ value, const Number* __restrict__ gradient,
             Number* __restrict__ numbers) {
    XPFIT_SHARED_MEMORY(memory);
    Number* parts = reinterpret_cast<Number*>(memory);
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    Number slope = Number(0), slope_there = Number(0), largest = Number(0);
    for (int i = threadIdx.x; i < size; i += THREADS) {
        slope += start[i] * along[i];
        slope_there += gradient[i] * along[i];
        largest = larger(largest, fabs(gradient[i]));
    }
    slope = lane_sum<1, WARP>(slope);
    slope_there = lane_sum<1, WARP>(slope_there);
    for (int offset = 1; offset < WARP; offset *= 2)
        largest = larger(largest, __shfl_xor_sync(EVERY_LANE, largest, offset));
    if (lane == 0) {
        parts[warp] = slope;
        parts[WARP + warp] = slope_there;
        parts[2 * WARP + warp] = largest;
    }
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int other = 1; other < WARPS; ++other) {
        slope += parts[other];
        slope_there += parts[WARP + other];
        largest = larger(largest, parts[2 * WARP + other]);
    }
    numbers[0] = slope;
    numbers[1] = value[0];
    numbers[2] = slope_there;
    numbers[3] = largest;
}
"""
