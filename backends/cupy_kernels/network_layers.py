"""CUDA C++ of the layers of a network, on one batch, by the threads of a block.

Matrices are (m, columns), row after row. Each number is one thread's or one warp's, which adds up
in an order that follows from the sizes alone; nothing is added atomically. `d` is the derivative of
the batch's loss with respect to an output.

The arithmetic is that of `core/network`, by the names of the layers. Their formulas are written out
here, as they are for Numba: on arrays they are written with functions that `formula.py` does not
know.
"""

from __future__ import annotations

ACTIVATIONS = """
__device__ inline Number sigmoid(Number x) {
    const Number e = exp(-fabs(x)), share = Number(1) / (Number(1) + e);
    return x < Number(0) ? e * share : share;
}
__device__ inline Number activated(int activation, Number slope, Number x) {
    const Number zero = Number(0), half = Number(0.5), one = Number(1);
    const Number scale = Number({gelu_scale}), cube = Number({gelu_cube});
    switch (activation) {
        case SIGMOID: return sigmoid(x);
        case TANH: return tanh(x);
        case RELU: return x <= zero ? zero : x;
        case LEAKY_RELU: return x > zero ? x : slope * x;
        case GELU: return half * x * (one + tanh(scale * (x + cube * x * x * x)));
        case SOFTPLUS: return (x > zero ? x : zero) + log1p(exp(-fabs(x)));
    }
    return x;
}
// From the output (sigmoid, tanh, ReLU, leaky ReLU) or from x (the others).
__device__ inline Number derivative(int activation, Number slope, Number kept) {
    const Number zero = Number(0), half = Number(0.5), one = Number(1);
    const Number scale = Number({gelu_scale}), cube = Number({gelu_cube});
    const Number square = kept * kept;
    switch (activation) {
        case SIGMOID: return kept * (one - kept);
        case TANH: return one - square;
        case RELU: return kept > zero ? one : zero;
        case LEAKY_RELU: return kept > zero ? one : slope;
        case GELU: {
            const Number t = tanh(scale * (kept + cube * kept * square));
            const Number along = scale * (one + Number(3) * cube * square);
            return half * (one + t) + half * kept * (one - t * t) * along;
        }
        case SOFTPLUS: return sigmoid(kept);
    }
    return one;
}
// What an entry of dropout's input is multiplied by; the hash of core/network/uniform.py.
__device__ inline Number drawn(unsigned place, unsigned key, double rate) {
    unsigned bits = place * {golden}u + key;
    bits = (bits ^ (bits >> 16)) * {mix_1}u;
    bits = (bits ^ (bits >> 13)) * {mix_2}u;
    bits ^= bits >> 16;
    const bool stays = bits >= unsigned(rate * 4294967296.0);
    return stays ? Number(1.0 / (1.0 - rate)) : Number(0);
}
"""

PRODUCTS = """
constexpr int HELD = 4;  // rows of a result that a thread works on at a time
struct Factor {
    const Number* entries;
    int row, column;  // how far apart neighbours in a column, and in a row, lie
};
// out[i, j] = activated(sum over l of a[i, l] * b[l, j] + bias[j]), for so many rows and columns.
//
// Neighbouring threads have neighbouring columns. Where those of b lie an even number of entries
// apart, as in a product with W', many threads would read one bank of shared memory at a time: each
// then begins at an l of its own, and goes around.
__device__ inline void multiply(Factor a, Factor b, int rows, int columns, int inner, Number* out,
                                const Number* bias, int activation, Number slope) {
    const int groups = (rows + HELD - 1) / HELD;
    for (int own = threadIdx.x; own < groups * columns; own += THREADS) {
        const int j = own % columns, first = own / columns * HELD;
        const Number *left[HELD], *right = b.entries + j * b.column;
        Number sums[HELD] = {};
        #pragma unroll
        for (int r = 0; r < HELD; ++r)
            left[r] = a.entries + smaller(first + r, rows - 1) * a.row;
        int l = b.column % 2 == 0 ? j % inner : 0;
        #pragma unroll 4
        for (int step = 0; step < inner; ++step) {
            const Number entry = right[l * b.row];
            #pragma unroll
            for (int r = 0; r < HELD; ++r) sums[r] += left[r][l * a.column] * entry;
            l = l + 1 == inner ? 0 : l + 1;
        }
        const Number shift = bias ? bias[j] : Number(0);
        #pragma unroll
        for (int r = 0; r < HELD; ++r)
            if (first + r < rows)
                out[(first + r) * columns + j] = activated(activation, slope, sums[r] + shift);
    }
}
__device__ inline void column_sums(const Number* d, int m, int columns, Number* sums) {
    for (int j = threadIdx.x; j < columns; j += THREADS) {
        Number sum = Number(0);
        for (int i = 0; i < m; ++i) sum += d[i * columns + j];
        sums[j] = sum;
    }
}
"""

# A warp has a row, or a thread a column. `inverse` is 1 / sqrt(variance + epsilon).
ROWS = """
struct Normalized {
    const Number *gamma, *beta;
    Number *z, *inverse;
};
__device__ inline void layer_norm(const Number* x, Normalized s, int m, int n, Number epsilon,
                                  Number* out, int activation, Number slope) {
    const int lane = threadIdx.x % WARP;
    for (int i = threadIdx.x / WARP; i < m; i += WARPS) {
        Number total = Number(0), squares = Number(0);
        for (int j = lane; j < n; j += WARP) total += x[i * n + j];
        const Number mean = lane_sum<1, WARP>(total) / Number(n);
        for (int j = lane; j < n; j += WARP) squares += xp_square(x[i * n + j] - mean);
        const Number variance = lane_sum<1, WARP>(squares) / Number(n);
        const Number inverse = Number(1) / sqrt(variance + epsilon);
        if (lane == 0) s.inverse[i] = inverse;
        for (int j = lane; j < n; j += WARP) {
            const Number z = (x[i * n + j] - mean) * inverse;
            s.z[i * n + j] = z;
            out[i * n + j] = activated(activation, slope, s.gamma[j] * z + s.beta[j]);
        }
    }
}
// d becomes inverse * (d_z - mean(d_z) - z * mean(d_z * z)), d_z = gamma * d; first, all threads
// wait for those that add up its columns.
__device__ inline void layer_norm_back(Number* d, Normalized s, int m, int n) {
    __syncthreads();
    const int lane = threadIdx.x % WARP;
    for (int i = threadIdx.x / WARP; i < m; i += WARPS) {
        Number total = Number(0), along = Number(0);
        for (int j = lane; j < n; j += WARP) {
            const Number own = s.gamma[j] * d[i * n + j];
            total += own;
            along += own * s.z[i * n + j];
        }
        const Number mean = lane_sum<1, WARP>(total) / Number(n);
        along = lane_sum<1, WARP>(along) / Number(n);
        for (int j = lane; j < n; j += WARP)
            d[i * n + j] = s.inverse[i] * (s.gamma[j] * d[i * n + j] - mean
                                           - s.z[i * n + j] * along);
    }
}
// The running mean and variance move by `momentum`; one row says nothing of a variance.
__device__ inline void batch_norm(const Number* x, Normalized s, int m, int n, Number momentum,
                                  Number epsilon, Number* running, Number* out, int activation,
                                  Number slope) {
    for (int j = threadIdx.x; j < n; j += THREADS) {
        Number total = Number(0), squares = Number(0);
        for (int i = 0; i < m; ++i) total += x[i * n + j];
        const Number mean = total / Number(m);
        for (int i = 0; i < m; ++i) squares += xp_square(x[i * n + j] - mean);
        const Number inverse = Number(1) / sqrt(squares / Number(m) + epsilon);
        s.inverse[j] = inverse;
        running[j] += momentum * (mean - running[j]);
        if (m > 1) running[n + j] += momentum * (squares / Number(m - 1) - running[n + j]);
        for (int i = 0; i < m; ++i) {
            const Number z = (x[i * n + j] - mean) * inverse;
            s.z[i * n + j] = z;
            out[i * n + j] = activated(activation, slope, s.gamma[j] * z + s.beta[j]);
        }
    }
}
// Gradients of gamma and beta, and what d becomes before the normalization of a batch.
__device__ inline void norm_back(Number* d, Normalized s, int m, int n, Number* gradient,
                                 bool by_columns) {
    for (int j = threadIdx.x; j < n; j += THREADS) {
        Number total = Number(0), along = Number(0);
        for (int i = 0; i < m; ++i) {
            total += d[i * n + j];
            along += d[i * n + j] * s.z[i * n + j];
        }
        gradient[j] = along;
        gradient[n + j] = total;
        if (!by_columns) continue;
        const Number factor = s.gamma[j] * s.inverse[j], share = Number(1) / Number(m);
        for (int i = 0; i < m; ++i)
            d[i * n + j] = factor * (d[i * n + j] - (total + s.z[i * n + j] * along) * share);
    }
}
__device__ inline void softmax(const Number* x, int m, int n, bool logarithm, Number* out) {
    const int lane = threadIdx.x % WARP;
    for (int i = threadIdx.x / WARP; i < m; i += WARPS) {
        const Number* own = x + i * n;
        Number largest = -xp_infinity<Number>(), total = Number(0);
        for (int j = lane; j < n; j += WARP) largest = xp_maximum(largest, own[j]);
        largest = lane_maximum(largest);
        for (int j = lane; j < n; j += WARP) total += exp(own[j] - largest);
        total = lane_sum<1, WARP>(total);
        const Number shift = log(total);
        for (int j = lane; j < n; j += WARP) {
            const Number below = own[j] - largest;
            out[i * n + j] = logarithm ? below - shift : exp(below) / total;
        }
    }
}
__device__ inline void softmax_back(Number* d, const Number* out, int m, int n, bool logarithm) {
    const int lane = threadIdx.x % WARP;
    for (int i = threadIdx.x / WARP; i < m; i += WARPS) {
        Number along = Number(0);
        for (int e = i * n + lane; e < i * n + n; e += WARP)
            along += logarithm ? d[e] : d[e] * out[e];
        along = lane_sum<1, WARP>(along);
        for (int e = i * n + lane; e < i * n + n; e += WARP)
            d[e] = logarithm ? d[e] - exp(out[e]) * along : out[e] * (d[e] - along);
    }
}
"""
