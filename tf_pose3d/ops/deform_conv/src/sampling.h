// Images in a padded form, where their pixels are sampled, and rows of per-pixel maps.
// Included only by sources compiled per instruction set (see simd.h).
#ifndef TF_POSE3D_OPS_SAMPLING_H_
#define TF_POSE3D_OPS_SAMPLING_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "deform_conv_shape.h"
#include "parallel.h"
#include "simd.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

// Hands out 64-byte aligned pieces of a workspace; on a null workspace it only counts them. Under the address
// sanitizer a guard follows each piece, so that a step from one piece into the next is seen.
class Arena {
 public:
  explicit Arena(void* base) : base_(static_cast<char*>(base)) {}

  template <typename V>
  V* Take(int64_t count) {
    V* piece = base_ == nullptr ? nullptr : reinterpret_cast<V*>(base_ + used_);
    const int64_t bytes = count * static_cast<int64_t>(sizeof(V));
#ifdef __SANITIZE_ADDRESS__
    const int64_t taken = RoundUp(bytes, 64) + 64;
    if (piece != nullptr && count > 0) __asan_poison_memory_region(base_ + used_ + bytes, taken - bytes);
#else
    const int64_t taken = RoundUp(bytes, 64);
#endif
    used_ += static_cast<size_t>(taken);
    return piece;
  }

  size_t used() const { return used_; }

 private:
  char* base_;
  size_t used_ = 0;
};

// A row length of at least n elements with an odd number of 64-byte lines: columns of a matrix with such
// rows spread over the sets of a cache instead of falling into a few.
template <typename R>
int64_t SpreadRow(int64_t n) {
  const int64_t line = 64 / static_cast<int64_t>(sizeof(R));
  const int64_t lines = CeilDiv(n, line);
  return (lines | 1) * line;
}

// The padded form of an image: one zero pixel on each side and one more zero row at the end, so that the
// four corners of every sample exist. "By channel" keeps the channels of a pixel together (pixel, channel),
// otherwise every channel is a plane (channel, pixel).
struct PaddedImage {
  int64_t height, width;

  explicit PaddedImage(const DeformConvShape& shape) : height(shape.height), width(shape.width) {}

  int64_t row() const { return width + 2; }
  int64_t rows() const { return height + 3; }
  int64_t pixels() const { return rows() * row(); }
  // All four corners of this index are padding.
  int64_t outside() const { return (height + 1) * row(); }
};

// Elements of x from one pixel to the next and from one channel to the next.
struct ImageStrides {
  int64_t image, pixel, channel;

  explicit ImageStrides(const DeformConvShape& s)
      : image(s.channels * s.height * s.width),
        pixel(s.channels_first ? 1 : s.channels),
        channel(s.channels_first ? s.height * s.width : 1) {}
};

// Copies padded row `row` (0 to rows() - 1) of channels [first, first + count) of one image.
template <typename T, typename R>
void PackRow(const DeformConvShape& shape, const T* image, int64_t row, int64_t first, int64_t count, bool by_channel,
             R* __restrict packed) {
  const PaddedImage padded(shape);
  const ImageStrides strides(shape);
  const bool zero = row == 0 || row > padded.height;
  const int64_t width = padded.width;
  const T* source = image + first * strides.channel + (row - 1) * width * strides.pixel;
  if (by_channel) {
    R* line = packed + row * padded.row() * count;
    if (zero) {
      memset(line, 0, sizeof(R) * padded.row() * count);
      return;
    }
    memset(line, 0, sizeof(R) * count);
    memset(line + (width + 1) * count, 0, sizeof(R) * count);
    line += count;
    if (strides.channel == 1) {
      for (int64_t x = 0; x < width; ++x) {
        for (int64_t c = 0; c < count; ++c) line[x * count + c] = Load(source[x * strides.pixel + c]);
      }
      return;
    }
    // Sixteen planes at a time: whole lines of the copy, and few enough streams of the source.
    for (int64_t block = 0; block < count; block += 16) {
      const int64_t end = Min(count, block + 16);
      for (int64_t x = 0; x < width; ++x) {
        for (int64_t c = block; c < end; ++c) line[x * count + c] = Load(source[c * strides.channel + x]);
      }
    }
    return;
  }
  for (int64_t c = 0; c < count; ++c) {
    R* line = packed + c * padded.pixels() + row * padded.row();
    if (zero) {
      memset(line, 0, sizeof(R) * padded.row());
      continue;
    }
    line[0] = 0;
    line[width + 1] = 0;
    const T* pixels = source + c * strides.channel;
    if (strides.pixel == 1) {
      for (int64_t x = 0; x < width; ++x) line[x + 1] = Load(pixels[x]);
    } else {
      for (int64_t x = 0; x < width; ++x) line[x + 1] = Load(pixels[x * strides.pixel]);
    }
  }
}

// The inverse of PackRow for a row inside the image (1 to height).
template <typename T, typename R>
void UnpackRow(const DeformConvShape& shape, const R* __restrict packed, int64_t row, int64_t first, int64_t count,
               bool by_channel, T* image) {
  const PaddedImage padded(shape);
  const ImageStrides strides(shape);
  const int64_t width = padded.width;
  T* target = image + first * strides.channel + (row - 1) * width * strides.pixel;
  if (!by_channel) {
    for (int64_t c = 0; c < count; ++c) {
      const R* line = packed + c * padded.pixels() + row * padded.row() + 1;
      for (int64_t x = 0; x < width; ++x) Store(line[x], target + c * strides.channel + x * strides.pixel);
    }
    return;
  }
  const R* line = packed + (row * padded.row() + 1) * count;
  if (strides.channel == 1) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < count; ++c) Store(line[x * count + c], target + x * strides.pixel + c);
    }
    return;
  }
  for (int64_t block = 0; block < count; block += 16) {
    const int64_t end = Min(count, block + 16);
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = block; c < end; ++c) Store(line[x * count + c], target + c * strides.channel + x);
    }
  }
}

// A map with one value per output pixel and channel (offset, mask, y) and how to walk it.
struct MapStrides {
  int64_t image, pixel, channel;

  MapStrides(const DeformConvShape& s, int64_t channels)
      : image(channels * s.out_pixels()),
        pixel(s.channels_first ? 1 : channels),
        channel(s.channels_first ? s.out_pixels() : 1) {}
};

template <typename T, typename R>
void LoadRow(const T* __restrict source, int64_t stride, int64_t n, R* __restrict row) {
  if (stride == 1) {
    for (int64_t p = 0; p < n; ++p) row[p] = Load(source[p]);
  } else {
    for (int64_t p = 0; p < n; ++p) row[p] = Load(source[p * stride]);
  }
}

template <typename T, typename R>
void StoreRow(const R* __restrict row, int64_t stride, int64_t n, T* __restrict target) {
  if (stride == 1) {
    for (int64_t p = 0; p < n; ++p) Store(row[p], target + p);
  } else {
    for (int64_t p = 0; p < n; ++p) Store(row[p], target + p * stride);
  }
}

// Most output pixels that are worked on at a time.
constexpr int64_t kMaxTile = 256;

// Where the samples of one tap lie, for every pixel of a tile.
template <typename R>
struct Samples {
  int32_t index[kMaxTile];                // top left corner in the padded image
  R down[kMaxTile], right[kMaxTile];      // how far (0 to 1) the sample lies below and to the right of it
  R mask[kMaxTile];
  R w00[kMaxTile], w01[kMaxTile];         // weights times the mask of the corners top left and top right,
  R w10[kMaxTile], w11[kMaxTile];         // bottom left and bottom right
};

// Finds the samples of one tap of one deformable group for the pixels of a tile.
template <typename T>
class TapLocator {
 public:
  using R = typename ComputeType<T>::type;

  TapLocator(Arena& arena, const DeformConvShape& shape)
      : samples_(arena.Take<Samples<R>>(1)),
        shape_(shape),
        offset_strides_(shape, 2 * shape.deformable_groups * shape.taps()),
        mask_strides_(shape, shape.deformable_groups * shape.taps()),
        base_y_(arena.Take<R>(kMaxTile)),
        base_x_(arena.Take<R>(kMaxTile)),
        dy_(arena.Take<R>(kMaxTile)),
        dx_(arena.Take<R>(kMaxTile)) {}

  // Chooses output pixels [first, first + count) of an image.
  void SetTile(const T* offset, const T* mask, int64_t image, int64_t first, int64_t count) {
    count_ = count;
    offset_ = offset + image * offset_strides_.image + first * offset_strides_.pixel;
    mask_ = mask == nullptr ? nullptr : mask + image * mask_strides_.image + first * mask_strides_.pixel;
    int64_t oy = first / shape_.out_width;
    int64_t ox = first % shape_.out_width;
    for (int64_t p = 0; p < count; ++p) {
      base_y_[p] = static_cast<R>(oy * shape_.stride_h - shape_.pad_top);
      base_x_[p] = static_cast<R>(ox * shape_.stride_w - shape_.pad_left);
      if (++ox == shape_.out_width) {
        ox = 0;
        ++oy;
      }
    }
  }

  // Finds samples() for tap `tap` of deformable group `group`.
  void Locate(int64_t group, int64_t tap) {
    Samples<R>& out = *samples_;
    const int64_t channel = group * shape_.taps() + tap;
    const T* pair = offset_ + 2 * channel * offset_strides_.channel;
    LoadRow(pair, offset_strides_.pixel, count_, dy_);
    LoadRow(pair + offset_strides_.channel, offset_strides_.pixel, count_, dx_);
    if (mask_ == nullptr) {
      for (int64_t p = 0; p < count_; ++p) out.mask[p] = 1;
    } else {
      LoadRow(mask_ + channel * mask_strides_.channel, mask_strides_.pixel, count_, out.mask);
    }
    using V = typename Vector<R>::type;
    using Integers = typename Vector<R>::integers;
    const PaddedImage padded(shape_);
    const R tap_y = static_cast<R>(tap / shape_.kernel_w * shape_.dilation_h);
    const R tap_x = static_cast<R>(tap % shape_.kernel_w * shape_.dilation_w);
    const R height = static_cast<R>(shape_.height);
    const R width = static_cast<R>(shape_.width);
    const int32_t row = static_cast<int32_t>(padded.row());
    const int32_t outside = static_cast<int32_t>(padded.outside());
    const V zero = {};
    // The last vector may reach beyond count_: there is room, and nobody reads what lands there.
    for (int64_t p = 0; p < count_; p += Vector<R>::size) {
      V y = (AsVector<R>(base_y_ + p) + tap_y) + AsVector<R>(dy_ + p);
      V x = (AsVector<R>(base_x_ + p) + tap_x) + AsVector<R>(dx_ + p);
      // False for NaN. Only positions inside are converted to integers.
      const auto inside = (y > -1) & (y < height) & (x > -1) & (x < width);
      y = inside ? y : zero;
      x = inside ? x : zero;
      const V top = Floor(y), left = Floor(x);
      const V down = y - top, right = x - left;
      const Integers index = (__builtin_convertvector(top, Integers) + 1) * row +
                             (__builtin_convertvector(left, Integers) + 1);
      const Integers exists = __builtin_convertvector(inside, Integers);
      *reinterpret_cast<Integers*>(out.index + p) = (index & exists) | (outside & ~exists);
      const V mask = AsVector<R>(out.mask + p);
      const V bottom_weight = down * mask;
      const V top_weight = mask - bottom_weight;
      AsVector(out.down + p) = down;
      AsVector(out.right + p) = right;
      AsVector(out.w01 + p) = top_weight * right;
      AsVector(out.w00 + p) = top_weight - top_weight * right;
      AsVector(out.w11 + p) = bottom_weight * right;
      AsVector(out.w10 + p) = bottom_weight - bottom_weight * right;
    }
  }

  const Samples<R>& samples() const { return *samples_; }

 private:
  // Floor of values above -1.
  __attribute__((always_inline)) static typename Vector<R>::type Floor(typename Vector<R>::type value) {
    using V = typename Vector<R>::type;
    const V zero = {}, one = zero + 1;
    const V whole = __builtin_convertvector(__builtin_convertvector(value, typename Vector<R>::integers), V);
    return whole - (whole > value ? one : zero);
  }

  Samples<R>* const samples_;
  const DeformConvShape shape_;
  const MapStrides offset_strides_, mask_strides_;
  R *base_y_, *base_x_, *dy_, *dx_;
  int64_t count_ = 0;
  const T *offset_ = nullptr, *mask_ = nullptr;
};

// Vectors run over channels where a run of channels shares its samples and its matrix product, and over
// output pixels otherwise (as in DenseWarper, where every channel has offsets of its own).
inline bool ByChannel(const DeformConvShape& s) { return Min(s.group_channels(), s.deformable_channels()) >= 8; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_SAMPLING_H_
