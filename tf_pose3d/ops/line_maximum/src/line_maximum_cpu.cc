// Line maxima for one instruction set: compile once per set, with -DTF_POSE3D_ISA=baseline, avx2 or avx512 and that
// set's compiler flags.
#include "line_maximum_cpu.h"

#include <cmath>
#include <limits>
#include <vector>

#include "lanes.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

TF_POSE3D_INLINE bool IsInside(float value, int64_t size) {
  const float rounded = std::nearbyint(value);
  return rounded >= 0 && rounded < static_cast<float>(size);
}

// Writes the pixels of a line's samples to `pixels` and returns their number, or -1 where there is no line.
// `outside`: whether some sample lies outside the image.
//
// Samples at integers of the axis along which the line runs reach every pixel that samples at integers of the
// other one reach: where the slope is at most 1, both round to the same pixel.
int64_t SamplePixels(const LineSearch& s, const float* line, int32_t* pixels, bool* outside) {
  for (int i = 0; i < 4; ++i) {
    if (!(std::fabs(line[i]) < s.farthest)) return -1;
  }
  const float dx = line[2] - line[0], dy = line[3] - line[1];
  const bool steep = std::fabs(dy) > std::fabs(dx);
  if (!(std::fabs(steep ? dy : dx) > s.shortest)) return -1;
  const float slope = steep ? dx / dy : dy / dx;
  const float along = line[steep ? 1 : 0], aside = line[steep ? 0 : 1];
  const int64_t length = steep ? s.height : s.width, breadth = steep ? s.width : s.height;
  // From one sample to the next, and from one row or column beside the line to the next.
  const int32_t step = static_cast<int32_t>(steep ? s.width : 1), stride = static_cast<int32_t>(steep ? 1 : s.width);

  constexpr float kFlattest = 1e-20f;
  const float reciprocal = 1 / (std::fabs(slope) < kFlattest ? kFlattest : slope);
  *outside = !(IsInside(aside - slope * along, breadth) &&
               IsInside(aside + slope * (static_cast<float>(length - 1) - along), breadth) &&
               IsInside(along - reciprocal * aside, length) &&
               IsInside(along + reciprocal * (static_cast<float>(breadth - 1) - aside), length));

  int64_t count = 0;
  constexpr float kRounder = 0x1.8p23f;  // adding and subtracting it rounds to an integer
  for (int32_t i = 0; i < length; ++i) {
    const float rounded = (aside + slope * (static_cast<float>(i) - along) + kRounder) - kRounder;
    const bool used = rounded >= 0 && rounded < static_cast<float>(breadth);
    pixels[count] = i * step + static_cast<int32_t>(used ? rounded : 0) * stride;
    count += used;
  }
  return count;
}

// Lanes `first` to `first + lanes - 1` of the channels.
TF_POSE3D_INLINE void Search(const LineSearch& s, const float* image, const int32_t* pixels, int64_t count,
                             bool outside, int64_t first, int64_t lanes, int32_t* place) {
  Lanes best = Splat(outside ? 0.0f : -std::numeric_limits<float>::infinity());
  IntLanes found = IntLanes{} - 1;
  for (int64_t i = 0; i < count; ++i) {
    const Lanes value = LoadLanes(image + pixels[i] * s.channels + first, lanes);
    const IntLanes better = value > best;
    best = better ? value : best;
    found = better ? IntLanes{} + pixels[i] : found;
  }
  for (int64_t i = 0; i < lanes; ++i) place[first + i] = found[i];
}

void BrightestPixel(const LineSearch& s, const float* images, const float* lines, int32_t* place,
                    const Workers& workers) {
  const RowBlocks blocks(s.batch * s.sets * s.count);
  blocks.Run(workers, [=](int64_t begin, int64_t end, int64_t) {
    std::vector<int32_t> pixels(Max(s.height, s.width) + 1);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t set = row / s.count % s.sets, sample = row / s.count / s.sets;
      const float* image = images + (sample * s.views + s.sources[set]) * s.height * s.width * s.channels;
      int32_t* out = place + row * s.channels;
      bool outside = true;
      const int64_t count = SamplePixels(s, lines + row * 4, pixels.data(), &outside);
      if (count <= 0) {
        for (int64_t i = 0; i < s.channels; ++i) out[i] = -1;
        continue;
      }
      int64_t first = 0;
      for (; first + kLanes <= s.channels; first += kLanes) {
        Search(s, image, pixels.data(), count, outside, first, kLanes, out);
      }
      if (first == s.channels) continue;
      // The last lanes once more with those before them, where there are as many.
      if (s.channels >= kLanes) {
        Search(s, image, pixels.data(), count, outside, s.channels - kLanes, kLanes, out);
      } else {
        Search(s, image, pixels.data(), count, outside, 0, s.channels, out);
      }
    }
  });
}

}  // namespace

LineMaximumKernels GetLineMaximumKernels() { return {BrightestPixel}; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
