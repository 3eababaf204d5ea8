// Forward pass: a tile of output pixels at a time is sampled into columns, which are multiplied with the
// weights while they are in the cache. Included only by sources compiled per instruction set (see simd.h).
#ifndef TF_POSE3D_OPS_DEFORM_CONV_FORWARD_H_
#define TF_POSE3D_OPS_DEFORM_CONV_FORWARD_H_

#include "sampling.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

template <typename T>
class Forward {
 public:
  using R = typename ComputeType<T>::type;

  Forward(const DeformConvShape& shape, int workers, void* workspace)
      : shape_(shape),
        padded_(shape),
        by_channel_(ByChannel(shape)),
        filter_columns_(RoundUp(shape.group_filters(), Vector<R>::size)),
        channel_columns_(RoundUp(shape.group_channels(), Vector<R>::size)) {
    const int64_t elements = 24576 * 4 / static_cast<int64_t>(sizeof(R));
    if (by_channel_) {
      tap_block_ = 1;
      const int64_t widest = Max(shape.groups * channel_columns_, shape.groups * filter_columns_);
      tile_ = Min(192, Max(24, elements / widest / 6 * 6));
      column_row_ = SpreadRow<R>(shape.groups * channel_columns_);
      output_row_ = SpreadRow<R>(shape.groups * filter_columns_);
    } else {
      tap_block_ = Min(shape.taps(), Max(1, 512 / shape.channels));
      tile_ = Min(kMaxTile, Max(32, 2 * elements / (tap_block_ * shape.channels) / kPanel<R> * kPanel<R>));
      column_row_ = output_row_ = SpreadRow<R>(tile_);
    }
    tiles_per_image_ = CeilDiv(shape.out_pixels(), tile_);
    // Images are packed a few at a time: enough tiles to keep all workers busy, and no more memory.
    images_per_chunk_ = Max(1, Min(shape.batch, CeilDiv(8 * workers, tiles_per_image_)));
    workers_ = workers;

    Arena arena(workspace);
    packed_x_ = arena.Take<R>(images_per_chunk_ * shape.channels * padded_.pixels());
    packed_weight_ = arena.Take<R>(PackedWeightSize());
    scratch_ = arena.Take<char>(0);
    scratch_bytes_ = RoundUp(static_cast<int64_t>(Scratch(*this, nullptr).bytes), 64);
    bytes_ = arena.used() + static_cast<size_t>(scratch_bytes_ * workers);
  }

  size_t bytes() const { return bytes_; }

  void Run(const T* x, const T* offset, const T* weight, const T* mask, const T* bias, T* y, const Workers& workers) {
    PackWeight(weight);
    const int64_t image_size = shape_.channels * padded_.pixels();
    const ImageStrides x_strides(shape_);
    for (int64_t begin = 0; begin < shape_.batch; begin += images_per_chunk_) {
      const int64_t images = Min(images_per_chunk_, shape_.batch - begin);
      constexpr int64_t kRows = 8;
      const int64_t row_blocks = CeilDiv(padded_.rows(), kRows);
      Parallel(workers, images * row_blocks, [&](int64_t task) {
        const int64_t image = task / row_blocks;
        const int64_t first = task % row_blocks * kRows;
        for (int64_t row = first; row < Min(first + kRows, padded_.rows()); ++row) {
          PackRow(shape_, x + (begin + image) * x_strides.image, row, 0, shape_.channels, by_channel_,
                  packed_x_ + image * image_size);
        }
      });
      // Tiles are taken by whoever is free; no result depends on who takes which.
      int64_t next = 0;
      const int64_t tiles = images * tiles_per_image_;
      Parallel(workers, Min(workers_, tiles), [&](int64_t worker) {
        Scratch scratch(*this, scratch_ + worker * scratch_bytes_);
        for (;;) {
          const int64_t tile = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
          if (tile >= tiles) return;
          const int64_t image = tile / tiles_per_image_;
          const int64_t first = tile % tiles_per_image_ * tile_;
          const int64_t count = Min(tile_, shape_.out_pixels() - first);
          scratch.locator.SetTile(offset, mask, begin + image, first, count);
          const R* packed = packed_x_ + image * image_size;
          if (by_channel_) {
            StartByChannel(scratch, bias, count);
            TileByChannel(scratch, packed, count);
            FinishByChannel(scratch, count, begin + image, first, y);
          } else {
            StartByPixel(scratch, bias);
            TileByPixel(scratch, packed, weight, count);
            FinishByPixel(scratch, count, begin + image, first, y);
          }
        }
      });
    }
  }

 private:
  struct Scratch {
    Scratch(const Forward& op, void* memory) : Scratch(op, Arena(memory)) {}
    Scratch(const Forward& op, Arena arena)
        : locator(arena, op.shape_),
          columns(arena.Take<R>(op.column_row_ *
                                (op.by_channel_ ? op.tile_ : op.tap_block_ * op.shape_.channels))),
          output(arena.Take<R>(op.output_row_ * (op.by_channel_ ? op.tile_ : op.shape_.filters))),
          bytes(arena.used()) {}

    TapLocator<T> locator;
    R* columns;  // by channel (pixel, group, channel of it), else (group, tap, channel of it, pixel)
    R* output;   // by channel (pixel, group, filter of it), else (filter, pixel)
    size_t bytes;
  };

  int64_t PackedWeightSize() const {
    if (by_channel_) {
      return shape_.groups * shape_.taps() * shape_.group_channels() * RoundUp(shape_.group_filters(), kPanel<R>);
    }
    return std::is_same<T, R>::value ? 0 : shape_.weight_size();
  }

  // By channel: (group, panel of filters, tap, channel, filter of the panel), zeros where a panel is
  // wider than the group. By pixel: as given, in the computing type.
  void PackWeight(const T* weight) {
    const int64_t depth = shape_.taps() * shape_.group_channels();
    if (!by_channel_) {
      if (!std::is_same<T, R>::value) LoadRow(weight, 1, shape_.weight_size(), packed_weight_);
      return;
    }
    R* out = packed_weight_;
    for (int64_t group = 0; group < shape_.groups; ++group) {
      for (int64_t panel = 0; panel < shape_.group_filters(); panel += kPanel<R>) {
        const int64_t filters = Min(kPanel<R>, shape_.group_filters() - panel);
        for (int64_t k = 0; k < depth; ++k, out += kPanel<R>) {
          const T* in = weight + k * shape_.filters + group * shape_.group_filters() + panel;
          for (int64_t f = 0; f < kPanel<R>; ++f) out[f] = f < filters ? Load(in[f]) : 0;
        }
      }
    }
  }

  void StartByChannel(Scratch& scratch, const T* bias, int64_t count) {
    for (int64_t p = 0; p < count; ++p) {
      R* row = scratch.output + p * output_row_;
      memset(row, 0, sizeof(R) * output_row_);
      if (bias == nullptr) continue;
      for (int64_t f = 0; f < shape_.filters; ++f) row[FilterColumn(f)] = Load(bias[f]);
    }
  }

  void StartByPixel(Scratch& scratch, const T* bias) {
    for (int64_t f = 0; f < shape_.filters; ++f) {
      const R start = bias == nullptr ? 0 : Load(bias[f]);
      for (int64_t p = 0; p < output_row_; ++p) scratch.output[f * output_row_ + p] = start;
    }
  }

  void TileByChannel(Scratch& scratch, const R* packed, int64_t count) {
    const Samples<R>& s = scratch.locator.samples();
    const int64_t channels = shape_.channels;
    const int64_t below = padded_.row() * channels;
    const int64_t depth = shape_.taps() * shape_.group_channels();
    for (int64_t tap = 0; tap < shape_.taps(); ++tap) {
      for (int64_t g = 0; g < shape_.deformable_groups; ++g) {
        scratch.locator.Locate(g, tap);
        const int64_t end = (g + 1) * shape_.deformable_channels();
        for (int64_t p = 0; p < count; ++p) {
          const R* pixel = packed + s.index[p] * channels;
          const R w00 = s.w00[p], w01 = s.w01[p], w10 = s.w10[p], w11 = s.w11[p];
          for (int64_t c = g * shape_.deformable_channels(); c < end;) {
            const int64_t group = c / shape_.group_channels();
            const int64_t stop = Min(end, (group + 1) * shape_.group_channels());
            const R* __restrict corner = pixel + c;
            R* __restrict out = scratch.columns + p * column_row_ + ChannelColumn(c);
            for (int64_t i = 0; i < stop - c; ++i) {
              out[i] = w00 * corner[i] + w01 * corner[channels + i] + w10 * corner[below + i] +
                       w11 * corner[below + channels + i];
            }
            c = stop;
          }
        }
      }
      for (int64_t group = 0; group < shape_.groups; ++group) {
        const R* weight = packed_weight_ + group * depth * RoundUp(shape_.group_filters(), kPanel<R>);
        MultiplyAdd<R>(count, filter_columns_, shape_.group_channels(), scratch.columns + group * channel_columns_,
                       column_row_, 1, weight + tap * shape_.group_channels() * kPanel<R>, kPanel<R>,
                       depth * kPanel<R>, scratch.output + group * filter_columns_, output_row_);
      }
    }
  }

  void TileByPixel(Scratch& scratch, const R* packed, const T* weight, int64_t count) {
    const Samples<R>& s = scratch.locator.samples();
    const R* matrix = Matrix(weight);
    const int64_t below = padded_.row();
    const int64_t group_channels = shape_.group_channels();
    for (int64_t block = 0; block < shape_.taps(); block += tap_block_) {
      const int64_t taps = Min(tap_block_, shape_.taps() - block);
      for (int64_t g = 0; g < shape_.deformable_groups; ++g) {
        for (int64_t tap = 0; tap < taps; ++tap) {
          scratch.locator.Locate(g, block + tap);
          for (int64_t i = 0; i < shape_.deformable_channels(); ++i) {
            const int64_t c = g * shape_.deformable_channels() + i;
            const int64_t group = c / group_channels;
            const R* __restrict plane = packed + c * padded_.pixels();
            R* __restrict out =
                scratch.columns + ((group * taps + tap) * group_channels + c % group_channels) * column_row_;
            for (int64_t p = 0; p < count; ++p) {
              const R* corner = plane + s.index[p];
              out[p] = s.w00[p] * corner[0] + s.w01[p] * corner[1] + s.w10[p] * corner[below] +
                       s.w11[p] * corner[below + 1];
            }
            for (int64_t p = count; p < RoundUp(count, Vector<R>::size); ++p) out[p] = 0;
          }
        }
      }
      const int64_t depth = taps * group_channels;
      for (int64_t group = 0; group < shape_.groups; ++group) {
        MultiplyAdd<R>(shape_.group_filters(), RoundUp(count, Vector<R>::size), depth,
                       matrix + block * group_channels * shape_.filters + group * shape_.group_filters(), 1,
                       shape_.filters, scratch.columns + group * depth * column_row_, column_row_, kPanel<R>,
                       scratch.output + group * shape_.group_filters() * output_row_, output_row_);
      }
    }
  }

  const R* Matrix(const R* weight) const { return weight; }
  template <typename U>
  const R* Matrix(const U*) const {
    return packed_weight_;
  }

  void FinishByChannel(const Scratch& scratch, int64_t count, int64_t image, int64_t first, T* y) {
    const MapStrides strides(shape_, shape_.filters);
    T* out = y + image * strides.image + first * strides.pixel;
    if (shape_.channels_first) {
      for (int64_t f = 0; f < shape_.filters; ++f) {
        LoadAndStore(scratch.output + FilterColumn(f), output_row_, count, out + f * strides.channel);
      }
      return;
    }
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t group = 0; group < shape_.groups; ++group) {
        StoreRow(scratch.output + p * output_row_ + group * filter_columns_, 1, shape_.group_filters(),
                 out + p * strides.pixel + group * shape_.group_filters());
      }
    }
  }

  static void LoadAndStore(const R* __restrict source, int64_t stride, int64_t count, T* __restrict target) {
    for (int64_t p = 0; p < count; ++p) Store(source[p * stride], target + p);
  }

  void FinishByPixel(const Scratch& scratch, int64_t count, int64_t image, int64_t first, T* y) {
    const MapStrides strides(shape_, shape_.filters);
    T* out = y + image * strides.image + first * strides.pixel;
    for (int64_t f = 0; f < shape_.filters; ++f) {
      StoreRow(scratch.output + f * output_row_, strides.pixel, count, out + f * strides.channel);
    }
  }

  int64_t ChannelColumn(int64_t channel) const {
    return channel / shape_.group_channels() * channel_columns_ + channel % shape_.group_channels();
  }
  int64_t FilterColumn(int64_t filter) const {
    return filter / shape_.group_filters() * filter_columns_ + filter % shape_.group_filters();
  }

  const DeformConvShape shape_;
  const PaddedImage padded_;
  const bool by_channel_;
  const int64_t filter_columns_, channel_columns_;  // of one group, in whole vectors
  int64_t tap_block_, tile_, column_row_, output_row_, tiles_per_image_, images_per_chunk_, workers_;
  R *packed_x_, *packed_weight_;
  char* scratch_;
  int64_t scratch_bytes_;
  size_t bytes_;
};

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_CONV_FORWARD_H_
