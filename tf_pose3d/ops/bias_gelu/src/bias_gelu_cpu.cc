// The GELU of a sum with a bias for one instruction set: compile once per set, with -DTF_POSE3D_ISA=baseline,
// avx2 or avx512, and that set's compiler flags.
#include "bias_gelu_cpu.h"

#include "lanes.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

void BiasGelu(int64_t rows, int64_t width, const float* x, const float* bias, float* y, const Workers& workers) {
  RowBlocks(rows).Run(workers, [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t row = begin; row < end; ++row) {
      ForColumns(width, [&](int64_t i, int64_t n) {
        const int64_t at = row * width + i;
        const Lanes sum = LoadLanes(x + at, n) + LoadLanes(bias + i, n);
        Lanes density, cumulative;
        Normal(sum, &density, &cumulative);
        StoreLanes(sum * cumulative, n, y + at);
      });
    }
  });
}

void BiasGeluBackward(int64_t rows, int64_t width, const float* x, const float* bias, const float* grad_y,
                      float* grad_x, float* grad_bias, void* workspace, const Workers& workers) {
  const RowBlocks blocks(rows);
  float* partial = static_cast<float*>(workspace);
  blocks.Run(workers, [=](int64_t begin, int64_t end, int64_t block) {
    float* biases = partial + block * width;
    for (int64_t i = 0; i < width; ++i) biases[i] = 0;
    for (int64_t row = begin; row < end; ++row) {
      ForColumns(width, [&](int64_t i, int64_t n) {
        const int64_t at = row * width + i;
        const Lanes sum = LoadLanes(x + at, n) + LoadLanes(bias + i, n);
        Lanes density, cumulative;
        Normal(sum, &density, &cumulative);
        const Lanes grad = LoadLanes(grad_y + at, n) * (cumulative + sum * density);
        StoreLanes(grad, n, grad_x + at);
        StoreLanes(LoadLanes(biases + i, n) + grad, n, biases + i);
      });
    }
  });
  blocks.AddUp(width, width, partial, grad_bias);
}

size_t BiasGeluBackwardBytes(int64_t rows, int64_t width) { return RowBlocks(rows).count * width * sizeof(float); }

}  // namespace

BiasGeluKernels GetBiasGeluKernels() { return {BiasGelu, BiasGeluBackwardBytes, BiasGeluBackward}; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
