// Layer normalization for one instruction set: compile once per set, with -DTF_POSE3D_ISA=baseline or avx2 and that
// set's compiler flags.
#include "layer_norm_cpu.h"

#include <cmath>

#include "lanes.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

void LayerNorm(int64_t rows, int64_t width, float epsilon, const float* x, const float* gain, const float* shift,
               float* y, float* mean, float* scale, const Workers& workers) {
  RowBlocks(rows).Run(workers, [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t row = begin; row < end; ++row) {
      const float* in = x + row * width;
      float* out = y + row * width;
      Lanes sum = {};
      ForColumns(width, [&](int64_t i, int64_t n) { sum += LoadLanes(in + i, n); });
      const float m = Sum(sum) / static_cast<float>(width);
      Lanes squares = {};
      ForColumns(width, [&](int64_t i, int64_t n) {
        const Lanes centred = FirstLanes(LoadLanes(in + i, n) - m, n);
        squares += centred * centred;
      });
      const float s = 1.0f / std::sqrt(Sum(squares) / static_cast<float>(width) + epsilon);
      mean[row] = m;
      scale[row] = s;
      ForColumns(width, [&](int64_t i, int64_t n) {
        const Lanes normal = (LoadLanes(in + i, n) - m) * s;
        StoreLanes(normal * LoadLanes(gain + i, n) + LoadLanes(shift + i, n), n, out + i);
      });
    }
  });
}

// With n = (x - mean) * scale: grad_x = scale * (g - average(g) - n * average(g * n)), g = grad_y * gain.
void LayerNormBackward(int64_t rows, int64_t width, const float* x, const float* gain, const float* mean,
                       const float* scale, const float* grad_y, float* grad_x, float* grad_gain, float* grad_shift,
                       void* workspace, const Workers& workers) {
  const RowBlocks blocks(rows);
  float* partial = static_cast<float*>(workspace);
  blocks.Run(workers, [=](int64_t begin, int64_t end, int64_t block) {
    float* gains = partial + block * 2 * width;
    float* shifts = gains + width;
    for (int64_t i = 0; i < 2 * width; ++i) gains[i] = 0;
    for (int64_t row = begin; row < end; ++row) {
      const float *in = x + row * width, *dy = grad_y + row * width;
      const float m = mean[row], s = scale[row];
      Lanes sum = {}, product = {};
      ForColumns(width, [&](int64_t i, int64_t n) {
        const Lanes normal = (LoadLanes(in + i, n) - m) * s;
        const Lanes d = LoadLanes(dy + i, n);
        const Lanes g = d * LoadLanes(gain + i, n);
        sum += g;
        product += FirstLanes(g * normal, n);
        StoreLanes(LoadLanes(gains + i, n) + d * normal, n, gains + i);
        StoreLanes(LoadLanes(shifts + i, n) + d, n, shifts + i);
      });
      const float average = Sum(sum) / static_cast<float>(width), slope = Sum(product) / static_cast<float>(width);
      ForColumns(width, [&](int64_t i, int64_t n) {
        const Lanes normal = (LoadLanes(in + i, n) - m) * s;
        const Lanes g = LoadLanes(dy + i, n) * LoadLanes(gain + i, n);
        StoreLanes((g - average - normal * slope) * s, n, grad_x + row * width + i);
      });
    }
  });
  blocks.AddUp(width, 2 * width, partial, grad_gain);
  blocks.AddUp(width, 2 * width, partial + width, grad_shift);
}

size_t LayerNormBackwardBytes(int64_t rows, int64_t width) { return RowBlocks(rows).count * 2 * width * sizeof(float); }

}  // namespace

LayerNormKernels GetLayerNormKernels() { return {LayerNorm, LayerNormBackwardBytes, LayerNormBackward}; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
