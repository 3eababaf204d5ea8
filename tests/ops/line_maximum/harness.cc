// Runs the line maxima's CPU kernels, without TensorFlow, over odd images and hostile lines and compares them
// with the definition. Built with the sanitizers by test_sanitizers.py: every buffer has exactly the size that
// the kernels are promised.
#include "line_maximum_cpu.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <random>

#include "thread_workers.h"

namespace tf_pose3d {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
int failures = 0;

// The maximum of a channel over the samples of a line at all integer x and all integer y, where every sample
// outside the image is 0; minus infinity where there is no line.
float Maximum(const LineSearch& s, const float* image, const float* line, int64_t channel) {
  for (int i = 0; i < 4; ++i) {
    if (!(std::fabs(line[i]) < s.farthest)) return -kInfinity;
  }
  const double dx = double{line[2]} - line[0], dy = double{line[3]} - line[1];
  if (!(std::fmax(std::fabs(dx), std::fabs(dy)) > s.shortest)) return -kInfinity;
  float best = -kInfinity;
  auto sample = [&](double x, double y) {
    const double column = std::nearbyint(x), row = std::nearbyint(y);
    const bool inside = column >= 0 && column < s.width && row >= 0 && row < s.height;
    const float value =
        inside ? image[(static_cast<int64_t>(row) * s.width + static_cast<int64_t>(column)) * s.channels + channel] : 0;
    if (value > best) best = value;
  };
  for (int64_t x = 0; x < s.width; ++x) {
    sample(x, dx == 0 ? kInfinity : line[1] + dy / dx * (x - line[0]));
  }
  for (int64_t y = 0; y < s.height; ++y) {
    sample(dy == 0 ? kInfinity : line[0] + dx / dy * (y - line[1]), y);
  }
  return best;
}

void Check(const LineSearch& s, unsigned seed, int threads, const LineMaximumKernels& kernels) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> brightness(-0.2f, 1), place(-3, 30);
  const int64_t pixels = s.height * s.width * s.channels, rows = s.batch * s.sets * s.count;
  std::unique_ptr<float[]> images(new float[s.batch * s.views * pixels]), lines(new float[rows * 4]);
  for (int64_t i = 0; i < s.batch * s.views * pixels; ++i) images[i] = brightness(random);
  for (int64_t i = 0; i < rows * 4; ++i) lines[i] = place(random);
  const float hostile[] = {kNaN, kInfinity, -kInfinity, 3e38f, -1e9f, 1e6f};
  for (int64_t row = 0; row < rows; ++row) {
    float* line = lines.get() + row * 4;
    if (row % 5 == 1) line[random() % 4] = hostile[random() % 6];
    if (row % 7 == 2) line[2] = line[0];
    if (row % 7 == 3) line[3] = line[1];
    if (row % 7 == 4) line[2] = line[0], line[3] = line[1];
  }
  std::unique_ptr<int32_t[]> found(new int32_t[rows * s.channels]);
  // Whatever the kernels leave unwritten is found.
  for (int64_t i = 0; i < rows * s.channels; ++i) found[i] = 1 << 30;
  kernels.brightest_pixel(s, images.get(), lines.get(), found.get(), ThreadWorkers(threads));
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t view = row / s.count / s.sets * s.views + s.sources[row / s.count % s.sets];
    for (int64_t channel = 0; channel < s.channels; ++channel) {
      const int32_t pixel = found[row * s.channels + channel];
      const float expected = Maximum(s, images.get() + view * pixels, lines.get() + row * 4, channel);
      bool right = pixel == -1 && expected <= 0;
      if (pixel >= 0 && pixel < s.height * s.width) {
        right = images[view * pixels + pixel * s.channels + channel] == expected;
      }
      if (!right) {
        std::printf("seed %u, line %d, channel %d: pixel %d, expected the value %g\n", seed, static_cast<int>(row),
                    static_cast<int>(channel), pixel, expected);
        ++failures;
        return;
      }
    }
  }
}

}  // namespace
}  // namespace tf_pose3d

int main() {
  using namespace tf_pose3d;
  const int32_t sources[] = {2, 0, 1, 0};
  unsigned seed = 0;
  for (int64_t channels : {1, 3, 7, 8, 9, 16, 20, 33}) {
    for (int64_t height : {1, 5, 24}) {
      for (int64_t width : {1, 2, 19}) {
        for (int threads : {1, 4, 16}) {
          const LineSearch search = {2, 3, height, width, channels, 4, 37, sources, 1e-3f, 1e6f};
          for (const auto& kernels : {baseline::GetLineMaximumKernels(), BestLineMaximumKernels()}) {
            Check(search, seed, threads, kernels);
          }
          ++seed;
        }
      }
    }
  }
  for (int64_t batch : {0, 1}) {
    const LineSearch empty = {batch, 3, 4, 4, 2, 4, batch == 0 ? 5 : 0, sources, 1e-3f, 1e6f};
    Check(empty, seed, 4, BestLineMaximumKernels());
  }
  std::printf("%d failures\n", failures);
  return failures != 0;
}
