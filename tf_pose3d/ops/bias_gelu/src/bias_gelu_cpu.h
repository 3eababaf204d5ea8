// The exact GELU of a sum with a bias on the CPU, in float, with its gradient. Knows nothing of TensorFlow.
//
// As with the other kernels, compiled once per instruction set and chosen when the library runs. Results
// depend neither on the number of threads nor on how they are scheduled.
#ifndef TF_POSE3D_OPS_BIAS_GELU_CPU_H_
#define TF_POSE3D_OPS_BIAS_GELU_CPU_H_

#include <cstddef>
#include <cstdint>

#include "instruction_sets.h"
#include "workers.h"

namespace tf_pose3d {

struct BiasGeluKernels {
  // y = gelu(x + bias) over rows of `width` floats, with the exact (erf) GELU.
  void (*forward)(int64_t rows, int64_t width, const float* x, const float* bias, float* y, const Workers& workers);
  size_t (*backward_bytes)(int64_t rows, int64_t width);
  void (*backward)(int64_t rows, int64_t width, const float* x, const float* bias, const float* grad_y, float* grad_x,
                   float* grad_bias, void* workspace, const Workers& workers);
};

TF_POSE3D_DECLARE(BiasGeluKernels)

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_BIAS_GELU_CPU_H_
