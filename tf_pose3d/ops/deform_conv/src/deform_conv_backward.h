// Backward pass: all gradients in one sweep, since they need the same samples.
// Included only by sources compiled per instruction set (see simd.h).
//
// Work is cut into lanes of images times slices of channels. A unit (lane, slice) alone writes its part of
// grad_x and walks its images in order, lanes sum the weights' gradient apart and are added up in order: the
// result does not depend on which thread takes which unit.
#ifndef TF_POSE3D_OPS_DEFORM_CONV_BACKWARD_H_
#define TF_POSE3D_OPS_DEFORM_CONV_BACKWARD_H_

#include "sampling.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

template <typename T>
class Backward {
 public:
  using R = typename ComputeType<T>::type;

  Backward(const DeformConvShape& shape, int workers, bool has_mask, void* workspace)
      : shape_(shape),
        padded_(shape),
        by_channel_(ByChannel(shape)),
        filter_columns_(RoundUp(shape.group_filters(), Vector<R>::size)) {
    ChooseUnits(workers, has_mask);
    const int64_t elements = 24576 * 4 / static_cast<int64_t>(sizeof(R));
    filter_row_ = SpreadRow<R>(shape.groups * filter_columns_);
    if (by_channel_) {
      part_channels_ = shape.groups == 1 ? widest_slice_ : shape.group_channels();
      part_columns_ = RoundUp(part_channels_, Vector<R>::size);
      parts_ = widest_slice_ / part_channels_;
      tile_ = Min(192, Max(24, elements / Max(parts_ * part_columns_, filter_row_) / 6 * 6));
      column_row_ = SpreadRow<R>(parts_ * part_columns_);
      transposed_size_ = parts_ * shape.taps() * RoundUp(part_channels_, kPanel<R>) * shape.group_filters();
    } else {
      const int64_t rows = 2 * (widest_slice_ + shape.filters);
      tile_ = Min(kMaxTile, Max(32, 2 * elements / rows / kPanel<R> * kPanel<R>));
      column_row_ = SpreadRow<R>(tile_);
      transposed_size_ = 0;
    }

    const int64_t map_size = shape.batch * shape.out_pixels() * shape.deformable_groups * shape.taps();
    const int64_t copies = shared_offsets_ ? slices_ : 0;
    Arena arena(workspace);
    matrix_ = arena.Take<R>(by_channel_ ? slices_ * transposed_size_ : std::is_same<T, R>::value ? 0 : shape.weight_size());
    weight_sums_ = arena.Take<R>(lanes_ * WeightSumSize());
    bias_sums_ = arena.Take<R>(lanes_ * shape.filters);
    offset_parts_ = arena.Take<R>(copies * 2 * map_size);
    mask_parts_ = arena.Take<R>(has_mask ? copies * map_size : 0);
    scratch_ = arena.Take<char>(0);
    scratch_bytes_ = RoundUp(static_cast<int64_t>(Scratch(*this, nullptr).bytes), 64);
    workers_ = Min(workers, lanes_ * slices_);
    bytes_ = arena.used() + static_cast<size_t>(scratch_bytes_ * workers_);
  }

  size_t bytes() const { return bytes_; }

  void Run(const T* x, const T* offset, const T* weight, const T* mask, const T* grad_y, T* grad_x, T* grad_offset,
           T* grad_weight, T* grad_mask, T* grad_bias, const Workers& workers) {
    if (by_channel_) {
      Parallel(workers, slices_ * shape_.taps(),
               [&](int64_t task) { PackTransposed(weight, task / shape_.taps(), task % shape_.taps()); });
    } else if (!std::is_same<T, R>::value) {
      LoadRow(weight, 1, shape_.weight_size(), matrix_);
    }
    int64_t next = 0;
    Parallel(workers, workers_, [&](int64_t worker) {
      Scratch scratch(*this, scratch_ + worker * scratch_bytes_);
      for (;;) {
        const int64_t number = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
        if (number >= lanes_ * slices_) return;
        Unit unit(*this, scratch, number / slices_, number % slices_);
        if (shared_offsets_) {
          const int64_t map_size = shape_.batch * shape_.out_pixels() * shape_.taps();
          unit.Run(x, offset, weight, mask, grad_y, grad_x, offset_parts_ + unit.slice * 2 * map_size,
                   grad_mask == nullptr ? nullptr : mask_parts_ + unit.slice * map_size, grad_bias != nullptr);
        } else {
          unit.Run(x, offset, weight, mask, grad_y, grad_x, grad_offset, grad_mask, grad_bias != nullptr);
        }
      }
    });
    SumLanes(grad_weight, grad_bias, workers);
    if (shared_offsets_) {
      const int64_t map_size = shape_.batch * shape_.out_pixels() * shape_.taps();
      SumSlices(offset_parts_, 2 * map_size, grad_offset, workers);
      if (grad_mask != nullptr) SumSlices(mask_parts_, map_size, grad_mask, workers);
    }
  }

 private:
  struct TapGradients {
    R dy[kMaxTile], dx[kMaxTile], mask[kMaxTile];  // of one tap's offsets and mask
    // One channel's values, then gradients, at the corners of the samples.
    R v00[kMaxTile], v01[kMaxTile], v10[kMaxTile], v11[kMaxTile];
  };

  struct Scratch {
    Scratch(const Backward& op, void* memory) : Scratch(op, Arena(memory)) {}
    Scratch(const Backward& op, Arena arena)
        : locator(arena, op.shape_),
          x(arena.Take<R>(op.widest_slice_ * op.padded_.pixels())),
          grad_x(arena.Take<R>(op.widest_slice_ * op.padded_.pixels())),
          grad_y(arena.Take<R>(op.tile_ * op.filter_row_)),
          grad_y_planes(arena.Take<R>(op.by_channel_ ? 0 : op.shape_.filters * op.column_row_)),
          columns(arena.Take<R>(op.column_row_ * (op.by_channel_ ? op.tile_ : op.widest_slice_))),
          grad_columns(arena.Take<R>(op.column_row_ * (op.by_channel_ ? op.tile_ : op.widest_slice_))),
          gradients(arena.Take<TapGradients>(1)),
          bytes(arena.used()) {}

    TapLocator<T> locator;
    R *x, *grad_x;                // one image's slice in the padded form
    R *grad_y, *grad_y_planes;    // (pixel, group, filter of it) and (filter, pixel)
    R *columns, *grad_columns;    // of one tap: by channel (pixel, part, channel of it), else (channel, pixel)
    TapGradients* gradients;
    size_t bytes;
  };

  // A lane of images and a slice of channels: the share of the work that one thread takes at a time.
  struct Unit {
    Unit(const Backward& parent, Scratch& memory, int64_t lane_number, int64_t slice_number)
        : op(parent),
          scratch(memory),
          lane(lane_number),
          slice(slice_number),
          first(parent.SliceBegin(slice_number)),
          channels(parent.SliceBegin(slice_number + 1) - first),
          weight_sum(parent.weight_sums_ + lane * parent.WeightSumSize()) {}

    // G is T, or R where slices share the offsets' gradients and are added up afterwards.
    template <typename G>
    void Run(const T* x, const T* offset, const T* weight, const T* mask, const T* grad_y, T* grad_x, G* grad_offset,
             G* grad_mask, bool with_bias) {
      const DeformConvShape& shape = op.shape_;
      const ImageStrides x_strides(shape);
      ClearWeightSum();
      R* bias_sum = op.bias_sums_ + lane * shape.filters;
      if (slice == 0) memset(bias_sum, 0, sizeof(R) * shape.filters);
      const int64_t end = (lane + 1) * shape.batch / op.lanes_;
      for (int64_t image = lane * shape.batch / op.lanes_; image < end; ++image) {
        for (int64_t row = 0; row < op.padded_.rows(); ++row) {
          PackRow(shape, x + image * x_strides.image, row, first, channels, op.by_channel_, scratch.x);
        }
        memset(scratch.grad_x, 0, sizeof(R) * channels * op.padded_.pixels());
        for (int64_t pixel = 0; pixel < shape.out_pixels(); pixel += op.tile_) {
          const int64_t count = Min(op.tile_, shape.out_pixels() - pixel);
          LoadGradY(grad_y, image, pixel, count);
          if (slice == 0 && with_bias) AddBias(count, bias_sum);
          scratch.locator.SetTile(offset, mask, image, pixel, count);
          for (int64_t tap = 0; tap < shape.taps(); ++tap) {
            if (op.by_channel_) {
              TapByChannel(tap, count, image, pixel, grad_offset, grad_mask);
            } else {
              TapByPixel(op.Matrix(weight), tap, count, image, pixel, grad_offset, grad_mask);
            }
          }
        }
        for (int64_t row = 1; row <= op.padded_.height; ++row) {
          UnpackRow(shape, scratch.grad_x, row, first, channels, op.by_channel_, grad_x + image * x_strides.image);
        }
      }
    }

    void LoadGradY(const T* grad_y, int64_t image, int64_t pixel, int64_t count) {
      const DeformConvShape& shape = op.shape_;
      const MapStrides strides(shape, shape.filters);
      const T* in = grad_y + image * strides.image + pixel * strides.pixel;
      const int64_t filters = shape.group_filters();
      if (op.filter_columns_ != filters) memset(scratch.grad_y, 0, sizeof(R) * count * op.filter_row_);
      for (int64_t p = 0; p < count; ++p) {
        for (int64_t group = 0; group < shape.groups; ++group) {
          LoadRow(in + p * strides.pixel + group * filters * strides.channel, strides.channel, filters,
                  scratch.grad_y + p * op.filter_row_ + group * op.filter_columns_);
        }
      }
      if (op.by_channel_) return;
      for (int64_t f = 0; f < shape.filters; ++f) {
        R* plane = scratch.grad_y_planes + f * op.column_row_;
        LoadRow(in + f * strides.channel, strides.pixel, count, plane);
        for (int64_t p = count; p < RoundUp(count, Vector<R>::size); ++p) plane[p] = 0;
      }
    }

    void AddBias(int64_t count, R* sum) {
      for (int64_t p = 0; p < count; ++p) {
        for (int64_t group = 0; group < op.shape_.groups; ++group) {
          const R* row = scratch.grad_y + p * op.filter_row_ + group * op.filter_columns_;
          R* out = sum + group * op.shape_.group_filters();
          for (int64_t f = 0; f < op.shape_.group_filters(); ++f) out[f] += row[f];
        }
      }
    }

    void GradColumnsByChannel(int64_t tap, int64_t count) {
      const DeformConvShape& shape = op.shape_;
      const int64_t part = op.shape_.groups == 1 ? channels : op.part_channels_;
      const int64_t panel = RoundUp(op.part_channels_, kPanel<R>) * shape.group_filters();
      for (int64_t i = 0; i < channels / part; ++i) {
        const int64_t group = (first + i * part) / shape.group_channels();
        R* out = scratch.grad_columns + i * op.part_columns_;
        for (int64_t p = 0; p < count; ++p) memset(out + p * op.column_row_, 0, sizeof(R) * op.part_columns_);
        MultiplyAdd<R>(count, RoundUp(part, Vector<R>::size), shape.group_filters(),
                       scratch.grad_y + group * op.filter_columns_, op.filter_row_, 1,
                       op.matrix_ + slice * op.transposed_size_ + (i * shape.taps() + tap) * panel, kPanel<R>,
                       kPanel<R> * shape.group_filters(), out, op.column_row_);
      }
    }

    template <typename G>
    void TapByChannel(int64_t tap, int64_t count, int64_t image, int64_t pixel, G* grad_offset, G* grad_mask) {
      const DeformConvShape& shape = op.shape_;
      const Samples<R>& s = scratch.locator.samples();
      GradColumnsByChannel(tap, count);
      const int64_t part = shape.groups == 1 ? channels : op.part_channels_;
      const int64_t deformable = shape.deformable_channels();
      const int64_t end = first + channels;
      for (int64_t g = first / deformable; g * deformable < end; ++g) {
        scratch.locator.Locate(g, tap);
        const int64_t begin = Max(first, g * deformable);
        const int64_t stop = Min(end, (g + 1) * deformable);
        for (int64_t p = 0; p < count; ++p) {
          R dot[4] = {0, 0, 0, 0};
          const R weight[4] = {s.w00[p], s.w01[p], s.w10[p], s.w11[p]};
          for (int64_t c = begin; c < stop;) {
            const int64_t i = (c - first) / part;
            const int64_t length = Min(stop, first + (i + 1) * part) - c;
            const int64_t column = p * op.column_row_ + i * op.part_columns_ + (c - first) % part;
            SampleAndScatter(s.index[p] * channels + c - first, column, length, weight, dot);
            c += length;
          }
          FinishPixel(s, p, dot);
        }
        StoreMaps(g, tap, count, image, pixel, grad_offset, grad_mask);
      }
      for (int64_t i = 0; i < channels / part; ++i) {
        const int64_t c = first + i * part;
        const int64_t group = c / shape.group_channels();
        MultiplyAdd<R>(part, op.filter_columns_, count, scratch.columns + i * op.part_columns_, 1, op.column_row_,
                       scratch.grad_y + group * op.filter_columns_, op.filter_row_, kPanel<R>, WeightSumRow(tap, c),
                       op.filter_columns_);
      }
    }

    // One pixel's run of channels: samples x into `columns`, adds to grad_x, and adds the products of
    // grad_columns with the four corners to `dot`.
    void SampleAndScatter(int64_t index, int64_t column, int64_t length, const R* weight, R* dot) {
      using V = typename Vector<R>::type;
      constexpr int64_t size = Vector<R>::size;
      const int64_t below = op.padded_.row() * channels;
      const int64_t corner[4] = {index, index + channels, index + below, index + below + channels};
      const R* __restrict grad = scratch.grad_columns + column;
      R* __restrict out = scratch.columns + column;
      V sum[4] = {};
      int64_t c = 0;
      for (; c + size <= length; c += size) {
        const V g = *reinterpret_cast<const V*>(grad + c);
        V value = {};
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          const V pixel = *reinterpret_cast<const V*>(scratch.x + corner[k] + c);
          V* target = reinterpret_cast<V*>(scratch.grad_x + corner[k] + c);
          value += weight[k] * pixel;
          sum[k] += g * pixel;
          *target += weight[k] * g;
        }
        *reinterpret_cast<V*>(out + c) = value;
      }
      for (int k = 0; k < 4; ++k) {
        for (int64_t i = 0; i < size; ++i) dot[k] += sum[k][i];
      }
      for (; c < length; ++c) {
        R value = 0;
        for (int k = 0; k < 4; ++k) {
          const R pixel = scratch.x[corner[k] + c];
          value += weight[k] * pixel;
          dot[k] += grad[c] * pixel;
          scratch.grad_x[corner[k] + c] += weight[k] * grad[c];
        }
        out[c] = value;
      }
    }

    void FinishPixel(const Samples<R>& s, int64_t p, const R* dot) {
      const R down = s.down[p], right = s.right[p];
      const R top_row = dot[0] + right * (dot[1] - dot[0]);
      const R bottom_row = dot[2] + right * (dot[3] - dot[2]);
      const R left_slope = dot[1] - dot[0];
      const R right_slope = dot[3] - dot[2];
      scratch.gradients->dy[p] = s.mask[p] * (bottom_row - top_row);
      scratch.gradients->dx[p] = s.mask[p] * (left_slope + down * (right_slope - left_slope));
      scratch.gradients->mask[p] = top_row + down * (bottom_row - top_row);
    }

    template <typename G>
    void TapByPixel(const R* matrix, int64_t tap, int64_t count, int64_t image, int64_t pixel, G* grad_offset,
                    G* grad_mask) {
      const DeformConvShape& shape = op.shape_;
      const int64_t group_channels = shape.group_channels();
      const int64_t row = op.column_row_;
      const int64_t end = first + channels;
      // Runs of channels in one group, whose rows of the weights lie together.
      for (int64_t c = first; c < end;) {
        const int64_t group = c / group_channels;
        const int64_t run = Min(end, (group + 1) * group_channels) - c;
        R* out = scratch.grad_columns + (c - first) * row;
        memset(out, 0, sizeof(R) * run * row);
        MultiplyAdd<R>(run, RoundUp(count, Vector<R>::size), shape.group_filters(),
                       matrix + (tap * group_channels + c % group_channels) * shape.filters +
                           group * shape.group_filters(),
                       shape.filters, 1, scratch.grad_y_planes + group * shape.group_filters() * row, row, kPanel<R>,
                       out, row);
        c += run;
      }
      const int64_t deformable = shape.deformable_channels();
      for (int64_t g = first / deformable; g * deformable < end; ++g) {
        scratch.locator.Locate(g, tap);
        memset(scratch.gradients->dy, 0, sizeof(R) * count);
        memset(scratch.gradients->dx, 0, sizeof(R) * count);
        memset(scratch.gradients->mask, 0, sizeof(R) * count);
        for (int64_t c = Max(first, g * deformable); c < Min(end, (g + 1) * deformable); ++c) {
          SampleAndScatterPlane(c - first, count);
        }
        StoreMaps(g, tap, count, image, pixel, grad_offset, grad_mask);
      }
      for (int64_t c = first; c < end;) {
        const int64_t group = c / group_channels;
        const int64_t run = Min(end, (group + 1) * group_channels) - c;
        MultiplyAdd<R>(run, op.filter_columns_, count, scratch.columns + (c - first) * row, row, 1,
                       scratch.grad_y + group * op.filter_columns_, op.filter_row_, kPanel<R>, WeightSumRow(tap, c),
                       op.filter_columns_);
        c += run;
      }
    }

    // One channel's plane for the pixels of a tile; the three loops are apart so that the arithmetic in
    // the middle runs on whole vectors.
    void SampleAndScatterPlane(int64_t channel, int64_t count) {
      const Samples<R>& s = scratch.locator.samples();
      const int64_t below = op.padded_.row();
      const R* __restrict x = scratch.x + channel * op.padded_.pixels();
      R* __restrict grad_x = scratch.grad_x + channel * op.padded_.pixels();
      const R* __restrict grad = scratch.grad_columns + channel * op.column_row_;
      R* __restrict out = scratch.columns + channel * op.column_row_;
      TapGradients& t = *scratch.gradients;
      for (int64_t p = 0; p < count; ++p) {
        const R* corner = x + s.index[p];
        t.v00[p] = corner[0];
        t.v01[p] = corner[1];
        t.v10[p] = corner[below];
        t.v11[p] = corner[below + 1];
      }
      // The last vector may reach beyond count: there is room, and nobody reads what lands there.
      for (int64_t p = 0; p < count; p += Vector<R>::size) {
        using V = typename Vector<R>::type;
        const V g = AsVector<R>(grad + p), mask = AsVector<R>(s.mask + p);
        const V right = AsVector<R>(s.right + p), down = AsVector<R>(s.down + p);
        const V v00 = AsVector(t.v00 + p), v10 = AsVector(t.v10 + p);
        const V upper_slope = AsVector(t.v01 + p) - v00;
        const V lower_slope = AsVector(t.v11 + p) - v10;
        const V upper = v00 + right * upper_slope;
        const V lower = v10 + right * lower_slope;
        const V value = upper + down * (lower - upper);
        const V masked = g * mask;
        AsVector(out + p) = value * mask;
        AsVector(t.mask + p) += g * value;
        AsVector(t.dy + p) += masked * (lower - upper);
        AsVector(t.dx + p) += masked * (upper_slope + down * (lower_slope - upper_slope));
        AsVector(t.v00 + p) = g * AsVector<R>(s.w00 + p);
        AsVector(t.v01 + p) = g * AsVector<R>(s.w01 + p);
        AsVector(t.v10 + p) = g * AsVector<R>(s.w10 + p);
        AsVector(t.v11 + p) = g * AsVector<R>(s.w11 + p);
      }
      for (int64_t p = 0; p < count; ++p) {
        R* corner = grad_x + s.index[p];
        corner[0] += t.v00[p];
        corner[1] += t.v01[p];
        corner[below] += t.v10[p];
        corner[below + 1] += t.v11[p];
      }
    }

    template <typename G>
    void StoreMaps(int64_t group, int64_t tap, int64_t count, int64_t image, int64_t pixel, G* grad_offset,
                   G* grad_mask) {
      const DeformConvShape& shape = op.shape_;
      const int64_t channel = group * shape.taps() + tap;
      const MapStrides offsets(shape, 2 * shape.deformable_groups * shape.taps());
      G* out = grad_offset + image * offsets.image + pixel * offsets.pixel + 2 * channel * offsets.channel;
      StoreRow(scratch.gradients->dy, offsets.pixel, count, out);
      StoreRow(scratch.gradients->dx, offsets.pixel, count, out + offsets.channel);
      if (grad_mask == nullptr) return;
      const MapStrides masks(shape, shape.deformable_groups * shape.taps());
      StoreRow(scratch.gradients->mask, masks.pixel, count,
               grad_mask + image * masks.image + pixel * masks.pixel + channel * masks.channel);
    }

    // The lane's sum for weight[tap, channel]: one row of filters of the channel's group.
    R* WeightSumRow(int64_t tap, int64_t channel) const {
      const int64_t group_channels = op.shape_.group_channels();
      const int64_t group = channel / group_channels;
      return weight_sum + ((group * op.shape_.taps() + tap) * group_channels + channel % group_channels) *
                              op.filter_columns_;
    }

    void ClearWeightSum() {
      for (int64_t tap = 0; tap < op.shape_.taps(); ++tap) {
        for (int64_t c = first; c < first + channels; ++c) {
          memset(WeightSumRow(tap, c), 0, sizeof(R) * op.filter_columns_);
        }
      }
    }

    const Backward& op;
    Scratch& scratch;
    const int64_t lane, slice, first, channels;
    R* const weight_sum;
  };

  // Slices begin at multiples of slice_unit_: whole groups and whole deformable groups; or, with one of
  // each, 16 channels, in which case slices share the offsets' gradients.
  void ChooseUnits(int workers, bool has_mask) {
    const int64_t groups = shape_.groups > 1 ? shape_.group_channels() : 1;
    const int64_t deformable = shape_.deformable_groups > 1 ? shape_.deformable_channels() : 1;
    slice_unit_ = groups;
    while (slice_unit_ % deformable != 0) slice_unit_ += groups;
    if (groups == 1 && deformable == 1) slice_unit_ = 16;
    const int64_t units = CeilDiv(shape_.channels, slice_unit_);
    int64_t best = INT64_MAX;
    for (int64_t slices = 1; slices <= Min(units, workers); ++slices) {
      const int64_t lanes = Max(1, Min(shape_.batch, workers / slices));
      const int64_t time = CeilDiv(shape_.batch, lanes) * CeilDiv(units, slices);
      if (time < best) {
        best = time;
        lanes_ = lanes;
        slices_ = slices;
      }
    }
    if (slices_ == 1) {
      // More lanes than workers keep all of them busy on a machine that does other things too. Their sums of
      // the weights' gradient may take half of what the tensors take.
      const int64_t maps = (has_mask ? 3 : 2) * shape_.deformable_groups * shape_.taps();
      const int64_t tensors = shape_.batch * (shape_.height * shape_.width * shape_.channels +
                                              shape_.out_pixels() * (maps + shape_.filters));
      const int64_t affordable = tensors / 2 / WeightSumSize();
      lanes_ = Max(lanes_, Min(Min(shape_.batch, 8 * workers), affordable));
    }
    widest_slice_ = Min(shape_.channels, CeilDiv(units, slices_) * slice_unit_);
    shared_offsets_ = slices_ > 1 && shape_.deformable_groups == 1;
  }

  int64_t SliceBegin(int64_t slice) const {
    const int64_t units = CeilDiv(shape_.channels, slice_unit_);
    return Min(shape_.channels, slice * units / slices_ * slice_unit_);
  }

  int64_t WeightSumSize() const {
    return RoundUp(shape_.taps() * shape_.channels * filter_columns_, 64 / static_cast<int64_t>(sizeof(R)));
  }

  // The slice's weights with filters as rows: (part, tap, panel of channels, filter, channel of the panel).
  void PackTransposed(const T* weight, int64_t slice, int64_t tap) {
    const int64_t first = SliceBegin(slice);
    const int64_t channels = SliceBegin(slice + 1) - first;
    const int64_t part = shape_.groups == 1 ? channels : part_channels_;
    const int64_t filters = shape_.group_filters();
    for (int64_t i = 0; i < channels / part; ++i) {
      const int64_t group = (first + i * part) / shape_.group_channels();
      const int64_t row = tap * shape_.group_channels() + (first + i * part) % shape_.group_channels();
      const T* in = weight + row * shape_.filters + group * filters;
      R* out = matrix_ + slice * transposed_size_ +
               (i * shape_.taps() + tap) * RoundUp(part_channels_, kPanel<R>) * filters;
      for (int64_t panel = 0; panel < part; panel += kPanel<R>, out += kPanel<R> * filters) {
        for (int64_t c = 0; c < kPanel<R>; ++c) {
          for (int64_t f = 0; f < filters; ++f) {
            out[f * kPanel<R> + c] = panel + c < part ? Load(in[(panel + c) * shape_.filters + f]) : 0;
          }
        }
      }
    }
  }

  void SumLanes(T* grad_weight, T* grad_bias, const Workers& workers) {
    const int64_t rows = shape_.taps() * shape_.group_channels();
    const int64_t filters = shape_.group_filters();
    Parallel(workers, rows, [&](int64_t row) {
      for (int64_t group = 0; group < shape_.groups; ++group) {
        R* sum = weight_sums_ + (group * rows + row) * filter_columns_;
        for (int64_t lane = 1; lane < lanes_; ++lane) {
          const R* more = sum + lane * WeightSumSize();
          for (int64_t f = 0; f < filters; ++f) sum[f] += more[f];
        }
        StoreRow(sum, 1, filters, grad_weight + row * shape_.filters + group * filters);
      }
    });
    if (grad_bias == nullptr) return;
    for (int64_t lane = 1; lane < lanes_; ++lane) {
      for (int64_t f = 0; f < shape_.filters; ++f) bias_sums_[f] += bias_sums_[lane * shape_.filters + f];
    }
    StoreRow(bias_sums_, 1, shape_.filters, grad_bias);
  }

  void SumSlices(R* parts, int64_t size, T* total, const Workers& workers) {
    constexpr int64_t kBlock = 16384;
    Parallel(workers, CeilDiv(size, kBlock), [&](int64_t block) {
      const int64_t begin = block * kBlock;
      const int64_t count = Min(kBlock, size - begin);
      for (int64_t slice = 1; slice < slices_; ++slice) {
        for (int64_t i = begin; i < begin + count; ++i) parts[i] += parts[slice * size + i];
      }
      StoreRow(parts + begin, 1, count, total + begin);
    });
  }

  const R* Matrix(const R* weight) const { return weight; }
  template <typename U>
  const R* Matrix(const U*) const {
    return matrix_;
  }

  const DeformConvShape shape_;
  const PaddedImage padded_;
  const bool by_channel_;
  const int64_t filter_columns_;  // filters of one group in whole vectors
  int64_t lanes_ = 1, slices_ = 1, slice_unit_, widest_slice_;
  bool shared_offsets_;
  int64_t filter_row_, column_row_, tile_, workers_;
  int64_t parts_ = 0, part_channels_ = 0, part_columns_ = 0;  // groups of a slice, by channel only
  int64_t transposed_size_;
  R *matrix_, *weight_sums_, *bias_sums_, *offset_parts_, *mask_parts_;
  char* scratch_;
  int64_t scratch_bytes_;
  size_t bytes_;
};

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_CONV_BACKWARD_H_
