// Normalized activations for one instruction set: compile once per set, with -DTF_POSE3D_ISA=baseline, avx2 or avx512
// and that set's compiler flags.
#include "normed_activation_cpu.h"

#include <cmath>
#include <vector>

#include "lanes.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

typedef uint32_t UnsignedLanes __attribute__((vector_size(TF_POSE3D_VECTOR_BYTES), aligned(4), may_alias));

// The finalizer of MurmurHash3: every bit of the result depends on every bit of x.
TF_POSE3D_INLINE UnsignedLanes Mix(UnsignedLanes x) {
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

// What kept features are multiplied with, 0 for dropped ones.
class Dropout {
 public:
  explicit Dropout(const NormedActivation& shape)
      : first_(shape.seed[0]),
        second_(shape.seed[1]),
        bound_(static_cast<uint32_t>(static_cast<double>(shape.rate) * 4294967296.0)),
        scale_(1.0f / (1.0f - shape.rate)),
        on_(shape.rate > 0) {}

  TF_POSE3D_INLINE Lanes operator()(int64_t place) const {
    if (!on_) return Splat(1.0f);
    const UnsignedLanes places = reinterpret_cast<UnsignedLanes>(kNumbers) + static_cast<uint32_t>(place);
    return Mix(Mix(places + first_) + second_) >= bound_ ? Splat(scale_) : Lanes{};
  }

 private:
  uint32_t first_, second_, bound_;
  float scale_;
  bool on_;
};

// Calls body(column, count, x, place, bias) for each vector of a row.
template <typename Body>
TF_POSE3D_INLINE void ForRow(const NormedActivation& s, int64_t row, const Body& body) {
  const int64_t group = row % s.groups * s.width;
  ForColumns(s.width, [&](int64_t i, int64_t n) { body(i, n, row * s.width + i, group + i); });
}

// Per block: sums, then squares of what differs from the block's average (width each).
size_t Bytes(const NormedActivation& s) { return RowBlocks(s.rows()).count * 2 * s.width * sizeof(float); }

void Forward(const NormedActivation& s, const float* x, const float* bias, const float* gamma, const float* beta,
             float* y, float* mean, float* variance, void* workspace, const Workers& workers) {
  const RowBlocks blocks(s.rows());
  float* partial = static_cast<float*>(workspace);
  const float share = 1.0f / static_cast<float>(s.rows());
  // A block is read from memory once: for its squares it lies in the cache.
  blocks.Run(workers, [=](int64_t begin, int64_t end, int64_t block) {
    float *sums = partial + block * 2 * s.width, *squares = sums + s.width;
    for (int64_t i = 0; i < 2 * s.width; ++i) sums[i] = 0;
    for (int64_t row = begin; row < end; ++row) {
      ForRow(s, row, [&](int64_t i, int64_t n, int64_t place, int64_t b) {
        StoreLanes(LoadLanes(sums + i, n) + LoadLanes(x + place, n) + LoadLanes(bias + b, n), n, sums + i);
      });
    }
    const float part = 1.0f / static_cast<float>(end - begin);
    for (int64_t row = begin; row < end; ++row) {
      ForRow(s, row, [&](int64_t i, int64_t n, int64_t place, int64_t b) {
        const Lanes centred = LoadLanes(x + place, n) + LoadLanes(bias + b, n) - LoadLanes(sums + i, n) * part;
        StoreLanes(LoadLanes(squares + i, n) + centred * centred, n, squares + i);
      });
    }
  });
  blocks.AddUp(s.width, 2 * s.width, partial, mean);
  for (int64_t i = 0; i < s.width; ++i) mean[i] *= share;
  for (int64_t i = 0; i < s.width; ++i) variance[i] = 0;
  for (int64_t block = 0; block < blocks.count; ++block) {
    const float *sums = partial + block * 2 * s.width, *squares = sums + s.width;
    const float rows = static_cast<float>(Min(blocks.size, s.rows() - block * blocks.size));
    for (int64_t i = 0; i < s.width; ++i) {
      const float apart = sums[i] / rows - mean[i];
      variance[i] += (squares[i] + rows * apart * apart) * share;
    }
  }
  std::vector<float> gains(s.width), shifts(s.width);
  for (int64_t i = 0; i < s.width; ++i) {
    gains[i] = gamma[i] / std::sqrt(variance[i] + s.epsilon);
    shifts[i] = beta[i] - mean[i] * gains[i];
  }
  const float *gain = gains.data(), *shift = shifts.data();
  const Dropout dropout(s);
  blocks.Run(workers, [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t row = begin; row < end; ++row) {
      ForRow(s, row, [&](int64_t i, int64_t n, int64_t place, int64_t b) {
        const Lanes z = LoadLanes(x + place, n) + LoadLanes(bias + b, n);
        const Lanes normal = z * LoadLanes(gain + i, n) + LoadLanes(shift + i, n);
        const Lanes active = normal > 0.0f ? normal : normal * s.slope;
        StoreLanes(active * dropout(place), n, y + place);
      });
    }
  });
}

// Per block: sums of the gradients of gamma and beta (width each), then of bias (groups * width).
int64_t PartialSize(const NormedActivation& s) { return (2 + s.groups) * s.width; }

size_t BackwardBytes(const NormedActivation& s) {
  return RowBlocks(s.rows()).count * PartialSize(s) * sizeof(float);
}

// With n the normalized features and d the gradient behind gamma and beta:
// grad_x = gamma * scale * (d - average(d) - n * average(d n)).
void Backward(const NormedActivation& s, const float* x, const float* bias, const float* gamma, const float* beta,
              const float* mean, const float* variance, const float* grad_y, float* grad_x, float* grad_bias,
              float* grad_gamma, float* grad_beta, void* workspace, const Workers& workers) {
  const RowBlocks blocks(s.rows());
  const int64_t size = PartialSize(s);
  float* partial = static_cast<float*>(workspace);
  std::vector<float> scales(s.width);
  for (int64_t i = 0; i < s.width; ++i) scales[i] = 1.0f / std::sqrt(variance[i] + s.epsilon);
  const float* scale = scales.data();
  const Dropout dropout(s);
  // The first sweep leaves the gradient behind gamma and beta, d, in grad_x, which may be grad_y.
  blocks.Run(workers, [=](int64_t begin, int64_t end, int64_t block) {
    float *gammas = partial + block * size, *betas = gammas + s.width;
    for (int64_t i = 0; i < 2 * s.width; ++i) gammas[i] = 0;
    for (int64_t row = begin; row < end; ++row) {
      ForRow(s, row, [&](int64_t i, int64_t n, int64_t place, int64_t b) {
        const Lanes centred = LoadLanes(x + place, n) + LoadLanes(bias + b, n) - LoadLanes(mean + i, n);
        const Lanes normal = centred * LoadLanes(scale + i, n);
        const Lanes active = normal * LoadLanes(gamma + i, n) + LoadLanes(beta + i, n);
        const Lanes kept = LoadLanes(grad_y + place, n) * dropout(place);
        const Lanes d = active > 0.0f ? kept : kept * s.slope;
        StoreLanes(d, n, grad_x + place);
        StoreLanes(LoadLanes(gammas + i, n) + d * normal, n, gammas + i);
        StoreLanes(LoadLanes(betas + i, n) + d, n, betas + i);
      });
    }
  });
  blocks.AddUp(s.width, size, partial, grad_gamma);
  blocks.AddUp(s.width, size, partial + s.width, grad_beta);
  const float share = 1.0f / static_cast<float>(s.rows());
  std::vector<float> gains(s.width), slopes(s.width), shifts(s.width);
  for (int64_t i = 0; i < s.width; ++i) {
    gains[i] = gamma[i] * scale[i];
    slopes[i] = gains[i] * scale[i] * grad_gamma[i] * share;
    shifts[i] = gains[i] * grad_beta[i] * share;
  }
  const float *gain = gains.data(), *slope = slopes.data(), *shift = shifts.data();
  blocks.Run(workers, [=](int64_t begin, int64_t end, int64_t block) {
    float* biases = partial + block * size + 2 * s.width;
    for (int64_t i = 0; i < s.groups * s.width; ++i) biases[i] = 0;
    for (int64_t row = begin; row < end; ++row) {
      ForRow(s, row, [&](int64_t i, int64_t n, int64_t place, int64_t b) {
        const Lanes centred = LoadLanes(x + place, n) + LoadLanes(bias + b, n) - LoadLanes(mean + i, n);
        const Lanes g = LoadLanes(grad_x + place, n) * LoadLanes(gain + i, n) - LoadLanes(shift + i, n) -
                        centred * LoadLanes(slope + i, n);
        StoreLanes(g, n, grad_x + place);
        StoreLanes(LoadLanes(biases + b, n) + g, n, biases + b);
      });
    }
  });
  blocks.AddUp(s.groups * s.width, size, partial + 2 * s.width, grad_bias);
}

}  // namespace

NormedActivationKernels GetNormedActivationKernels() { return {Bytes, Forward, BackwardBytes, Backward}; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
