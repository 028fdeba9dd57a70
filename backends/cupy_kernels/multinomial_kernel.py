"""CUDA C++ of loss and gradient of the half multinomial loss: X goes into shared memory, once.

A tile of ROWS rows lies in shared memory as it is stored, column by column and with one entry of
padding, so that neighbouring threads find neighbouring rows (product) or columns (accumulation)
without bank conflicts. W is read from global memory: a block reads all of it once a tile, from L1
or L2. Registers could not hold the n_classes * d sums of a slot, so they lie in shared memory; a
thread adds to them once a tile.
"""

from __future__ import annotations

BODY = """
constexpr bool C_ORDER = {c_order};
constexpr int ROWS = {rows}, STRIDE = ROWS + 1, SEGMENTS = THREADS / ROWS;
// For the accumulation: SPLIT threads share the rows of a column.
constexpr int COLUMNS = {columns}, SPLIT = {split};
constexpr int CLASSES = 4;  // worked on at a time: each entry of X read serves four products

struct Shared {
    Number *sums, *sums_b, *losses, *parts, *raw, *largest, *scale;
    Stored* tile;
};
__device__ inline Shared lay_out(unsigned char* memory, int d, int n_classes) {
    Shared s;
    s.sums = reinterpret_cast<Number*>(memory);
    s.sums_b = s.sums + SPLIT * n_classes * d;
    s.losses = s.sums_b + n_classes;
    s.parts = s.losses + THREADS;
    s.raw = s.parts + CLASSES * THREADS;
    s.largest = s.raw + n_classes * ROWS;
    s.scale = s.largest + ROWS;
    s.tile = reinterpret_cast<Stored*>(s.scale + ROWS);
    return s;
}
__device__ inline void load(Stored* tile, const Stored* __restrict__ X, long long base,
                            long long last, long long n, int d) {
    for (int index = threadIdx.x * VECTOR; index < ROWS * d; index += THREADS * VECTOR) {
        const int i = C_ORDER ? index / d : index % ROWS, j = C_ORDER ? index % d : index / ROWS;
        const long long row = base + i, place = C_ORDER ? row * d + j : j * n + row;
        Vector x = Vector{};
        if (row < last) x = *reinterpret_cast<const Vector*>(X + place);
        #pragma unroll
        for (int k = 0; k < VECTOR; ++k) tile[(j + k) * STRIDE + i] = x.entry[k];
    }
}
// s.raw[k, i] = x_i w_k + b_k: a thread takes the columns of its segment, then these are added up.
__device__ inline void products(const Shared& s, const Number* __restrict__ W,
                                const Number* __restrict__ b, int d, int n_classes) {
    const int i = threadIdx.x % ROWS, segment = threadIdx.x / ROWS;
    for (int first = 0; first < n_classes; first += CLASSES) {
        Number sums[CLASSES] = {};
        for (int j = segment; j < d; j += SEGMENTS) {
            const Number x = number(s.tile[j * STRIDE + i]);
            #pragma unroll
            for (int k = 0; k < CLASSES; ++k)
                if (first + k < n_classes) sums[k] += x * W[(long long)(first + k) * d + j];
        }
        #pragma unroll
        for (int k = 0; k < CLASSES; ++k) s.parts[k * THREADS + threadIdx.x] = sums[k];
        __syncthreads();
        for (int index = threadIdx.x; index < CLASSES * ROWS; index += THREADS) {
            const int k = index / ROWS, row = index % ROWS;
            if (first + k < n_classes) {
                Number total = b[first + k];
                for (int part = 0; part < SEGMENTS; ++part)
                    total += s.parts[k * THREADS + part * ROWS + row];
                s.raw[(first + k) * ROWS + row] = total;
            }
        }
        __syncthreads();
    }
}
// s.raw becomes weight * (softmax - one_hot); the return value is this thread's share of the loss.
__device__ inline Number softmax(const Shared& s, const long long* __restrict__ y,
                                 const Number* __restrict__ weight, int weighted, long long base,
                                 long long last, int n_classes) {
    const int i = threadIdx.x;
    const bool has_row = i < ROWS && base + i < last;
    const Number w = has_row && weighted ? weight[base + i] : Number(1);
    const long long label = has_row ? y[base + i] : -1;
    Number chosen = Number(0), loss = Number(0);
    if (i < ROWS) {
        Number largest = s.raw[i];
        for (int k = 0; k < n_classes; ++k) {
            const Number raw = s.raw[k * ROWS + i];
            if (raw > largest) largest = raw;
            if (k == label) chosen = raw;
        }
        s.largest[i] = largest;
    }
    __syncthreads();
    for (int index = threadIdx.x; index < n_classes * ROWS; index += THREADS)
        s.raw[index] = exp(s.raw[index] - s.largest[index % ROWS]);
    __syncthreads();
    if (i < ROWS) {
        Number total = Number(0);
        for (int k = 0; k < n_classes; ++k) total += s.raw[k * ROWS + i];
        if (has_row) loss = w * ((s.largest[i] - chosen) + log(total));
        s.scale[i] = has_row ? w / total : Number(0);
        for (int k = 0; k < n_classes; ++k) {
            const Number g = s.raw[k * ROWS + i] * s.scale[i];
            s.raw[k * ROWS + i] = k == label ? g - w : g;
        }
    }
    __syncthreads();
    return loss;
}
__device__ inline void accumulate(const Shared& s, int d, int n_classes) {
    const int part = threadIdx.x / COLUMNS;
    if (part < SPLIT) {
        for (int first = 0; first < n_classes; first += CLASSES) {
            for (int j = threadIdx.x % COLUMNS; j < d; j += COLUMNS) {
                Number sums[CLASSES] = {};
                #pragma unroll 4
                for (int i = part; i < ROWS; i += SPLIT) {
                    const Number x = number(s.tile[j * STRIDE + i]);
                    #pragma unroll
                    for (int k = 0; k < CLASSES; ++k)
                        if (first + k < n_classes) sums[k] += x * s.raw[(first + k) * ROWS + i];
                }
                #pragma unroll
                for (int k = 0; k < CLASSES; ++k)
                    if (first + k < n_classes)
                        s.sums[(part * n_classes + first + k) * d + j] += sums[k];
            }
        }
    }
    for (int k = threadIdx.x; k < n_classes; k += THREADS) {
        Number sum = Number(0);
        for (int i = 0; i < ROWS; ++i) sum += s.raw[k * ROWS + i];
        s.sums_b[k] += sum;
    }
    __syncthreads();
}
__device__ inline void finish(const Shared& s, Number loss, int d, int n_classes, double* out) {
    const int size = n_classes * d;
    s.losses[threadIdx.x] = loss;
    __syncthreads();
    for (int index = threadIdx.x; index < size; index += THREADS) {
        double total = 0.0;
        for (int part = 0; part < SPLIT; ++part) total += double(s.sums[part * size + index]);
        out[index] = total;
    }
    for (int k = threadIdx.x; k < n_classes; k += THREADS) out[size + k] = double(s.sums_b[k]);
    if (threadIdx.x == 0) {
        double total = 0.0;
        for (int i = 0; i < smaller(ROWS, THREADS); ++i) total += double(s.losses[i]);
        out[size + n_classes] = total;
    }
    __syncthreads();
}

extern "C" __global__ void __launch_bounds__(THREADS)
multinomial_pass(const Stored* __restrict__ X, const long long* __restrict__ y,
                 const Number* __restrict__ weight, int weighted, const Number* __restrict__ W,
                 const Number* __restrict__ b, int n_classes, long long n, int d,
                 long long slot_rows, int n_slots, double* __restrict__ slots) {
    XPFIT_SHARED_MEMORY(memory);
    const Shared s = lay_out(memory, d, n_classes);
    const long long n_sums = (long long)n_classes * d + n_classes + 1;
    for (int slot = blockIdx.x; slot < n_slots; slot += gridDim.x) {
        const long long first = slot * slot_rows;
        const long long last = first + slot_rows < n ? first + slot_rows : n;
        for (int index = threadIdx.x; index < (SPLIT * d + 1) * n_classes; index += THREADS)
            s.sums[index] = Number(0);  // sums_b stands right behind
        Number loss = Number(0);
        for (long long base = first; base < last; base += ROWS) {
            load(s.tile, X, base, last, n, d);
            __syncthreads();
            products(s, W, b, d, n_classes);
            loss += softmax(s, y, weight, weighted, base, last, n_classes);
            accumulate(s, d, n_classes);
        }
        __syncthreads();
        finish(s, loss, d, n_classes, slots + slot * n_sums);
    }
}
"""
