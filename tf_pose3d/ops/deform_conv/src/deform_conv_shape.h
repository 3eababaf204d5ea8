// Sizes of a deformable convolution, shared by the CPU, the CUDA and the TensorFlow sides.
#ifndef TF_POSE3D_OPS_DEFORM_CONV_SHAPE_H_
#define TF_POSE3D_OPS_DEFORM_CONV_SHAPE_H_

#include <cstdint>

#include "host_device.h"

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

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_CONV_SHAPE_H_
