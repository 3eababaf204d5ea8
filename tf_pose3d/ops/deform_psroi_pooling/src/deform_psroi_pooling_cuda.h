// Deformable position-sensitive RoI pooling on NVIDIA GPUs: launchers that take device pointers and a stream.
// Knows nothing of TensorFlow.
#ifndef TF_POSE3D_OPS_DEFORM_PSROI_POOLING_CUDA_H_
#define TF_POSE3D_OPS_DEFORM_PSROI_POOLING_CUDA_H_

#include <cuda_runtime.h>

#include <cstddef>

#include "deform_psroi_pooling_shape.h"
#include "half.h"

namespace tf_pose3d {

// T is float, double, Half or BFloat16; `trans` and `grad_trans` are null when shape.classes is 0. A region
// whose image index lies outside the batch gives zeros and no gradient. Every output element is written.
template <typename T>
cudaError_t LaunchDeformPsRoiForward(const DeformPsRoiShape& shape, const T* x,
                                     const typename ComputeType<T>::type* rois, const T* trans, T* y,
                                     cudaStream_t stream);

// Device memory that the backward pass needs besides its outputs.
template <typename T>
size_t DeformPsRoiGpuBackwardBytes(const DeformPsRoiShape& shape);

// Both gradients are summed by atomic additions, whose order differs from run to run.
template <typename T>
cudaError_t LaunchDeformPsRoiBackward(const DeformPsRoiShape& shape, const T* x,
                                      const typename ComputeType<T>::type* rois, const T* trans, const T* grad_y,
                                      T* grad_x, T* grad_trans, void* workspace, cudaStream_t stream);

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_PSROI_POOLING_CUDA_H_
