// Deformable convolution and its gradients as the definition states them, in double and one number at a
// time: what the harnesses compare the kernels with.
#ifndef TF_POSE3D_TESTS_NAIVE_DEFORM_CONV_H_
#define TF_POSE3D_TESTS_NAIVE_DEFORM_CONV_H_

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "deform_conv_shape.h"

namespace tf_pose3d {

using Doubles = std::vector<double>;

struct Problem {
  DeformConvShape shape;
  bool with_mask, with_bias;
  Doubles x, offset, weight, mask, bias, grad_y;
  Doubles y, grad_x, grad_offset, grad_weight, grad_mask, grad_bias;
};

inline size_t ImageIndex(const DeformConvShape& s, int64_t b, int64_t y, int64_t x, int64_t c) {
  return s.channels_first ? ((b * s.channels + c) * s.height + y) * s.width + x
                          : ((b * s.height + y) * s.width + x) * s.channels + c;
}

inline size_t MapIndex(const DeformConvShape& s, int64_t b, int64_t p, int64_t c, int64_t channels) {
  return s.channels_first ? (b * channels + c) * s.out_pixels() + p : (b * s.out_pixels() + p) * channels + c;
}

// Random tensors; some offsets are far outside, NaN or infinite. float_values keeps numbers that float32
// holds exactly, so that every type starts from the same problem.
inline Problem MakeProblem(const DeformConvShape& s, bool with_mask, bool with_bias, unsigned seed, bool hostile) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  auto fill = [&](int64_t n, float scale) {
    Doubles values(n);
    for (double& v : values) v = scale * normal(random);
    return values;
  };
  Problem p{s, with_mask, with_bias, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  const int64_t maps = s.batch * s.out_pixels() * s.deformable_groups * s.taps();
  p.x = fill(s.batch * s.height * s.width * s.channels, 1);
  p.offset = fill(2 * maps, 2);
  p.weight = fill(s.weight_size(), 0.3f);
  if (with_mask) p.mask = fill(maps, 1);
  if (with_bias) p.bias = fill(s.filters, 1);
  p.grad_y = fill(s.batch * s.out_pixels() * s.filters, 1);
  for (size_t i = 0; hostile && i < p.offset.size(); i += 5) {
    const double bad[] = {NAN, INFINITY, -INFINITY, 1e30, -1e9, 2147483648.0, -0.5 - s.height, 0.0};
    p.offset[i] = bad[random() % 8];
  }
  return p;
}

inline void Solve(Problem& problem) {
  const DeformConvShape& s = problem.shape;
  const int64_t maps = s.deformable_groups * s.taps();
  problem.y.assign(s.batch * s.out_pixels() * s.filters, 0);
  problem.grad_x.assign(problem.x.size(), 0);
  problem.grad_offset.assign(problem.offset.size(), 0);
  problem.grad_weight.assign(problem.weight.size(), 0);
  problem.grad_mask.assign(problem.mask.size(), 0);
  problem.grad_bias.assign(s.filters, 0);
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t p = 0; p < s.out_pixels(); ++p) {
      for (int64_t f = 0; f < s.filters; ++f) {
        const size_t at = MapIndex(s, b, p, f, s.filters);
        if (problem.with_bias) problem.y[at] += problem.bias[f];
        problem.grad_bias[f] += problem.grad_y[at];
      }
      for (int64_t c = 0; c < s.channels; ++c) {
        const int64_t group = c / s.group_channels();
        for (int64_t tap = 0; tap < s.taps(); ++tap) {
          const int64_t map = c / s.deformable_channels() * s.taps() + tap;
          const size_t dy_at = MapIndex(s, b, p, 2 * map, 2 * maps);
          const size_t dx_at = MapIndex(s, b, p, 2 * map + 1, 2 * maps);
          const double y = p / s.out_width * s.stride_h - s.pad_top + tap / s.kernel_w * s.dilation_h +
                           problem.offset[dy_at];
          const double x = p % s.out_width * s.stride_w - s.pad_left + tap % s.kernel_w * s.dilation_w +
                           problem.offset[dx_at];
          if (!(y > -1 && y < s.height && x > -1 && x < s.width)) continue;
          const size_t mask_at = MapIndex(s, b, p, map, maps);
          const double mask = problem.with_mask ? problem.mask[mask_at] : 1;
          const int64_t top = static_cast<int64_t>(std::floor(y)), left = static_cast<int64_t>(std::floor(x));
          double grad = 0, value = 0, slope_y = 0, slope_x = 0;
          for (int64_t f = 0; f < s.group_filters(); ++f) {
            const int64_t filter = group * s.group_filters() + f;
            grad += problem.grad_y[MapIndex(s, b, p, filter, s.filters)] *
                    problem.weight[(tap * s.group_channels() + c % s.group_channels()) * s.filters + filter];
          }
          for (int corner = 0; corner < 4; ++corner) {
            const int64_t row = top + corner / 2, column = left + corner % 2;
            if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
            const double wy = corner / 2 ? y - top : 1 - (y - top);
            const double wx = corner % 2 ? x - left : 1 - (x - left);
            const double pixel = problem.x[ImageIndex(s, b, row, column, c)];
            value += wy * wx * pixel;
            slope_y += (corner / 2 ? 1 : -1) * wx * pixel;
            slope_x += (corner % 2 ? 1 : -1) * wy * pixel;
            problem.grad_x[ImageIndex(s, b, row, column, c)] += grad * mask * wy * wx;
          }
          problem.grad_offset[dy_at] += grad * mask * slope_y;
          problem.grad_offset[dx_at] += grad * mask * slope_x;
          if (problem.with_mask) problem.grad_mask[mask_at] += grad * value;
          for (int64_t f = 0; f < s.group_filters(); ++f) {
            const int64_t filter = group * s.group_filters() + f;
            const size_t weight_at = (tap * s.group_channels() + c % s.group_channels()) * s.filters + filter;
            problem.y[MapIndex(s, b, p, filter, s.filters)] += problem.weight[weight_at] * mask * value;
            problem.grad_weight[weight_at] +=
                problem.grad_y[MapIndex(s, b, p, filter, s.filters)] * mask * value;
          }
        }
      }
    }
  }
}

// Shapes with every option at an odd value, in both data formats.
inline std::vector<DeformConvShape> OddShapes() {
  struct Options {
    int64_t batch, height, width, channels, filters, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h,
        dilation_w, groups, deformable_groups;
  };
  const Options all[] = {
      {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1},      {2, 7, 5, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
      {3, 9, 8, 8, 6, 3, 2, 2, 1, 1, 0, 1, 2, 2, 2},      {1, 12, 13, 20, 20, 3, 3, 1, 1, 3, 3, 3, 3, 1, 20},
      {2, 6, 6, 16, 24, 3, 3, 1, 2, 2, 1, 2, 1, 1, 1},    {1, 11, 9, 40, 17, 1, 3, 1, 1, 0, 1, 1, 1, 1, 1},
      {5, 5, 6, 22, 26, 2, 2, 1, 1, 1, 1, 1, 1, 2, 1},    {1, 8, 8, 36, 10, 3, 3, 1, 1, 1, 1, 1, 1, 2, 3},
      {1, 20, 21, 24, 24, 3, 3, 1, 1, 1, 1, 1, 1, 24, 1}, {2, 4, 31, 48, 33, 3, 1, 3, 2, 1, 0, 1, 1, 3, 2},
      {1, 17, 16, 33, 70, 5, 5, 2, 2, 2, 2, 1, 1, 1, 1},  {2, 10, 10, 12, 8, 3, 3, 1, 1, 24, 24, 24, 24, 4, 6},
      {0, 5, 5, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 2},
  };
  std::vector<DeformConvShape> shapes;
  for (const Options& o : all) {
    for (bool channels_first : {false, true}) {
      const int64_t out_h = (o.height + 2 * o.pad_h - o.dilation_h * (o.kernel_h - 1) - 1) / o.stride_h + 1;
      const int64_t out_w = (o.width + 2 * o.pad_w - o.dilation_w * (o.kernel_w - 1) - 1) / o.stride_w + 1;
      shapes.push_back({o.batch, o.height, o.width, o.channels, out_h, out_w, o.filters, o.kernel_h, o.kernel_w,
                        o.stride_h, o.stride_w, o.pad_h, o.pad_w, o.dilation_h, o.dilation_w, o.groups,
                        o.deformable_groups, channels_first});
    }
  }
  return shapes;
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_TESTS_NAIVE_DEFORM_CONV_H_
