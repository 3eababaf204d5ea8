// Layer normalization for one instruction set: compile once per set, with -DTF_POSE3D_ISA=baseline, avx2 or avx512 and that
// set's compiler flags.
#include "layer_norm_cpu.h"

#include <cstring>

#include "lanes.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

// Rows taken together: their sums do not wait for one another, and the few steps per row (horizontal sums,
// root, division) are done for all of them at once. Every number is the same as row by row.
constexpr int kForwardRows = kLanes;
constexpr int kBackwardRows = kLanes / 2;
// Wider rows are taken one by one: reading that many places of memory at once is slower than their sums.
constexpr int64_t kWidestTogether = 96;

template <int Rows>
TF_POSE3D_INLINE void NormRows(int64_t width, float epsilon, const float* x, const float* gain, const float* shift,
                               float* y, float* mean, float* scale) {
  const float channels = static_cast<float>(width);
  Lanes sums[kLanes] = {}, squares[kLanes] = {};
  ForColumns(width, [&](int64_t i, int64_t n) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) sums[r] += LoadLanes(x + r * width + i, n);
  });
  float m[kLanes], s[kLanes];
  AsVector(m) = SumEach(sums) / channels;
  ForColumns(width, [&](int64_t i, int64_t n) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const Lanes centred = FirstLanes(LoadLanes(x + r * width + i, n) - m[r], n);
      squares[r] += centred * centred;
    }
  });
  AsVector(s) = 1.0f / Root(SumEach(squares) / channels + epsilon);
  memcpy(mean, m, Rows * sizeof(float));
  memcpy(scale, s, Rows * sizeof(float));
  for (int r = 0; r < Rows; ++r) {
    ForColumns(width, [&](int64_t i, int64_t n) {
      const Lanes normal = (LoadLanes(x + r * width + i, n) - m[r]) * s[r];
      StoreLanes(normal * LoadLanes(gain + i, n) + LoadLanes(shift + i, n), n, y + r * width + i);
    });
  }
}

void LayerNorm(int64_t rows, int64_t width, float epsilon, const float* x, const float* gain, const float* shift,
               float* y, float* mean, float* scale, const Workers& workers) {
  RowBlocks(rows).Run(workers, [=](int64_t begin, int64_t end, int64_t) {
    int64_t row = begin;
    for (; width <= kWidestTogether && row + kForwardRows <= end; row += kForwardRows) {
      NormRows<kForwardRows>(width, epsilon, x + row * width, gain, shift, y + row * width, mean + row, scale + row);
    }
    for (; row < end; ++row) {
      NormRows<1>(width, epsilon, x + row * width, gain, shift, y + row * width, mean + row, scale + row);
    }
  }, width);
}

// With n = (x - mean) * scale: grad_x = scale * (g - average(g) - n * average(g * n)), g = grad_y * gain.
template <int Rows>
TF_POSE3D_INLINE void NormRowsBackward(int64_t width, const float* x, const float* gain, const float* mean,
                                       const float* scale, const float* grad_y, float* grad_x, float* gains,
                                       float* shifts) {
  static_assert(2 * Rows <= kLanes, "sums and products of all rows are added up together");
  Lanes sum[Rows] = {}, product[Rows] = {};
  ForColumns(width, [&](int64_t i, int64_t n) {
    const Lanes gain_lanes = LoadLanes(gain + i, n);
    Lanes gain_sum = LoadLanes(gains + i, n), shift_sum = LoadLanes(shifts + i, n);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Lanes normal = (LoadLanes(x + r * width + i, n) - mean[r]) * scale[r];
      const Lanes d = LoadLanes(grad_y + r * width + i, n);
      const Lanes g = d * gain_lanes;
      sum[r] += g;
      product[r] += FirstLanes(g * normal, n);
      gain_sum = gain_sum + d * normal;
      shift_sum = shift_sum + d;
    }
    StoreLanes(gain_sum, n, gains + i);
    StoreLanes(shift_sum, n, shifts + i);
  });
  Lanes sums[kLanes] = {};
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    sums[r] = sum[r];
    sums[Rows + r] = product[r];
  }
  float averages[kLanes];
  AsVector(averages) = SumEach(sums) / static_cast<float>(width);
  for (int r = 0; r < Rows; ++r) {
    const float m = mean[r], s = scale[r], average = averages[r], slope = averages[Rows + r];
    ForColumns(width, [&](int64_t i, int64_t n) {
      const Lanes normal = (LoadLanes(x + r * width + i, n) - m) * s;
      const Lanes g = LoadLanes(grad_y + r * width + i, n) * LoadLanes(gain + i, n);
      StoreLanes((g - average - normal * slope) * s, n, grad_x + r * width + i);
    });
  }
}

void LayerNormBackward(int64_t rows, int64_t width, const float* x, const float* gain, const float* mean,
                       const float* scale, const float* grad_y, float* grad_x, float* grad_gain, float* grad_shift,
                       void* workspace, const Workers& workers) {
  const RowBlocks blocks(rows);
  float* partial = static_cast<float*>(workspace);
  blocks.Run(workers, [=](int64_t begin, int64_t end, int64_t block) {
    float* gains = partial + block * 2 * width;
    float* shifts = gains + width;
    for (int64_t i = 0; i < 2 * width; ++i) gains[i] = 0;
    int64_t row = begin;
    for (; width <= kWidestTogether && row + kBackwardRows <= end; row += kBackwardRows) {
      NormRowsBackward<kBackwardRows>(width, x + row * width, gain, mean + row, scale + row, grad_y + row * width,
                                      grad_x + row * width, gains, shifts);
    }
    for (; row < end; ++row) {
      NormRowsBackward<1>(width, x + row * width, gain, mean + row, scale + row, grad_y + row * width,
                          grad_x + row * width, gains, shifts);
    }
  }, width);
  blocks.AddUp(width, 2 * width, partial, grad_gain);
  blocks.AddUp(width, 2 * width, partial + width, grad_shift);
}

size_t LayerNormBackwardBytes(int64_t rows, int64_t width) { return RowBlocks(rows).count * 2 * width * sizeof(float); }

}  // namespace

LayerNormKernels GetLayerNormKernels() { return {LayerNorm, LayerNormBackwardBytes, LayerNormBackward}; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
