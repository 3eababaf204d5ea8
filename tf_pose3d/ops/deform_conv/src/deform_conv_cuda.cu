// Deformable convolution as fused kernels: samples go from the image through shared memory into matrix
// products, and no column buffer ever lies in global memory.
#include "cuda_support.cuh"
#include "deform_conv_cuda.h"

namespace tf_pose3d {
namespace {

constexpr int kThreads = 128;
constexpr int kDepth = 16;     // of one step of a matrix product
constexpr int kChannels = 32;  // that one block of a backward kernel works on at a time

template <typename T>
using Compute = typename ComputeType<T>::type;

// One output pixel of the batch.
struct Pixel {
  int64_t image, position;
  bool exists;

  __device__ Pixel(const DeformConvShape& s, int64_t number) {
    exists = number < s.batch * s.out_pixels();
    image = exists ? number / s.out_pixels() : 0;
    position = exists ? number % s.out_pixels() : 0;
  }
};

// Where element `channel` of a map with `channels` channels lies.
__device__ inline int64_t MapAt(const DeformConvShape& s, const Pixel& pixel, int64_t channel, int64_t channels) {
  return s.channels_first ? (pixel.image * channels + channel) * s.out_pixels() + pixel.position
                          : (pixel.image * s.out_pixels() + pixel.position) * channels + channel;
}

// The sample of one tap of one deformable group at one output pixel.
template <typename T>
struct Sample {
  using R = Compute<T>;
  int64_t top, left;
  R down, right, mask;
  bool inside;

  __device__ Sample(const DeformConvShape& s, const T* offset, const T* masks, const Pixel& pixel, int64_t group,
                    int64_t tap) {
    const int64_t maps = s.deformable_groups * s.taps();
    const int64_t map = group * s.taps() + tap;
    const R dy = LoadValue(offset[MapAt(s, pixel, 2 * map, 2 * maps)]);
    const R dx = LoadValue(offset[MapAt(s, pixel, 2 * map + 1, 2 * maps)]);
    const int64_t row = pixel.position / s.out_width * s.stride_h - s.pad_top + tap / s.kernel_w * s.dilation_h;
    const int64_t column = pixel.position % s.out_width * s.stride_w - s.pad_left + tap % s.kernel_w * s.dilation_w;
    const R y = static_cast<R>(row) + dy, x = static_cast<R>(column) + dx;
    inside = y > -1 && y < static_cast<R>(s.height) && x > -1 && x < static_cast<R>(s.width);  // false for NaN
    mask = masks == nullptr ? 1 : LoadValue(masks[MapAt(s, pixel, map, maps)]);
    if (!inside) return;
    const R floor_y = floor(y), floor_x = floor(x);
    top = static_cast<int64_t>(floor_y);
    left = static_cast<int64_t>(floor_x);
    down = y - floor_y;
    right = x - floor_x;
  }
};

// The image of one channel, with zeros around it.
template <typename V>
struct Plane {
  V* data;
  int64_t height, width, row, column;

  __device__ Plane(const DeformConvShape& s, V* tensor, int64_t image, int64_t channel)
      : data(tensor + image * s.channels * s.height * s.width + channel * (s.channels_first ? s.height * s.width : 1)),
        height(s.height),
        width(s.width),
        row(s.channels_first ? s.width : s.width * s.channels),
        column(s.channels_first ? 1 : s.channels) {}

  __device__ bool Has(int64_t y, int64_t x) const { return y >= 0 && y < height && x >= 0 && x < width; }
  __device__ V* At(int64_t y, int64_t x) const { return data + y * row + x * column; }
};

template <typename T>
struct Corners {
  using R = Compute<T>;
  R v00, v01, v10, v11;

  __device__ Corners(const Plane<const T>& plane, const Sample<T>& s)
      : v00(Value(plane, s.top, s.left)),
        v01(Value(plane, s.top, s.left + 1)),
        v10(Value(plane, s.top + 1, s.left)),
        v11(Value(plane, s.top + 1, s.left + 1)) {}

  __device__ static R Value(const Plane<const T>& plane, int64_t y, int64_t x) {
    return plane.Has(y, x) ? LoadValue(*plane.At(y, x)) : static_cast<R>(0);
  }

  __device__ R Interpolate(const Sample<T>& s) const {
    const R upper = v00 + s.right * (v01 - v00), lower = v10 + s.right * (v11 - v10);
    return upper + s.down * (lower - upper);
  }
};

// One column entry: the masked sample of a channel.
template <typename T>
__device__ Compute<T> Column(const DeformConvShape& s, const T* x, const T* offset, const T* mask, const Pixel& pixel,
                             int64_t channel, int64_t tap) {
  if (!pixel.exists) return 0;
  const Sample<T> sample(s, offset, mask, pixel, channel / s.deformable_channels(), tap);
  if (!sample.inside) return 0;
  const Corners<T> corners(Plane<const T>(s, x, pixel.image, channel), sample);
  return sample.mask * corners.Interpolate(sample);
}

// Threads walk a (rows x pixels) tile along whichever axis is contiguous in memory.
template <int Rows, int Pixels>
__device__ inline void TilePlace(const DeformConvShape& s, int element, int* row, int* pixel) {
  *row = s.channels_first ? element / Pixels : element % Rows;
  *pixel = s.channels_first ? element % Pixels : element / Rows;
}

// y. A block makes Pixels output pixels times Filters filters of one group.
template <typename T, int Pixels, int Filters>
__global__ void __launch_bounds__(kThreads)
    ForwardKernel(DeformConvShape s, const T* x, const T* offset, const T* weight, const T* mask, const T* bias, T* y) {
  using R = Compute<T>;
  constexpr int kAcross = Filters / 4;         // threads along the filters, four filters each
  constexpr int kDown = kThreads / kAcross;    // threads along the pixels
  constexpr int kPerThread = Pixels / kDown;   // pixels of a thread
  __shared__ R columns[kDepth][Pixels + 4];
  __shared__ R weights[kDepth][Filters];
  const int64_t filter_tiles = CeilDivide(s.group_filters(), Filters);
  const int64_t group = blockIdx.y / filter_tiles;
  const int64_t first_filter = blockIdx.y % filter_tiles * Filters;
  const int64_t first_pixel = static_cast<int64_t>(blockIdx.x) * Pixels;
  const int across = threadIdx.x % kAcross, down = threadIdx.x / kAcross;
  R sum[kPerThread][4] = {};
  for (int64_t tap = 0; tap < s.taps(); ++tap) {
    for (int64_t begin = 0; begin < s.group_channels(); begin += kDepth) {
      for (int element = threadIdx.x; element < kDepth * Pixels; element += kThreads) {
        int k, p;
        TilePlace<kDepth, Pixels>(s, element, &k, &p);
        const bool exists = begin + k < s.group_channels();
        columns[k][p] = exists ? Column(s, x, offset, mask, Pixel(s, first_pixel + p),
                                        group * s.group_channels() + begin + k, tap)
                               : static_cast<R>(0);
      }
      for (int element = threadIdx.x; element < kDepth * Filters; element += kThreads) {
        const int k = element / Filters, f = element % Filters;
        const bool exists = begin + k < s.group_channels() && first_filter + f < s.group_filters();
        const int64_t row = tap * s.group_channels() + begin + k;
        const int64_t at = row * s.filters + group * s.group_filters() + first_filter + f;
        weights[k][f] = exists ? LoadValue(weight[at]) : static_cast<R>(0);
      }
      __syncthreads();
#pragma unroll
      for (int k = 0; k < kDepth; ++k) {
        R right[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) right[j] = weights[k][across * 4 + j];
#pragma unroll
        for (int i = 0; i < kPerThread; ++i) {
          const R left = columns[k][down + i * kDown];
#pragma unroll
          for (int j = 0; j < 4; ++j) sum[i][j] += left * right[j];
        }
      }
      __syncthreads();
    }
  }
  for (int i = 0; i < kPerThread; ++i) {
    const Pixel pixel(s, first_pixel + down + i * kDown);
    if (!pixel.exists) continue;
    for (int j = 0; j < 4; ++j) {
      const int64_t of_group = first_filter + across * 4 + j;
      if (of_group >= s.group_filters()) continue;
      const int64_t filter = group * s.group_filters() + of_group;
      const R start = bias == nullptr ? static_cast<R>(0) : LoadValue(bias[filter]);
      StoreValue(start + sum[i][j], y + MapAt(s, pixel, filter, s.filters));
    }
  }
}

// grad_x (added to), grad_offset and grad_mask. A block takes one tap of Pixels output pixels through all
// channels: it multiplies grad_y with the weights, then samples and scatters.
template <typename T, int Pixels>
__global__ void __launch_bounds__(kThreads)
    InputGradientKernel(DeformConvShape s, const T* x, const T* offset, const T* weight, const T* mask, const T* grad_y,
                        Compute<T>* grad_x, T* grad_offset, T* grad_mask) {
  using R = Compute<T>;
  constexpr int kAcross = Pixels / 4;                      // threads along the pixels, four pixels each
  constexpr int kPerThread = kChannels * kAcross / kThreads;  // channels of a thread
  constexpr int kSums = (3 * Pixels + kThreads - 1) / kThreads;
  __shared__ R gradients[kDepth][Pixels];
  __shared__ R weights[kDepth][kChannels + 1];
  __shared__ R parts[3][kChannels][Pixels + 1];  // of dy, dx and the mask; the last first holds grad columns
  const int64_t tap = blockIdx.y;
  const int64_t first_pixel = static_cast<int64_t>(blockIdx.x) * Pixels;
  const int64_t maps = s.deformable_groups * s.taps();
  const int across = threadIdx.x % kAcross, down = threadIdx.x / kAcross;
  R sums[kSums] = {};  // of the deformable group under way, for pairs (component, pixel) of this thread
  for (int64_t group = 0; group < s.groups; ++group) {
    for (int64_t begin = 0; begin < s.group_channels(); begin += kChannels) {
      R product[kPerThread][4] = {};
      for (int64_t filter = 0; filter < s.group_filters(); filter += kDepth) {
        for (int element = threadIdx.x; element < kDepth * Pixels; element += kThreads) {
          int k, p;
          TilePlace<kDepth, Pixels>(s, element, &k, &p);
          const Pixel pixel(s, first_pixel + p);
          const bool exists = pixel.exists && filter + k < s.group_filters();
          const int64_t at = MapAt(s, pixel, group * s.group_filters() + filter + k, s.filters);
          gradients[k][p] = exists ? LoadValue(grad_y[at]) : static_cast<R>(0);
        }
        for (int element = threadIdx.x; element < kDepth * kChannels; element += kThreads) {
          const int k = element % kDepth, c = element / kDepth;
          const bool exists = begin + c < s.group_channels() && filter + k < s.group_filters();
          const int64_t row = tap * s.group_channels() + begin + c;
          const int64_t at = row * s.filters + group * s.group_filters() + filter + k;
          weights[k][c] = exists ? LoadValue(weight[at]) : static_cast<R>(0);
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < kDepth; ++k) {
#pragma unroll
          for (int i = 0; i < kPerThread; ++i) {
            const R left = weights[k][down * kPerThread + i];
#pragma unroll
            for (int j = 0; j < 4; ++j) product[i][j] += left * gradients[k][across * 4 + j];
          }
        }
        __syncthreads();
      }
      for (int i = 0; i < kPerThread; ++i) {
        for (int j = 0; j < 4; ++j) parts[2][down * kPerThread + i][across * 4 + j] = product[i][j];
      }
      __syncthreads();

      const int64_t first_channel = group * s.group_channels() + begin;
      const int channels =
          static_cast<int>(s.group_channels() - begin < kChannels ? s.group_channels() - begin : kChannels);
      for (int element = threadIdx.x; element < kChannels * Pixels; element += kThreads) {
        int c, p;
        TilePlace<kChannels, Pixels>(s, element, &c, &p);
        const Pixel pixel(s, first_pixel + p);
        if (c >= channels || !pixel.exists) continue;
        const int64_t channel = first_channel + c;
        const Sample<T> sample(s, offset, mask, pixel, channel / s.deformable_channels(), tap);
        const R grad = parts[2][c][p];
        R dy = 0, dx = 0, dmask = 0;
        if (sample.inside) {
          const Corners<T> v(Plane<const T>(s, x, pixel.image, channel), sample);
          const R masked = grad * sample.mask;
          const R upper = v.v01 - v.v00, lower = v.v11 - v.v10;
          dmask = grad * v.Interpolate(sample);
          dy = masked * (v.v10 + sample.right * lower - v.v00 - sample.right * upper);
          dx = masked * (upper + sample.down * (lower - upper));
          const Plane<R> target(s, grad_x, pixel.image, channel);
          for (int corner = 0; corner < 4; ++corner) {
            const int64_t row = sample.top + corner / 2, column = sample.left + corner % 2;
            const R wy = corner / 2 ? sample.down : 1 - sample.down;
            const R wx = corner % 2 ? sample.right : 1 - sample.right;
            if (target.Has(row, column)) atomicAdd(target.At(row, column), masked * wy * wx);
          }
        }
        parts[0][c][p] = dy;
        parts[1][c][p] = dx;
        parts[2][c][p] = dmask;
      }
      __syncthreads();

      // Every pair belongs to one thread throughout, which adds channels in order and writes a
      // deformable group's sum after the last of its channels.
      for (int n = 0; n < kSums; ++n) {
        const int pair = threadIdx.x + n * kThreads;
        if (pair >= 3 * Pixels) continue;
        int component, p;
        TilePlace<3, Pixels>(s, pair, &component, &p);
        const Pixel pixel(s, first_pixel + p);
        if (!pixel.exists) continue;
        for (int c = 0; c < channels; ++c) {
          sums[n] += parts[component][c][p];
          if ((first_channel + c + 1) % s.deformable_channels() != 0) continue;
          const int64_t map = (first_channel + c) / s.deformable_channels() * s.taps() + tap;
          if (component < 2) {
            StoreValue(sums[n], grad_offset + MapAt(s, pixel, 2 * map + component, 2 * maps));
          } else if (grad_mask != nullptr) {
            StoreValue(sums[n], grad_mask + MapAt(s, pixel, map, maps));
          }
          sums[n] = 0;
        }
      }
      __syncthreads();
    }
  }
}

constexpr int kWeightFilters = 64;

// Partial sums of grad_weight, (split, weight), each over its share of the output pixels. A block makes
// kChannels x kWeightFilters of one tap, group and split.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    WeightGradientKernel(DeformConvShape s, const T* x, const T* offset, const T* mask, const T* grad_y,
                         int64_t pixels_per_split, Compute<T>* partial) {
  using R = Compute<T>;
  __shared__ R columns[kDepth][kChannels + 1];
  __shared__ R gradients[kDepth][kWeightFilters + 1];
  constexpr int kAcross = kWeightFilters / 4;                  // threads along the filters
  constexpr int kPerThread = kChannels * kAcross / kThreads;   // channels of a thread
  const int64_t filter_tiles = CeilDivide(s.group_filters(), kWeightFilters);
  const int64_t channel_tiles = CeilDivide(s.group_channels(), kChannels);
  const int64_t first_filter = blockIdx.x % filter_tiles * kWeightFilters;
  const int64_t first_channel = blockIdx.x / filter_tiles % channel_tiles * kChannels;
  const int64_t group = blockIdx.x / filter_tiles / channel_tiles % s.groups;
  const int64_t tap = blockIdx.x / filter_tiles / channel_tiles / s.groups;
  const int64_t begin = blockIdx.y * pixels_per_split;
  const int64_t pixels = s.batch * s.out_pixels();
  const int64_t end = begin + pixels_per_split < pixels ? begin + pixels_per_split : pixels;
  const int across = threadIdx.x % kAcross, down = threadIdx.x / kAcross;
  R sum[kPerThread][4] = {};
  for (int64_t step = begin; step < end; step += kDepth) {
    for (int element = threadIdx.x; element < kDepth * kChannels; element += kThreads) {
      int c, p;
      TilePlace<kChannels, kDepth>(s, element, &c, &p);
      const bool exists = step + p < end && first_channel + c < s.group_channels();
      columns[p][c] = exists ? Column(s, x, offset, mask, Pixel(s, step + p),
                                      group * s.group_channels() + first_channel + c, tap)
                             : static_cast<R>(0);
    }
    for (int element = threadIdx.x; element < kDepth * kWeightFilters; element += kThreads) {
      int f, p;
      TilePlace<kWeightFilters, kDepth>(s, element, &f, &p);
      const bool exists = step + p < end && first_filter + f < s.group_filters();
      const int64_t at = MapAt(s, Pixel(s, step + p), group * s.group_filters() + first_filter + f, s.filters);
      gradients[p][f] = exists ? LoadValue(grad_y[at]) : static_cast<R>(0);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
#pragma unroll
      for (int i = 0; i < kPerThread; ++i) {
        const R left = columns[k][down * kPerThread + i];
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] += left * gradients[k][across + j * kAcross];
      }
    }
    __syncthreads();
  }
  R* out = partial + blockIdx.y * s.weight_size();
  for (int i = 0; i < kPerThread; ++i) {
    const int64_t channel = first_channel + down * kPerThread + i;
    if (channel >= s.group_channels()) continue;
    for (int j = 0; j < 4; ++j) {
      const int64_t filter = first_filter + across + j * kAcross;
      if (filter >= s.group_filters()) continue;
      out[(tap * s.group_channels() + channel) * s.filters + group * s.group_filters() + filter] = sum[i][j];
    }
  }
}

// Partial sums of grad_bias, (split, filters). A block sums one filter's share of the output pixels.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    BiasGradientKernel(DeformConvShape s, const T* grad_y, int64_t pixels_per_split, Compute<T>* partial) {
  using R = Compute<T>;
  __shared__ R sums[kThreads];
  const int64_t filter = blockIdx.x;
  const int64_t begin = blockIdx.y * pixels_per_split;
  const int64_t pixels = s.batch * s.out_pixels();
  const int64_t end = begin + pixels_per_split < pixels ? begin + pixels_per_split : pixels;
  R sum = 0;
  for (int64_t p = begin + threadIdx.x; p < end; p += kThreads) {
    sum += LoadValue(grad_y[MapAt(s, Pixel(s, p), filter, s.filters)]);
  }
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) partial[blockIdx.y * s.filters + filter] = sums[0];
}

// How the output pixels are shared out among blocks that would otherwise be too few.
struct Splits {
  int64_t count, pixels;

  Splits(const DeformConvShape& s, int64_t blocks) {
    constexpr int64_t kWanted = 2048, kFewestPixels = 256;
    const int64_t all = s.batch * s.out_pixels();
    const int64_t most = CeilDivide(all, kFewestPixels);
    count = CeilDivide(kWanted, blocks);
    count = count < most ? count : most;
    count = count > 1 ? count : 1;
    pixels = CeilDivide(CeilDivide(all, count), kDepth) * kDepth;
    count = all == 0 ? 1 : CeilDivide(all, pixels);
  }
};

int64_t WeightBlocks(const DeformConvShape& s) {
  return s.taps() * s.groups * CeilDivide(s.group_channels(), kChannels) *
         CeilDivide(s.group_filters(), kWeightFilters);
}

template <typename T, int Pixels, int Filters>
void LaunchForward(const DeformConvShape& s, const T* x, const T* offset, const T* weight, const T* mask, const T* bias,
                   T* y, cudaStream_t stream) {
  auto kernel = ForwardKernel<T, Pixels, Filters>;
  const dim3 grid(static_cast<unsigned>(CeilDivide(s.batch * s.out_pixels(), Pixels)),
                  static_cast<unsigned>(s.groups * CeilDivide(s.group_filters(), Filters)));
  TF_POSE3D_LAUNCH(kernel, grid, dim3(kThreads), stream, s, x, offset, weight, mask, bias, y);
}

}  // namespace

template <typename T>
cudaError_t LaunchDeformConvForward(const DeformConvShape& s, const T* x, const T* offset, const T* weight,
                                    const T* mask, const T* bias, T* y, cudaStream_t stream) {
  if (s.batch * s.out_pixels() == 0) return cudaSuccess;
  // Wide tiles where there are filters to fill them: every sample is taken once per tile of filters.
  if (s.group_filters() <= 32) {
    LaunchForward<T, 128, 32>(s, x, offset, weight, mask, bias, y, stream);
  } else if (s.group_filters() <= 64) {
    LaunchForward<T, 64, 64>(s, x, offset, weight, mask, bias, y, stream);
  } else {
    LaunchForward<T, 32, 128>(s, x, offset, weight, mask, bias, y, stream);
  }
  return cudaGetLastError();
}

template <typename T>
size_t DeformConvBackwardBytes(const DeformConvShape& s) {
  int64_t elements = Splits(s, WeightBlocks(s)).count * s.weight_size() + Splits(s, s.filters).count * s.filters;
  if (!std::is_same<T, Compute<T>>::value) elements += s.batch * s.channels * s.height * s.width;
  return sizeof(Compute<T>) * static_cast<size_t>(elements);
}

template <typename T>
cudaError_t LaunchDeformConvBackward(const DeformConvShape& s, const T* x, const T* offset, const T* weight,
                                     const T* mask, const T* grad_y, T* grad_x, T* grad_offset, T* grad_weight,
                                     T* grad_mask, T* grad_bias, void* workspace, cudaStream_t stream) {
  using R = Compute<T>;
  constexpr int kPixels = sizeof(R) == 8 ? 32 : 64;
  const int64_t x_size = s.batch * s.channels * s.height * s.width;
  const Splits weight_splits(s, WeightBlocks(s)), bias_splits(s, s.filters);
  R* weight_parts = static_cast<R*>(workspace);
  R* bias_parts = weight_parts + weight_splits.count * s.weight_size();
  R* x_sum = std::is_same<T, R>::value ? reinterpret_cast<R*>(grad_x) : bias_parts + bias_splits.count * s.filters;

  const cudaError_t cleared = cudaMemsetAsync(x_sum, 0, sizeof(R) * static_cast<size_t>(x_size), stream);
  if (cleared != cudaSuccess) return cleared;
  const unsigned tiles = static_cast<unsigned>(CeilDivide(s.batch * s.out_pixels(), kPixels));
  if (tiles > 0) {
    auto input_kernel = InputGradientKernel<T, kPixels>;
    TF_POSE3D_LAUNCH(input_kernel, dim3(tiles, static_cast<unsigned>(s.taps())), dim3(kThreads), stream, s, x, offset,
                     weight, mask, grad_y, x_sum, grad_offset, grad_mask);
  }
  if (!std::is_same<T, R>::value) SumCopies(x_sum, 1, x_size, grad_x, stream);

  auto weight_kernel = WeightGradientKernel<T>;
  const dim3 weight_grid(static_cast<unsigned>(WeightBlocks(s)), static_cast<unsigned>(weight_splits.count));
  TF_POSE3D_LAUNCH(weight_kernel, weight_grid, dim3(kThreads), stream, s, x, offset, mask, grad_y,
                   weight_splits.pixels, weight_parts);
  SumCopies(weight_parts, weight_splits.count, s.weight_size(), grad_weight, stream);
  if (grad_bias != nullptr) {
    auto bias_kernel = BiasGradientKernel<T>;
    const dim3 bias_grid(static_cast<unsigned>(s.filters), static_cast<unsigned>(bias_splits.count));
    TF_POSE3D_LAUNCH(bias_kernel, bias_grid, dim3(kThreads), stream, s, grad_y, bias_splits.pixels, bias_parts);
    SumCopies(bias_parts, bias_splits.count, s.filters, grad_bias, stream);
  }
  return cudaGetLastError();
}

#define TF_POSE3D_INSTANTIATE(T)                                                                                     \
  template cudaError_t LaunchDeformConvForward(const DeformConvShape&, const T*, const T*, const T*, const T*,       \
                                               const T*, T*, cudaStream_t);                                          \
  template size_t DeformConvBackwardBytes<T>(const DeformConvShape&);                                                \
  template cudaError_t LaunchDeformConvBackward(const DeformConvShape&, const T*, const T*, const T*, const T*,      \
                                                const T*, T*, T*, T*, T*, T*, void*, cudaStream_t);
TF_POSE3D_INSTANTIATE(float)
TF_POSE3D_INSTANTIATE(double)
TF_POSE3D_INSTANTIATE(Half)
TF_POSE3D_INSTANTIATE(BFloat16)
#undef TF_POSE3D_INSTANTIATE

}  // namespace tf_pose3d
