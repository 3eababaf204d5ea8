// What the CUDA kernels share: conversions, bilinear samples and launches.
#ifndef TF_POSE3D_OPS_CUDA_SUPPORT_CUH_
#define TF_POSE3D_OPS_CUDA_SUPPORT_CUH_

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "half.h"
#include "host_device.h"

// Tests run the kernels on a CPU and launch them in their own way.
#ifndef TF_POSE3D_LAUNCH
#define TF_POSE3D_LAUNCH(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
#endif

namespace tf_pose3d {

__device__ inline float LoadValue(float value) { return value; }
__device__ inline double LoadValue(double value) { return value; }
__device__ inline float LoadValue(Half value) { return __half2float(__ushort_as_half(value.bits)); }
__device__ inline float LoadValue(BFloat16 value) { return __bfloat162float(__ushort_as_bfloat16(value.bits)); }

__device__ inline void StoreValue(float value, float* out) { *out = value; }
__device__ inline void StoreValue(double value, double* out) { *out = value; }
__device__ inline void StoreValue(float value, Half* out) { out->bits = __half_as_ushort(__float2half_rn(value)); }
__device__ inline void StoreValue(float value, BFloat16* out) {
  out->bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
}

TF_POSE3D_HOST_DEVICE constexpr int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Adds the copies of an array, (copies, size), in order.
template <typename T, typename R>
__global__ void SumCopiesKernel(const R* copies, int64_t count, int64_t size, T* total) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= size) return;
  R sum = 0;
  for (int64_t copy = 0; copy < count; ++copy) sum += copies[copy * size + i];
  StoreValue(sum, total + i);
}

template <typename T, typename R>
void SumCopies(const R* copies, int64_t count, int64_t size, T* total, cudaStream_t stream) {
  if (size == 0) return;
  auto kernel = SumCopiesKernel<T, R>;
  const dim3 grid(static_cast<unsigned>(CeilDivide(size, 256))), block(256);
  TF_POSE3D_LAUNCH(kernel, grid, block, stream, copies, count, size, total);
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_CUDA_SUPPORT_CUH_
