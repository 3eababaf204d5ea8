// Deformable convolution on the CPU: the interface between the kernels and whoever runs them.
//
// The kernels know nothing of TensorFlow. They are compiled once per instruction set, in a namespace of
// its own each (TF_POSE3D_ISA), and chosen when the library runs: a library built on one machine runs on
// every other of its architecture.
#ifndef TF_POSE3D_OPS_DEFORM_CONV_CPU_H_
#define TF_POSE3D_OPS_DEFORM_CONV_CPU_H_

#include <cstddef>
#include <cstdint>

#include "deform_conv_shape.h"
#include "half.h"
#include "instruction_sets.h"
#include "workers.h"

namespace tf_pose3d {

// The kernels for storage type T. `mask`, `bias`, `grad_mask` and `grad_bias` may be null. Every
// output element is written. `workspace` holds at least as many bytes as the matching _bytes function
// says and is aligned to 64. Results depend on workers.count but not on how threads are scheduled.
template <typename T>
struct DeformConvKernels {
  size_t (*forward_bytes)(const DeformConvShape& shape, int workers, bool has_mask);
  void (*forward)(const DeformConvShape& shape, const T* x, const T* offset, const T* weight, const T* mask,
                  const T* bias, T* y, void* workspace, const Workers& workers);
  size_t (*backward_bytes)(const DeformConvShape& shape, int workers, bool has_mask);
  void (*backward)(const DeformConvShape& shape, const T* x, const T* offset, const T* weight, const T* mask,
                   const T* grad_y, T* grad_x, T* grad_offset, T* grad_weight, T* grad_mask, T* grad_bias,
                   void* workspace, const Workers& workers);
};

namespace baseline {
template <typename T>
DeformConvKernels<T> GetDeformConvKernels();
}

namespace avx2 {
template <typename T>
DeformConvKernels<T> GetDeformConvKernels();
}

namespace avx512 {
template <typename T>
DeformConvKernels<T> GetDeformConvKernels();
}

template <typename T>
inline DeformConvKernels<T> BestDeformConvKernels() {
  return TF_POSE3D_WIDEST(GetDeformConvKernels<T>());
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_CONV_CPU_H_
