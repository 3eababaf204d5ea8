// Runs the layer normalization's CPU kernels, without TensorFlow, over odd shapes and compares them with the
// definition. Built with the sanitizers by test_sanitizers.py: every buffer has exactly the size that the kernels
// are promised.
#include "layer_norm_cpu.h"

#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include "thread_workers.h"

namespace tf_pose3d {
namespace {

constexpr float kEpsilon = 1e-5f;
int failures = 0;

void Expect(const char* what, int64_t rows, int64_t width, const float* got, const std::vector<double>& expected,
            double tolerance) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::fabs(got[i] - expected[i]) <= tolerance) continue;
    std::printf("%d x %d: %s[%d] is %g, expected %g\n", static_cast<int>(rows), static_cast<int>(width), what,
                static_cast<int>(i), got[i], expected[i]);
    ++failures;
    return;
  }
}

void Check(int64_t rows, int64_t width, int threads, const LayerNormKernels& kernels) {
  std::mt19937 random(static_cast<unsigned>(rows * 1000 + width));
  std::normal_distribution<float> normal(0.5f, 1);
  const auto drawn = [&](int64_t count) {
    std::unique_ptr<float[]> values(new float[count]);
    for (int64_t i = 0; i < count; ++i) values[i] = normal(random);
    return values;
  };
  const auto empty = [](int64_t count) { return std::unique_ptr<float[]>(new float[count]); };
  const auto x = drawn(rows * width), dy = drawn(rows * width), gain = drawn(width), shift = drawn(width);
  const auto y = empty(rows * width), mean = empty(rows), scale = empty(rows);
  const auto dx = empty(rows * width), dgain = empty(width), dshift = empty(width);
  const std::unique_ptr<char[]> workspace(new char[kernels.backward_bytes(rows, width)]);
  const Workers workers = ThreadWorkers(threads);
  kernels.forward(rows, width, kEpsilon, x.get(), gain.get(), shift.get(), y.get(), mean.get(), scale.get(), workers);
  kernels.backward(rows, width, x.get(), gain.get(), mean.get(), scale.get(), dy.get(), dx.get(), dgain.get(),
                   dshift.get(), workspace.get(), workers);

  std::vector<double> right_y(rows * width), right_dx(rows * width), right_dgain(width), right_dshift(width);
  for (int64_t row = 0; row < rows; ++row) {
    const float *in = &x[row * width], *upstream = &dy[row * width];
    double average = 0, variance = 0, sum = 0, product = 0;
    for (int64_t i = 0; i < width; ++i) average += in[i] / static_cast<double>(width);
    for (int64_t i = 0; i < width; ++i) variance += std::pow(in[i] - average, 2) / width;
    const double inverse = 1 / std::sqrt(variance + kEpsilon);
    for (int64_t i = 0; i < width; ++i) {
      const double centred = (in[i] - average) * inverse;
      right_y[row * width + i] = centred * gain[i] + shift[i];
      right_dgain[i] += upstream[i] * centred;
      right_dshift[i] += upstream[i];
      sum += upstream[i] * gain[i] / static_cast<double>(width);
      product += upstream[i] * gain[i] * centred / width;
    }
    for (int64_t i = 0; i < width; ++i) {
      const double centred = (in[i] - average) * inverse;
      right_dx[row * width + i] = inverse * (upstream[i] * gain[i] - sum - centred * product);
    }
  }
  // A channel alone is its own mean: what is left is rounding, which the scale makes 300 times as large.
  const double tolerance = width < 3 ? 1e-2 : 1e-4;
  Expect("y", rows, width, y.get(), right_y, tolerance);
  Expect("grad_x", rows, width, dx.get(), right_dx, 10 * tolerance);
  Expect("grad_gain", rows, width, dgain.get(), right_dgain, tolerance * (1 + rows));
  Expect("grad_shift", rows, width, dshift.get(), right_dshift, 1e-4 * (1 + rows));
}

}  // namespace
}  // namespace tf_pose3d

int main() {
  using namespace tf_pose3d;
  for (const auto& kernels : {baseline::GetLayerNormKernels(), BestLayerNormKernels()}) {
    // Rows: fewer than are taken together, some over, more than one block and more than one task.
    for (int64_t rows : {0, 1, 3, 4, 7, 8, 13, 64, 131, 9000}) {
      for (int64_t width : {1, 7, 8, 16, 33, 96, 97, 104}) {
        for (int threads : {1, 4}) Check(rows, width, threads, kernels);
      }
    }
  }
  std::printf("%d failures\n", failures);
  return failures != 0;
}
