// Bias, batch normalization, LeakyReLU and dropout of training in two sweeps over the features, on the CPU in
// float. Knows nothing of TensorFlow.
//
// As with the other kernels, compiled once per instruction set; results do not depend on the number of threads.
#ifndef TF_POSE3D_OPS_NORMED_ACTIVATION_CPU_H_
#define TF_POSE3D_OPS_NORMED_ACTIVATION_CPU_H_

#include <cstddef>
#include <cstdint>

#include "instruction_sets.h"
#include "workers.h"

namespace tf_pose3d {

// x (samples * groups, width): `width` features of each of `groups` groups (joints) in each sample. Features are
// normalized over samples and groups; each group has biases of its own.
struct NormedActivation {
  int64_t samples, groups, width;
  float epsilon;  // added to the variance
  float slope;    // of LeakyReLU below 0
  float rate;     // of dropout
  // Which features are dropped: a function of this and their place.
  uint32_t seed[2];

  int64_t rows() const { return samples * groups; }
};

struct NormedActivationKernels {
  // y = dropout(leaky_relu((x + bias - mean) / sqrt(variance + epsilon) * gamma + beta)). mean and variance
  // (width) are those of x + bias, the variance biased. `workspace` is aligned to 64.
  size_t (*bytes)(const NormedActivation& shape);
  void (*forward)(const NormedActivation& shape, const float* x, const float* bias, const float* gamma,
                  const float* beta, float* y, float* mean, float* variance, void* workspace,
                  const Workers& workers);
  // grad_x may be grad_y.
  size_t (*backward_bytes)(const NormedActivation& shape);
  void (*backward)(const NormedActivation& shape, const float* x, const float* bias, const float* gamma,
                   const float* beta, const float* mean, const float* variance, const float* grad_y, float* grad_x,
                   float* grad_bias, float* grad_gamma, float* grad_beta, void* workspace, const Workers& workers);
};

TF_POSE3D_DECLARE(NormedActivationKernels)

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_NORMED_ACTIVATION_CPU_H_
