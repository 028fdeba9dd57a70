// Runs generated CUDA C++ on the CPU: the threads of a block are fibers of one thread, which take
// turns where CUDA would let them wait. See cuda_emulation.py.
//
// A barrier that some threads never reach is an error instead of a hang. `stride` sets the order in
// which threads take turns: a result that depends on it shows a missing barrier. Shared memory
// starts as NaN, and what lies behind it is checked for writes.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __host__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define XPFIT_SHARED_MEMORY(name) unsigned char* name = emulation::shared

struct Index { unsigned x, y, z; };
static Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
constexpr int MOST_THREADS = 1024, STACK = 1 << 16, GUARD = 4096;
static unsigned char* shared;
static ucontext_t home, fibers[MOST_THREADS];
static char* stacks;
static bool done[MOST_THREADS];
static int count, current, stride, idle, running;
static const char* problem;

struct Barrier {
    int arrived;
    unsigned generation;
};
static Barrier block, warps[MOST_THREADS / 32];
static unsigned long long exchanged[MOST_THREADS / 32][2][32];

static void pass_on() {
    const int previous = current;
    do current = (current + stride) % count; while (done[current] && running > 0);
    threadIdx.x = unsigned(current);
    if (running == 0 || problem) setcontext(&home);
    if (current != previous) swapcontext(&fibers[previous], &fibers[current]);
    threadIdx.x = unsigned(current);
}
static void wait_at(Barrier& barrier, int members) {
    const unsigned generation = barrier.generation;
    if (++barrier.arrived == members) {
        barrier.arrived = 0;
        ++barrier.generation;
        idle = 0;
        return;
    }
    while (barrier.generation == generation) {
        if (++idle > 4 * count) problem = "threads wait at a barrier that others never reach";
        pass_on();
    }
}
template <typename T> static T exchange(T value, int source) {
    const int warp = current / 32, lane = current % 32;
    const unsigned turn = warps[warp].generation & 1u;
    memcpy(&exchanged[warp][turn][lane], &value, sizeof(T));
    wait_at(warps[warp], 32);
    memcpy(&value, &exchanged[warp][turn][source], sizeof(T));
    return value;
}
template <typename Kernel> struct Start {
    static Kernel* kernel;
    static void run() {
        (*kernel)();
        done[current] = true;
        --running;
        idle = 0;
        pass_on();
    }
};
template <typename Kernel> Kernel* Start<Kernel>::kernel;

template <typename Kernel>
const char* launch(int blocks, int threads, long shared_bytes, int order, Kernel kernel) {
    if (!stacks) stacks = static_cast<char*>(malloc(size_t(MOST_THREADS) * STACK));
    unsigned char* memory = static_cast<unsigned char*>(aligned_alloc(16, (shared_bytes / 16 + 1) * 16 + GUARD));
    shared = memory;
    count = threads;
    stride = order;
    problem = nullptr;
    gridDim.x = unsigned(blocks);
    blockDim.x = unsigned(threads);
    Start<Kernel>::kernel = &kernel;
    for (volatile int index = 0; index < blocks && !problem; index = index + 1) {
        blockIdx.x = unsigned(index);
        memset(shared, 0xff, size_t(shared_bytes) + GUARD);
        block = Barrier{};
        memset(warps, 0, sizeof warps);
        running = threads;
        idle = 0;
        for (int i = 0; i < threads; ++i) {
            done[i] = false;
            getcontext(&fibers[i]);
            fibers[i].uc_stack.ss_sp = stacks + size_t(i) * STACK;
            fibers[i].uc_stack.ss_size = STACK;
            fibers[i].uc_link = nullptr;
            makecontext(&fibers[i], &Start<Kernel>::run, 0);
        }
        current = 0;
        threadIdx.x = 0;
        swapcontext(&home, &fibers[0]);
        for (int i = 0; i < GUARD; ++i)
            if (shared[shared_bytes + i] != 0xff) problem = "a write behind shared memory";
    }
    free(memory);
    return problem;
}
}  // namespace emulation

static void __syncthreads() { emulation::wait_at(emulation::block, emulation::count); }
template <typename T> static T __shfl_xor_sync(unsigned, T value, int offset) {
    return emulation::exchange(value, (emulation::current % 32) ^ offset);
}
template <typename T> static T __shfl_sync(unsigned, T value, int source, int width = 32) {
    const int lane = emulation::current % 32;
    return emulation::exchange(value, lane / width * width + source % width);
}
static inline float __uint_as_float(unsigned bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
