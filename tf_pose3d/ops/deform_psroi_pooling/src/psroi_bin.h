// Where one bin of one region samples its image: the arithmetic that the CPU and the CUDA kernels share.
#ifndef TF_POSE3D_OPS_PSROI_BIN_H_
#define TF_POSE3D_OPS_PSROI_BIN_H_

#include <cmath>
#include <cstdint>

#include "deform_psroi_pooling_shape.h"
#include "host_device.h"

namespace tf_pose3d {

// Distances between elements of x, y and trans in either data format.
struct PsRoiStrides {
  int64_t image, row, column, channel;

  TF_POSE3D_HOST_DEVICE PsRoiStrides(bool channels_first, int64_t height, int64_t width, int64_t channels)
      : image(height * width * channels),
        row(channels_first ? width : width * channels),
        column(channels_first ? 1 : channels),
        channel(channels_first ? height * width : 1) {}

  TF_POSE3D_HOST_DEVICE int64_t At(int64_t i, int64_t y, int64_t x, int64_t c) const {
    return i * image + y * row + x * column + c * channel;
  }
};

template <typename R>
struct PsRoiBin {
  R x, y;            // the first sample
  R step_x, step_y;  // from one sample to the next
  R width, height;   // of the region
  int64_t image, channel, part_row, part_column, klass;

  TF_POSE3D_HOST_DEVICE PsRoiBin(const DeformPsRoiShape& s, const R* roi, int64_t row, int64_t column, int64_t output) {
    const R scale = static_cast<R>(s.spatial_scale), half = static_cast<R>(0.5);
    const R left = round(roi[1]) * scale - half, top = round(roi[2]) * scale - half;
    const R right = (round(roi[3]) + 1) * scale - half, bottom = (round(roi[4]) + 1) * scale - half;
    const R least = static_cast<R>(0.1);
    width = right - left > least ? right - left : least;
    height = bottom - top > least ? bottom - top : least;
    const R bin_width = width / static_cast<R>(s.pooled_size), bin_height = height / static_cast<R>(s.pooled_size);
    step_x = bin_width / static_cast<R>(s.sample_per_part);
    step_y = bin_height / static_cast<R>(s.sample_per_part);
    x = static_cast<R>(column) * bin_width + left;
    y = static_cast<R>(row) * bin_height + top;
    image = static_cast<int64_t>(roi[0]);
    const int64_t group_row = row * s.group_size / s.pooled_size;
    const int64_t group_column = column * s.group_size / s.pooled_size;
    channel = (output * s.group_size + group_row) * s.group_size + group_column;
    part_row = row * s.part_size / s.pooled_size;
    part_column = column * s.part_size / s.pooled_size;
    klass = s.classes == 0 ? 0 : output / (s.output_dim / s.classes);
  }

  TF_POSE3D_HOST_DEVICE void Move(R trans_x, R trans_y) {
    x += trans_x * width;
    y += trans_y * height;
  }
};

// One sample: its four corners and how far it lies from the first of them.
template <typename R>
struct PsRoiSample {
  bool inside;
  int64_t left, right, top, bottom;
  R across, down;

  TF_POSE3D_HOST_DEVICE PsRoiSample(const DeformPsRoiShape& s, R x, R y) {
    const R half = static_cast<R>(0.5);
    const R x_limit = static_cast<R>(s.width) - half, y_limit = static_cast<R>(s.height) - half;
    inside = x >= -half && x <= x_limit && y >= -half && y <= y_limit;  // false for NaN
    if (!inside) return;
    x = x < 0 ? 0 : x > x_limit - half ? x_limit - half : x;
    y = y < 0 ? 0 : y > y_limit - half ? y_limit - half : y;
    // On a pixel centre both corners are that pixel, so that the slope there is 0.
    left = static_cast<int64_t>(floor(x));
    right = static_cast<int64_t>(ceil(x));
    top = static_cast<int64_t>(floor(y));
    bottom = static_cast<int64_t>(ceil(y));
    across = x - static_cast<R>(left);
    down = y - static_cast<R>(top);
  }
};

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_PSROI_BIN_H_
