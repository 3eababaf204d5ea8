// Deformable convolution on NVIDIA GPUs: launchers that take device pointers and a stream.
// Knows nothing of TensorFlow.
#ifndef TF_POSE3D_OPS_DEFORM_CONV_CUDA_H_
#define TF_POSE3D_OPS_DEFORM_CONV_CUDA_H_

#include <cuda_runtime.h>

#include <cstddef>

#include "deform_conv_shape.h"
#include "half.h"

namespace tf_pose3d {

// T is float, double, Half or BFloat16; `mask`, `bias`, `grad_mask` and `grad_bias` may be null. Every
// output element is written. The launchers return as soon as the work is queued.
template <typename T>
cudaError_t LaunchDeformConvForward(const DeformConvShape& shape, const T* x, const T* offset, const T* weight,
                                    const T* mask, const T* bias, T* y, cudaStream_t stream);

// Device memory that the backward pass needs besides its outputs.
template <typename T>
size_t DeformConvBackwardBytes(const DeformConvShape& shape);

// grad_x is summed by atomic additions, whose order differs from run to run; every other gradient is
// summed in a fixed order.
template <typename T>
cudaError_t LaunchDeformConvBackward(const DeformConvShape& shape, const T* x, const T* offset, const T* weight,
                                     const T* mask, const T* grad_y, T* grad_x, T* grad_offset, T* grad_weight,
                                     T* grad_mask, T* grad_bias, void* workspace, cudaStream_t stream);

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_CONV_CUDA_H_
