// Deformable position-sensitive RoI pooling on the CPU. Knows nothing of TensorFlow.
#ifndef TF_POSE3D_OPS_DEFORM_PSROI_POOLING_CPU_H_
#define TF_POSE3D_OPS_DEFORM_PSROI_POOLING_CPU_H_

#include <cstddef>

#include "deform_psroi_pooling_shape.h"
#include "half.h"
#include "workers.h"

namespace tf_pose3d {
namespace baseline {

// `trans` and `grad_trans` are null when shape.classes is 0. The image index of every region must lie
// inside the batch. Every output element is written.
template <typename T>
void DeformPsRoiForward(const DeformPsRoiShape& shape, const T* x, const typename ComputeType<T>::type* rois,
                        const T* trans, T* y, const Workers& workers);

template <typename T>
size_t DeformPsRoiBackwardBytes(const DeformPsRoiShape& shape);

template <typename T>
void DeformPsRoiBackward(const DeformPsRoiShape& shape, const T* x, const typename ComputeType<T>::type* rois,
                         const T* trans, const T* grad_y, T* grad_x, T* grad_trans, void* workspace,
                         const Workers& workers);

}  // namespace baseline
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_PSROI_POOLING_CPU_H_
