// Layer normalization over rows on the CPU, in float, with its gradient. Knows nothing of TensorFlow.
//
// As with the other kernels, compiled once per instruction set and chosen when the library runs. Results
// depend neither on the number of threads nor on how they are scheduled.
#ifndef TF_POSE3D_OPS_LAYER_NORM_CPU_H_
#define TF_POSE3D_OPS_LAYER_NORM_CPU_H_

#include <cstddef>
#include <cstdint>

#include "instruction_sets.h"
#include "workers.h"

namespace tf_pose3d {

struct LayerNormKernels {
  // y = (x - mean) * scale * gain + shift over rows of `width` floats; scale is 1 / sqrt(variance + epsilon).
  // mean and scale (rows) are outputs that the gradient reads.
  void (*forward)(int64_t rows, int64_t width, float epsilon, const float* x, const float* gain, const float* shift,
                  float* y, float* mean, float* scale, const Workers& workers);
  size_t (*backward_bytes)(int64_t rows, int64_t width);
  void (*backward)(int64_t rows, int64_t width, const float* x, const float* gain, const float* mean,
                   const float* scale, const float* grad_y, float* grad_x, float* grad_gain, float* grad_shift,
                   void* workspace, const Workers& workers);
};

TF_POSE3D_DECLARE(LayerNormKernels)

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_LAYER_NORM_CPU_H_
