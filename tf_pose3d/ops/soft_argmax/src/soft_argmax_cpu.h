// Soft-argmax of heat maps on the CPU, in float. Knows nothing of TensorFlow.
//
// As with the other kernels, compiled once per instruction set; results do not depend on the number of threads.
#ifndef TF_POSE3D_OPS_SOFT_ARGMAX_CPU_H_
#define TF_POSE3D_OPS_SOFT_ARGMAX_CPU_H_

#include <cstdint>

#include "workers.h"

namespace tf_pose3d {

// heatmaps (images, height, width, channels).
struct SoftArgmax {
  int64_t images, height, width, channels;
  float diameter;     // of the disc round each maximum, pixels
  float temperature;  // what values are divided by before the softmax
};

struct SoftArgmaxKernels {
  // place (images, channels, 2) = x, y of the first maximum, row by row; mean (images, channels, 2) = x, y weighted
  // by the softmax of the values inside the disc. NaN never is a maximum, and in the disc makes the mean NaN.
  void (*soft_argmax)(const SoftArgmax& shape, const float* heatmaps, int32_t* place, float* mean,
                      const Workers& workers);
};

namespace baseline {
SoftArgmaxKernels GetSoftArgmaxKernels();
}

namespace avx2 {
SoftArgmaxKernels GetSoftArgmaxKernels();
}

// The fastest kernels that this machine runs.
inline SoftArgmaxKernels BestSoftArgmaxKernels() {
#ifdef TF_POSE3D_HAS_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::GetSoftArgmaxKernels();
#endif
  return baseline::GetSoftArgmaxKernels();
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_SOFT_ARGMAX_CPU_H_
