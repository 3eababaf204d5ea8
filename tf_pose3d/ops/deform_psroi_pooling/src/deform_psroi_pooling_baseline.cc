// Compiled once, with -DTF_POSE3D_ISA=baseline: the operation is bound by scattered loads.
#include "deform_psroi_pooling_cpu.h"

#include <cstring>
#include <type_traits>

#include "parallel.h"
#include "psroi_bin.h"
#include "simd.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

template <typename T>
class PsRoi {
 public:
  using R = typename ComputeType<T>::type;

  PsRoi(const DeformPsRoiShape& shape, const T* x, const R* rois, const T* trans)
      : s(shape),
        x_strides(shape.channels_first, shape.height, shape.width, shape.channels),
        y_strides(shape.channels_first, shape.pooled_size, shape.pooled_size, shape.output_dim),
        trans_strides(shape.channels_first, shape.part_size, shape.part_size, 2 * shape.classes),
        x_(x),
        rois_(rois),
        trans_(trans) {}

  PsRoiBin<R> Bin(int64_t region, int64_t row, int64_t column, int64_t output) const {
    PsRoiBin<R> bin(s, rois_ + 5 * region, row, column, output);
    if (trans_ != nullptr) {
      const R std = static_cast<R>(s.trans_std);
      const int64_t at = TransAt(region, bin);
      bin.Move(Load(trans_[at]) * std, Load(trans_[at + trans_strides.channel]) * std);
    }
    return bin;
  }

  int64_t TransAt(int64_t region, const PsRoiBin<R>& bin) const {
    return trans_strides.At(region, bin.part_row, bin.part_column, 2 * bin.klass);
  }

  R Pixel(const PsRoiBin<R>& bin, int64_t row, int64_t column) const {
    return Load(x_[x_strides.At(bin.image, row, column, bin.channel)]);
  }

  // Calls body(sample) for each sample inside the image; returns how many there are.
  template <typename Body>
  int64_t ForSamples(const PsRoiBin<R>& bin, const Body& body) const {
    int64_t count = 0;
    for (int64_t i = 0; i < s.sample_per_part; ++i) {
      for (int64_t j = 0; j < s.sample_per_part; ++j) {
        const PsRoiSample<R> sample(s, bin.x + static_cast<R>(j) * bin.step_x, bin.y + static_cast<R>(i) * bin.step_y);
        if (!sample.inside) continue;
        ++count;
        body(sample);
      }
    }
    return count;
  }

  int64_t CountSamples(const PsRoiBin<R>& bin) const {
    return ForSamples(bin, [](const PsRoiSample<R>&) {});
  }

  const DeformPsRoiShape s;
  const PsRoiStrides x_strides, y_strides, trans_strides;

 private:
  const T* x_;
  const R* rois_;
  const T* trans_;
};

}  // namespace

template <typename T>
void DeformPsRoiForward(const DeformPsRoiShape& shape, const T* x, const typename ComputeType<T>::type* rois,
                        const T* trans, T* y, const Workers& workers) {
  using R = typename ComputeType<T>::type;
  const PsRoi<T> op(shape, x, rois, trans);
  Parallel(workers, shape.count, [&](int64_t region) {
    for (int64_t row = 0; row < shape.pooled_size; ++row) {
      for (int64_t column = 0; column < shape.pooled_size; ++column) {
        for (int64_t c = 0; c < shape.output_dim; ++c) {
          const PsRoiBin<R> bin = op.Bin(region, row, column, c);
          R sum = 0;
          const int64_t count = op.ForSamples(bin, [&](const PsRoiSample<R>& p) {
            const R top = op.Pixel(bin, p.top, p.left) * (1 - p.across) + op.Pixel(bin, p.top, p.right) * p.across;
            const R bottom =
                op.Pixel(bin, p.bottom, p.left) * (1 - p.across) + op.Pixel(bin, p.bottom, p.right) * p.across;
            sum += top * (1 - p.down) + bottom * p.down;
          });
          Store(count == 0 ? 0 : sum / static_cast<R>(count), y + op.y_strides.At(region, row, column, c));
        }
      }
    }
  });
}

template <typename T>
size_t DeformPsRoiBackwardBytes(const DeformPsRoiShape& shape) {
  using R = typename ComputeType<T>::type;
  if (std::is_same<T, R>::value) return 0;
  return sizeof(R) * static_cast<size_t>(shape.batch * shape.height * shape.width * shape.channels);
}

template <typename T>
void DeformPsRoiBackward(const DeformPsRoiShape& shape, const T* x, const typename ComputeType<T>::type* rois,
                         const T* trans, const T* grad_y, T* grad_x, T* grad_trans, void* workspace,
                         const Workers& workers) {
  using R = typename ComputeType<T>::type;
  const PsRoi<T> op(shape, x, rois, trans);
  const int64_t x_size = shape.batch * shape.height * shape.width * shape.channels;
  R* sum = std::is_same<T, R>::value ? reinterpret_cast<R*>(grad_x) : static_cast<R*>(workspace);
  memset(sum, 0, sizeof(R) * x_size);
  // An output channel reads channels of x of its own, so that no two tasks add to one element.
  Parallel(workers, shape.output_dim, [&](int64_t c) {
    for (int64_t region = 0; region < shape.count; ++region) {
      for (int64_t row = 0; row < shape.pooled_size; ++row) {
        for (int64_t column = 0; column < shape.pooled_size; ++column) {
          const PsRoiBin<R> bin = op.Bin(region, row, column, c);
          const int64_t count = op.CountSamples(bin);
          if (count == 0) continue;
          const R grad = Load(grad_y[op.y_strides.At(region, row, column, c)]) / static_cast<R>(count);
          op.ForSamples(bin, [&](const PsRoiSample<R>& p) {
            auto add = [&](int64_t r, int64_t col, R weight) {
              sum[op.x_strides.At(bin.image, r, col, bin.channel)] += grad * weight;
            };
            add(p.top, p.left, (1 - p.down) * (1 - p.across));
            add(p.top, p.right, (1 - p.down) * p.across);
            add(p.bottom, p.left, p.down * (1 - p.across));
            add(p.bottom, p.right, p.down * p.across);
          });
        }
      }
    }
  });
  if (!std::is_same<T, R>::value) {
    for (int64_t i = 0; i < x_size; ++i) Store(sum[i], grad_x + i);
  }
  if (grad_trans == nullptr) return;

  const int64_t class_channels = shape.output_dim / shape.classes;
  Parallel(workers, shape.count, [&](int64_t region) {
    for (int64_t k = 0; k < shape.classes; ++k) {
      for (int64_t part = 0; part < shape.part_size * shape.part_size; ++part) {
        // Bins whose part this is: the inverse of row * part_size / pooled_size.
        R along_x = 0, along_y = 0;
        const int64_t part_row = part / shape.part_size, part_column = part % shape.part_size;
        auto begin = [&](int64_t p) { return CeilDiv(p * shape.pooled_size, shape.part_size); };
        for (int64_t row = begin(part_row); row < begin(part_row + 1); ++row) {
          for (int64_t column = begin(part_column); column < begin(part_column + 1); ++column) {
            for (int64_t c = k * class_channels; c < (k + 1) * class_channels; ++c) {
              const PsRoiBin<R> bin = op.Bin(region, row, column, c);
              const int64_t count = op.CountSamples(bin);
              if (count == 0) continue;
              const R grad = Load(grad_y[op.y_strides.At(region, row, column, c)]) / static_cast<R>(count) *
                             static_cast<R>(shape.trans_std);
              op.ForSamples(bin, [&](const PsRoiSample<R>& p) {
                const R v00 = op.Pixel(bin, p.top, p.left), v01 = op.Pixel(bin, p.top, p.right);
                const R v10 = op.Pixel(bin, p.bottom, p.left), v11 = op.Pixel(bin, p.bottom, p.right);
                along_x += grad * bin.width * ((v01 - v00) * (1 - p.down) + (v11 - v10) * p.down);
                along_y += grad * bin.height * ((v10 - v00) * (1 - p.across) + (v11 - v01) * p.across);
              });
            }
          }
        }
        const int64_t at = op.trans_strides.At(region, part_row, part_column, 2 * k);
        Store(along_x, grad_trans + at);
        Store(along_y, grad_trans + at + op.trans_strides.channel);
      }
    }
  });
}

#define TF_POSE3D_INSTANTIATE(T)                                                                                 \
  template void DeformPsRoiForward(const DeformPsRoiShape&, const T*, const ComputeType<T>::type*, const T*, T*, \
                                   const Workers&);                                                              \
  template size_t DeformPsRoiBackwardBytes<T>(const DeformPsRoiShape&);                                          \
  template void DeformPsRoiBackward(const DeformPsRoiShape&, const T*, const ComputeType<T>::type*, const T*,    \
                                    const T*, T*, T*, void*, const Workers&);
TF_POSE3D_INSTANTIATE(float)
TF_POSE3D_INSTANTIATE(double)
TF_POSE3D_INSTANTIATE(Half)
TF_POSE3D_INSTANTIATE(BFloat16)
#undef TF_POSE3D_INSTANTIATE

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
