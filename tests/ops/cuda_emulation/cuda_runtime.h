// Just enough of CUDA to run the kernels on a CPU: it finds wrong indices, not races and not speed.
//
// Blocks run one after another. The threads of a block are fibers that take turns at __syncthreads(), so
// that a __shared__ array is one static array.
#ifndef TF_POSE3D_TESTS_CUDA_EMULATION_H_
#define TF_POSE3D_TESTS_CUDA_EMULATION_H_

#include <ucontext.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(threads)

using std::ceil;
using std::floor;
using std::round;

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1) : x(x_size), y(y_size), z(z_size) {}
};

typedef int cudaError_t;
typedef void* cudaStream_t;
constexpr cudaError_t cudaSuccess = 0;

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t) {
  if (bytes > 0) memset(data, value, bytes);
  return cudaSuccess;
}

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

template <typename T>
T atomicAdd(T* address, T value) {
  const T before = *address;
  *address += value;
  return before;
}

namespace cuda_emulation {

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  bool done = false;
};

inline ucontext_t scheduler;
inline Fiber* running = nullptr;
inline const std::function<void()>* body = nullptr;

inline void Start() {
  (*body)();
  running->done = true;
  swapcontext(&running->context, &scheduler);
}

inline void RunBlock(unsigned threads, const std::function<void()>& kernel) {
  constexpr size_t kStack = 256 * 1024;
  static std::vector<Fiber> fibers;
  if (fibers.size() < threads) fibers.resize(threads);
  body = &kernel;
  for (unsigned t = 0; t < threads; ++t) {
    Fiber& fiber = fibers[t];
    if (!fiber.stack) fiber.stack.reset(new char[kStack]);
    fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStack;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, Start, 0);
  }
  for (bool busy = true; busy;) {
    busy = false;
    for (unsigned t = 0; t < threads; ++t) {
      if (fibers[t].done) continue;
      running = &fibers[t];
      threadIdx = dim3(t, 0, 0);
      swapcontext(&scheduler, &running->context);
      busy = busy || !fibers[t].done;
    }
  }
}

template <typename Kernel, typename... Arguments>
void Launch(Kernel kernel, dim3 grid, dim3 block, cudaStream_t, Arguments... arguments) {
  gridDim = grid;
  blockDim = block;
  const std::function<void()> call = [&] { kernel(arguments...); };
  for (unsigned y = 0; y < grid.y; ++y) {
    for (unsigned x = 0; x < grid.x; ++x) {
      blockIdx = dim3(x, y, 0);
      RunBlock(block.x, call);
    }
  }
}

}  // namespace cuda_emulation

inline void __syncthreads() {
  cuda_emulation::Fiber* self = cuda_emulation::running;
  swapcontext(&self->context, &cuda_emulation::scheduler);
}

#define TF_POSE3D_LAUNCH(kernel, grid, block, stream, ...) \
  cuda_emulation::Launch(kernel, grid, block, stream, __VA_ARGS__)

#endif  // TF_POSE3D_TESTS_CUDA_EMULATION_H_
