// Sizes of a deformable RoI pooling, shared by the CPU, the CUDA and the TensorFlow sides.
#ifndef TF_POSE3D_OPS_DEFORM_PSROI_POOLING_SHAPE_H_
#define TF_POSE3D_OPS_DEFORM_PSROI_POOLING_SHAPE_H_

#include <cstdint>

namespace tf_pose3d {

// One deformable position-sensitive RoI pooling:
//   x     (batch, height, width, channels), channels = output_dim * group_size^2
//   rois  (count, 5)                              image, x1, y1, x2, y2
//   trans (count, part_size, part_size, 2 classes) (dx, dy) per class; absent when classes is 0
//   y     (count, pooled_size, pooled_size, output_dim)
struct DeformPsRoiShape {
  int64_t batch, height, width, channels;
  int64_t count, classes, output_dim;
  int64_t group_size, pooled_size, part_size, sample_per_part;
  double spatial_scale, trans_std;
  bool channels_first;
};

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_PSROI_POOLING_SHAPE_H_
