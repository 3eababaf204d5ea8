// Runs the CUDA kernels of deformable RoI pooling on a CPU (see cuda_emulation/cuda_runtime.h) and compares
// them with the CPU kernels, which the Python tests compare with the definition.
#include <algorithm>
#include <random>
#include <vector>

#include "deform_psroi_pooling_cpu.h"
#include "deform_psroi_pooling_cuda.h"
#include "harness.h"

namespace tf_pose3d {
namespace {

void RunInTurn(void*, int tasks, void (*body)(void*, int), void* argument) {
  for (int task = 0; task < tasks; ++task) body(argument, task);
}

template <typename T>
void Check(double tolerance) {
  using R = typename ComputeType<T>::type;
  const Workers workers{1, nullptr, RunInTurn};
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  auto fill = [&](int64_t n, double scale) {
    Doubles values(n);
    for (double& v : values) v = scale * normal(random);
    return values;
  };
  const DeformPsRoiShape shapes[] = {
      {2, 7, 9, 12, 5, 1, 3, 2, 3, 3, 2, 0.25, 0.1, false}, {2, 7, 9, 8, 6, 4, 8, 1, 2, 5, 3, 0.5, 0.1, true},
      {1, 1, 1, 1, 2, 0, 1, 1, 4, 4, 1, 1.0, 0.1, false},   {3, 6, 5, 18, 0, 1, 2, 3, 3, 2, 2, 1.0, 0.2, true},
      {2, 8, 8, 36, 7, 2, 4, 3, 7, 7, 4, 0.25, 0.3, true},
  };
  size_t number = 0;
  for (const DeformPsRoiShape& s : shapes) {
    const int64_t x_size = s.batch * s.height * s.width * s.channels;
    const int64_t y_size = s.count * s.pooled_size * s.pooled_size * s.output_dim;
    const int64_t trans_size = s.count * 2 * s.classes * s.part_size * s.part_size;
    const auto x = Convert<T>(fill(x_size, 1)), trans = Convert<T>(fill(trans_size, 2));
    const auto grad_y = Convert<T>(fill(y_size, 1));
    std::vector<R> rois(5 * s.count);
    for (int64_t i = 0; i < s.count; ++i) {
      rois[5 * i] = static_cast<R>(i % s.batch);
      for (int k = 1; k < 3; ++k) rois[5 * i + k] = static_cast<R>(6 * normal(random));
      for (int k = 3; k < 5; ++k) rois[5 * i + k] = rois[5 * i + k - 2] + std::abs(static_cast<R>(20 * normal(random)));
    }
    const T* moves = s.classes == 0 ? nullptr : trans.get();
    std::unique_ptr<T[]> y[2], grad_x[2], grad_trans[2];
    for (int side = 0; side < 2; ++side) {
      y[side].reset(new T[y_size]);
      grad_x[side].reset(new T[x_size]);
      grad_trans[side].reset(new T[trans_size]);
    }
    const auto cpu = Workspace(baseline::DeformPsRoiBackwardBytes<T>(s));
    const auto gpu = Workspace(DeformPsRoiGpuBackwardBytes<T>(s));
    T* moved[2] = {moves ? grad_trans[0].get() : nullptr, moves ? grad_trans[1].get() : nullptr};
    baseline::DeformPsRoiForward(s, x.get(), rois.data(), moves, y[0].get(), workers);
    baseline::DeformPsRoiBackward(s, x.get(), rois.data(), moves, grad_y.get(), grad_x[0].get(), moved[0], cpu.get(),
                                  workers);
    LaunchDeformPsRoiForward(s, x.get(), rois.data(), moves, y[1].get(), nullptr);
    LaunchDeformPsRoiBackward(s, x.get(), rois.data(), moves, grad_y.get(), grad_x[1].get(), moved[1], gpu.get(),
                              nullptr);
    auto compare = [&](const char* what, const std::unique_ptr<T[]>* pair, int64_t size) {
      Doubles expected(size);
      for (int64_t i = 0; i < size; ++i) expected[i] = ToDouble(pair[0][i]);
      Compare(what, number, pair[1].get(), expected, tolerance);
    };
    compare("y", y, y_size);
    compare("grad_x", grad_x, x_size);
    if (moves) compare("grad_trans", grad_trans, trans_size);
    ++number;
  }
}

}  // namespace
}  // namespace tf_pose3d

int main() {
  tf_pose3d::Check<double>(1e-12);
  tf_pose3d::Check<float>(2e-5);
  tf_pose3d::Check<tf_pose3d::Half>(1e-3);
  tf_pose3d::Check<tf_pose3d::BFloat16>(8e-3);
  std::printf("%d failures\n", tf_pose3d::failures);
  return tf_pose3d::failures != 0;
}
