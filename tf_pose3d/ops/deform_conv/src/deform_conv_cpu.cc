// The CPU kernels of deformable convolution for one instruction set: compile once per set, with
// -DTF_POSE3D_ISA=baseline, avx2 or avx512 and that set's compiler flags.
#include "deform_conv_cpu.h"

#include "deform_conv_backward.h"
#include "deform_conv_forward.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

template <typename T>
size_t ForwardBytes(const DeformConvShape& shape, int workers, bool) {
  return Forward<T>(shape, workers, nullptr).bytes();
}

template <typename T>
void RunForward(const DeformConvShape& shape, const T* x, const T* offset, const T* weight, const T* mask,
                const T* bias, T* y, void* workspace, const Workers& workers) {
  Forward<T>(shape, workers.count, workspace).Run(x, offset, weight, mask, bias, y, workers);
}

template <typename T>
size_t BackwardBytes(const DeformConvShape& shape, int workers, bool has_mask) {
  return Backward<T>(shape, workers, has_mask, nullptr).bytes();
}

template <typename T>
void RunBackward(const DeformConvShape& shape, const T* x, const T* offset, const T* weight, const T* mask,
                 const T* grad_y, T* grad_x, T* grad_offset, T* grad_weight, T* grad_mask, T* grad_bias,
                 void* workspace, const Workers& workers) {
  Backward<T>(shape, workers.count, mask != nullptr, workspace)
      .Run(x, offset, weight, mask, grad_y, grad_x, grad_offset, grad_weight, grad_mask, grad_bias, workers);
}

}  // namespace

template <typename T>
DeformConvKernels<T> GetDeformConvKernels() {
  return {ForwardBytes<T>, RunForward<T>, BackwardBytes<T>, RunBackward<T>};
}

template DeformConvKernels<float> GetDeformConvKernels();
template DeformConvKernels<double> GetDeformConvKernels();
template DeformConvKernels<Half> GetDeformConvKernels();
template DeformConvKernels<BFloat16> GetDeformConvKernels();

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
