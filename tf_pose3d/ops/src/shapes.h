// Sizes of the deformable operations, shared by the CPU, the CUDA and the TensorFlow sides.
#ifndef TF_POSE3D_OPS_SHAPES_H_
#define TF_POSE3D_OPS_SHAPES_H_

#include <cstdint>

#ifdef __CUDACC__
#define TF_POSE3D_HOST_DEVICE __host__ __device__
#else
#define TF_POSE3D_HOST_DEVICE
#endif

namespace tf_pose3d {

// One deformable convolution. Tensors are dense and in one data format:
//   x       (batch, height, width, channels)                 or channels first
//   offset  (batch, out_height, out_width, 2 D taps)         (dy, dx) per deformable group and tap
//   mask    (batch, out_height, out_width, D taps)           may be absent
//   weight  (kernel_h, kernel_w, channels / groups, filters) in both data formats
//   y       (batch, out_height, out_width, filters)
struct DeformConvShape {
  int64_t batch, height, width, channels;
  int64_t out_height, out_width, filters;
  int64_t kernel_h, kernel_w;
  int64_t stride_h, stride_w;
  int64_t pad_top, pad_left;
  int64_t dilation_h, dilation_w;
  int64_t groups, deformable_groups;
  bool channels_first;

  TF_POSE3D_HOST_DEVICE int64_t taps() const { return kernel_h * kernel_w; }
  TF_POSE3D_HOST_DEVICE int64_t out_pixels() const { return out_height * out_width; }
  TF_POSE3D_HOST_DEVICE int64_t group_channels() const { return channels / groups; }
  TF_POSE3D_HOST_DEVICE int64_t group_filters() const { return filters / groups; }
  TF_POSE3D_HOST_DEVICE int64_t deformable_channels() const { return channels / deformable_groups; }
  TF_POSE3D_HOST_DEVICE int64_t weight_size() const { return taps() * group_channels() * filters; }
};

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

#endif  // TF_POSE3D_OPS_SHAPES_H_
