// One thread per output element, forward and backward.
#include "cuda_support.cuh"
#include "deform_psroi_pooling_cuda.h"
#include "psroi_bin.h"

namespace tf_pose3d {
namespace {

constexpr int kThreads = 256;

template <typename T>
using Compute = typename ComputeType<T>::type;

// One output element: its bin, where it lies in x, y and trans.
template <typename T>
struct Output {
  using R = Compute<T>;
  bool exists;
  int64_t at, trans_at, trans_step;
  PsRoiStrides x_strides;
  PsRoiBin<R> bin;

  __device__ Output(const DeformPsRoiShape& s, int64_t number, const R* rois, const T* trans)
      : x_strides(s.channels_first, s.height, s.width, s.channels),
        bin(s, rois + 5 * Region(s, number), Row(s, number), Column(s, number), number % s.output_dim) {
    const PsRoiStrides y_strides(s.channels_first, s.pooled_size, s.pooled_size, s.output_dim);
    const PsRoiStrides trans_strides(s.channels_first, s.part_size, s.part_size, 2 * s.classes);
    const R image = rois[5 * Region(s, number)];
    exists = image >= 0 && image < static_cast<R>(s.batch);
    at = y_strides.At(Region(s, number), Row(s, number), Column(s, number), number % s.output_dim);
    trans_at = trans_strides.At(Region(s, number), bin.part_row, bin.part_column, 2 * bin.klass);
    trans_step = trans_strides.channel;
    if (trans != nullptr) {
      const R std = static_cast<R>(s.trans_std);
      bin.Move(LoadValue(trans[trans_at]) * std, LoadValue(trans[trans_at + trans_step]) * std);
    }
  }

  __device__ static int64_t Column(const DeformPsRoiShape& s, int64_t number) {
    return number / s.output_dim % s.pooled_size;
  }
  __device__ static int64_t Row(const DeformPsRoiShape& s, int64_t number) {
    return number / s.output_dim / s.pooled_size % s.pooled_size;
  }
  __device__ static int64_t Region(const DeformPsRoiShape& s, int64_t number) {
    return number / s.output_dim / s.pooled_size / s.pooled_size;
  }

  __device__ PsRoiSample<R> Sample(const DeformPsRoiShape& s, int64_t row, int64_t column) const {
    return PsRoiSample<R>(s, bin.x + static_cast<R>(column) * bin.step_x, bin.y + static_cast<R>(row) * bin.step_y);
  }
  __device__ int64_t PixelAt(int64_t row, int64_t column) const {
    return x_strides.At(bin.image, row, column, bin.channel);
  }
};

template <typename T>
__global__ void ForwardKernel(DeformPsRoiShape s, const T* x, const Compute<T>* rois, const T* trans, T* y,
                              int64_t outputs) {
  using R = Compute<T>;
  const int64_t number = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (number >= outputs) return;
  const Output<T> out(s, number, rois, trans);
  R sum = 0;
  int count = 0;
  for (int64_t i = 0; out.exists && i < s.sample_per_part; ++i) {
    for (int64_t j = 0; j < s.sample_per_part; ++j) {
      const PsRoiSample<R> p = out.Sample(s, i, j);
      if (!p.inside) continue;
      ++count;
      const R v00 = LoadValue(x[out.PixelAt(p.top, p.left)]), v01 = LoadValue(x[out.PixelAt(p.top, p.right)]);
      const R v10 = LoadValue(x[out.PixelAt(p.bottom, p.left)]), v11 = LoadValue(x[out.PixelAt(p.bottom, p.right)]);
      sum += (v00 * (1 - p.across) + v01 * p.across) * (1 - p.down) + (v10 * (1 - p.across) + v11 * p.across) * p.down;
    }
  }
  StoreValue(count == 0 ? static_cast<R>(0) : sum / static_cast<R>(count), y + out.at);
}

template <typename T>
__global__ void BackwardKernel(DeformPsRoiShape s, const T* x, const Compute<T>* rois, const T* trans, const T* grad_y,
                               Compute<T>* grad_x, Compute<T>* grad_trans, int64_t outputs) {
  using R = Compute<T>;
  const int64_t number = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (number >= outputs) return;
  const Output<T> out(s, number, rois, trans);
  if (!out.exists) return;
  int count = 0;
  for (int64_t i = 0; i < s.sample_per_part; ++i) {
    for (int64_t j = 0; j < s.sample_per_part; ++j) count += out.Sample(s, i, j).inside;
  }
  if (count == 0) return;
  const R grad = LoadValue(grad_y[out.at]) / static_cast<R>(count);
  R along_x = 0, along_y = 0;
  for (int64_t i = 0; i < s.sample_per_part; ++i) {
    for (int64_t j = 0; j < s.sample_per_part; ++j) {
      const PsRoiSample<R> p = out.Sample(s, i, j);
      if (!p.inside) continue;
      const int64_t at00 = out.PixelAt(p.top, p.left), at01 = out.PixelAt(p.top, p.right);
      const int64_t at10 = out.PixelAt(p.bottom, p.left), at11 = out.PixelAt(p.bottom, p.right);
      atomicAdd(grad_x + at00, grad * (1 - p.down) * (1 - p.across));
      atomicAdd(grad_x + at01, grad * (1 - p.down) * p.across);
      atomicAdd(grad_x + at10, grad * p.down * (1 - p.across));
      atomicAdd(grad_x + at11, grad * p.down * p.across);
      if (grad_trans == nullptr) continue;
      const R v00 = LoadValue(x[at00]), v01 = LoadValue(x[at01]), v10 = LoadValue(x[at10]), v11 = LoadValue(x[at11]);
      along_x += (v01 - v00) * (1 - p.down) + (v11 - v10) * p.down;
      along_y += (v10 - v00) * (1 - p.across) + (v11 - v01) * p.across;
    }
  }
  if (grad_trans == nullptr) return;
  const R scale = grad * static_cast<R>(s.trans_std);
  atomicAdd(grad_trans + out.trans_at, along_x * scale * out.bin.width);
  atomicAdd(grad_trans + out.trans_at + out.trans_step, along_y * scale * out.bin.height);
}

int64_t Outputs(const DeformPsRoiShape& s) { return s.count * s.pooled_size * s.pooled_size * s.output_dim; }
int64_t ImageSize(const DeformPsRoiShape& s) { return s.batch * s.height * s.width * s.channels; }
int64_t TransSize(const DeformPsRoiShape& s) { return s.count * 2 * s.classes * s.part_size * s.part_size; }

}  // namespace

template <typename T>
cudaError_t LaunchDeformPsRoiForward(const DeformPsRoiShape& s, const T* x, const typename ComputeType<T>::type* rois,
                                     const T* trans, T* y, cudaStream_t stream) {
  const int64_t outputs = Outputs(s);
  if (outputs == 0) return cudaSuccess;
  auto kernel = ForwardKernel<T>;
  const dim3 grid(static_cast<unsigned>(CeilDivide(outputs, kThreads)));
  TF_POSE3D_LAUNCH(kernel, grid, dim3(kThreads), stream, s, x, rois, trans, y, outputs);
  return cudaGetLastError();
}

template <typename T>
size_t DeformPsRoiGpuBackwardBytes(const DeformPsRoiShape& s) {
  if (std::is_same<T, Compute<T>>::value) return 0;
  return sizeof(Compute<T>) * static_cast<size_t>(ImageSize(s) + TransSize(s));
}

template <typename T>
cudaError_t LaunchDeformPsRoiBackward(const DeformPsRoiShape& s, const T* x, const typename ComputeType<T>::type* rois,
                                      const T* trans, const T* grad_y, T* grad_x, T* grad_trans, void* workspace,
                                      cudaStream_t stream) {
  using R = Compute<T>;
  constexpr bool kDirect = std::is_same<T, R>::value;
  R* x_sum = kDirect ? reinterpret_cast<R*>(grad_x) : static_cast<R*>(workspace);
  R* trans_sum = kDirect ? reinterpret_cast<R*>(grad_trans) : x_sum + ImageSize(s);
  if (grad_trans == nullptr) trans_sum = nullptr;
  cudaError_t error = cudaMemsetAsync(x_sum, 0, sizeof(R) * static_cast<size_t>(ImageSize(s)), stream);
  if (error != cudaSuccess) return error;
  if (trans_sum != nullptr) {
    error = cudaMemsetAsync(trans_sum, 0, sizeof(R) * static_cast<size_t>(TransSize(s)), stream);
    if (error != cudaSuccess) return error;
  }
  const int64_t outputs = Outputs(s);
  if (outputs > 0) {
    auto kernel = BackwardKernel<T>;
    const dim3 grid(static_cast<unsigned>(CeilDivide(outputs, kThreads)));
    TF_POSE3D_LAUNCH(kernel, grid, dim3(kThreads), stream, s, x, rois, trans, grad_y, x_sum, trans_sum, outputs);
  }
  if (!kDirect) {
    SumCopies(x_sum, 1, ImageSize(s), grad_x, stream);
    if (trans_sum != nullptr) SumCopies(trans_sum, 1, TransSize(s), grad_trans, stream);
  }
  return cudaGetLastError();
}

#define TF_POSE3D_INSTANTIATE(T)                                                                                    \
  template cudaError_t LaunchDeformPsRoiForward(const DeformPsRoiShape&, const T*, const ComputeType<T>::type*,     \
                                                const T*, T*, cudaStream_t);                                        \
  template size_t DeformPsRoiGpuBackwardBytes<T>(const DeformPsRoiShape&);                                          \
  template cudaError_t LaunchDeformPsRoiBackward(const DeformPsRoiShape&, const T*, const ComputeType<T>::type*,    \
                                                 const T*, const T*, T*, T*, void*, cudaStream_t);
TF_POSE3D_INSTANTIATE(float)
TF_POSE3D_INSTANTIATE(double)
TF_POSE3D_INSTANTIATE(Half)
TF_POSE3D_INSTANTIATE(BFloat16)
#undef TF_POSE3D_INSTANTIATE

}  // namespace tf_pose3d
