// Soft-argmax for one instruction set: compile once per set, with -DTF_POSE3D_ISA=baseline or avx2 and that
// set's compiler flags.
#include "soft_argmax_cpu.h"

#include <cmath>
#include <limits>
#include <vector>

#include "lanes.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

// Where the maxima of some channels lie: `lanes` of them from each first[i] on, in one sweep of memory.
template <int Vectors>
void FindMaxima(const SoftArgmax& s, const float* image, const int64_t* first, int64_t lanes, int32_t* pixel) {
  Lanes best[Vectors];
  IntLanes found[Vectors];
  for (int i = 0; i < Vectors; ++i) {
    best[i] = Splat(-std::numeric_limits<float>::infinity());
    found[i] = IntLanes{};
  }
  const int32_t pixels = static_cast<int32_t>(s.height * s.width);
  for (int32_t p = 0; p < pixels; ++p) {
#pragma GCC unroll 4
    for (int i = 0; i < Vectors; ++i) {
      const Lanes value = LoadLanes(image + p * s.channels + first[i], lanes);
      const IntLanes better = value > best[i];
      best[i] = better ? value : best[i];
      found[i] = better ? IntLanes{} + p : found[i];
    }
  }
  for (int i = 0; i < Vectors; ++i) {
    for (int64_t j = 0; j < lanes; ++j) pixel[first[i] + j] = found[i][j];
  }
}

void FindMaxima(const SoftArgmax& s, const float* image, int32_t* pixel) {
  if (s.channels < kLanes) {
    const int64_t first = 0;
    return FindMaxima<1>(s, image, &first, s.channels, pixel);
  }
  for (int64_t channel = 0; channel < s.channels;) {
    // The last vector takes channels of the one before it once more, where they do not come out even.
    int64_t first[4];
    int vectors = 0;
    for (; vectors < 4 && channel < s.channels; channel += kLanes) first[vectors++] = Min(channel, s.channels - kLanes);
    switch (vectors) {
      case 4: FindMaxima<4>(s, image, first, kLanes, pixel); break;
      case 3: FindMaxima<3>(s, image, first, kLanes, pixel); break;
      case 2: FindMaxima<2>(s, image, first, kLanes, pixel); break;
      default: FindMaxima<1>(s, image, first, kLanes, pixel); break;
    }
  }
}

void FindMeans(const SoftArgmax& s, const float* heatmaps, int32_t* place, float* mean, const Workers& workers) {
  const double radius = static_cast<double>(s.diameter) / 2;
  const int64_t reach = static_cast<int64_t>(radius);
  struct Step {
    int32_t x, y;
  };
  std::vector<Step> disc;
  for (int64_t y = -reach; y <= reach; ++y) {
    for (int64_t x = -reach; x <= reach; ++x) {
      if (std::sqrt(static_cast<double>(x * x + y * y)) <= radius) {
        disc.push_back({static_cast<int32_t>(x), static_cast<int32_t>(y)});
      }
    }
  }
  const int64_t size = RoundUp(static_cast<int64_t>(disc.size()), kLanes);
  const float scale = 1 / s.temperature;
  RowBlocks blocks(s.images);
  // An image is much work, unlike a row of other kernels.
  blocks.size = 1;
  blocks.count = s.images;
  blocks.Run(workers, [&](int64_t begin, int64_t end, int64_t) {
    std::vector<int32_t> pixels(s.channels);
    std::vector<float> values(size), across(size), down(size);
    for (int64_t image = begin; image < end; ++image) {
      const float* map = heatmaps + image * s.height * s.width * s.channels;
      FindMaxima(s, map, pixels.data());
      for (int64_t channel = 0; channel < s.channels; ++channel) {
        const int32_t x = pixels[channel] % s.width, y = pixels[channel] / s.width;
        const float highest = map[pixels[channel] * s.channels + channel];
        int64_t count = 0;
        for (const Step step : disc) {
          const int64_t column = x + step.x, row = y + step.y;
          if (column < 0 || column >= s.width || row < 0 || row >= s.height) continue;
          values[count] = (map[(row * s.width + column) * s.channels + channel] - highest) * scale;
          across[count] = static_cast<float>(step.x);
          down[count] = static_cast<float>(step.y);
          ++count;
        }
        Lanes total{}, right{}, below{};
        for (int64_t i = 0; i < count; i += kLanes) {
          const int64_t lanes = Min(kLanes, count - i);
          const Lanes share = FirstLanes(ExpOfNegative(LoadLanes(values.data() + i, lanes)), lanes);
          total += share;
          right += share * LoadLanes(across.data() + i, lanes);
          below += share * LoadLanes(down.data() + i, lanes);
        }
        const int64_t out = (image * s.channels + channel) * 2;
        place[out] = x;
        place[out + 1] = y;
        mean[out] = static_cast<float>(x) + Sum(right) / Sum(total);
        mean[out + 1] = static_cast<float>(y) + Sum(below) / Sum(total);
      }
    }
  });
}

}  // namespace

SoftArgmaxKernels GetSoftArgmaxKernels() { return {FindMeans}; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
