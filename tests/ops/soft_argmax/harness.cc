// Runs the soft-argmax's CPU kernels, without TensorFlow, over odd shapes and compares them with the definition.
// Built with the sanitizers by test_sanitizers.py: every buffer has exactly the size that the kernels are promised.
#include "soft_argmax_cpu.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>

#include "thread_workers.h"

namespace tf_pose3d {
namespace {

int failures = 0;

void Expect(bool right, const char* what, unsigned seed, int64_t map, double got, double expected) {
  if (right) return;
  std::printf("seed %u, map %d: %s is %g, expected %g\n", seed, static_cast<int>(map), what, got, expected);
  ++failures;
}

void Check(const SoftArgmax& s, unsigned seed, int threads, const SoftArgmaxKernels& kernels) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> heat(-0.2f, 1);
  const int64_t pixels = s.height * s.width, maps = s.images * s.channels;
  std::unique_ptr<float[]> heatmaps(new float[maps * pixels]);
  for (int64_t i = 0; i < maps * pixels; ++i) {
    // Some equal values, of which the first counts, and some that are no numbers.
    heatmaps[i] = random() % 4 == 0 ? 0.75f : heat(random);
    if (seed % 3 == 1 && random() % 16 == 0) heatmaps[i] = std::numeric_limits<float>::quiet_NaN();
  }
  std::unique_ptr<int32_t[]> place(new int32_t[maps * 2]);
  std::unique_ptr<float[]> mean(new float[maps * 2]);
  kernels.soft_argmax(s, heatmaps.get(), place.get(), mean.get(), ThreadWorkers(threads));
  for (int64_t map = 0; map < maps; ++map) {
    const float* values = heatmaps.get() + map / s.channels * pixels * s.channels + map % s.channels;
    int64_t best = 0;
    float highest = -std::numeric_limits<float>::infinity();
    for (int64_t p = 0; p < pixels; ++p) {
      if (values[p * s.channels] > highest) highest = values[p * s.channels], best = p;
    }
    const int64_t x = best % s.width, y = best / s.width;
    Expect(place[2 * map] == x, "x", seed, map, place[2 * map], static_cast<double>(x));
    Expect(place[2 * map + 1] == y, "y", seed, map, place[2 * map + 1], static_cast<double>(y));
    double total = 0, across = 0, down = 0;
    for (int64_t row = 0; row < s.height; ++row) {
      for (int64_t column = 0; column < s.width; ++column) {
        if (std::hypot(column - x, row - y) > s.diameter / 2) continue;
        const double value = values[(row * s.width + column) * s.channels];
        const double share = std::exp((value - values[best * s.channels]) / s.temperature);
        total += share, across += share * column, down += share * row;
      }
    }
    const double expected[] = {across / total, down / total};
    for (int axis = 0; axis < 2; ++axis) {
      const float got = mean[2 * map + axis];
      const bool right = std::isnan(expected[axis]) ? std::isnan(got) : std::fabs(got - expected[axis]) < 1e-4;
      Expect(right, "mean", seed, map, got, expected[axis]);
    }
  }
}

}  // namespace
}  // namespace tf_pose3d

int main() {
  using namespace tf_pose3d;
  unsigned seed = 0;
  for (int64_t channels : {1, 5, 8, 9, 17, 20, 32, 45}) {
    for (int64_t height : {1, 7, 12}) {
      for (int64_t width : {1, 10}) {
        for (float diameter : {0.0f, 1.0f, 7.5f, 40.0f}) {
          for (int threads : {1, 4}) {
            const SoftArgmax shape = {3, height, width, channels, diameter, 0.05f};
            for (const auto& kernels : {baseline::GetSoftArgmaxKernels(), BestSoftArgmaxKernels()}) {
              Check(shape, seed, threads, kernels);
            }
            ++seed;
          }
        }
      }
    }
  }
  Check({0, 4, 4, 8, 3, 0.05f}, seed, 4, BestSoftArgmaxKernels());
  std::printf("%d failures\n", failures);
  return failures != 0;
}
