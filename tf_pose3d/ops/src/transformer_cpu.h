// Kernels of transformers over short token sequences on the CPU, in float: attention, layer normalization
// and GELU, each with its gradient. Knows nothing of TensorFlow.
//
// As with the deformable convolution, the kernels are compiled once per instruction set and chosen when the
// library runs. Results depend neither on the number of threads nor on how they are scheduled.
#ifndef TF_POSE3D_OPS_TRANSFORMER_CPU_H_
#define TF_POSE3D_OPS_TRANSFORMER_CPU_H_

#include <cstddef>
#include <cstdint>

#include "deform_conv_cpu.h"

namespace tf_pose3d {

// Attention of `queries` over `keys` tokens, in each of `batch` samples and `heads` heads of width `depth`.
struct AttentionShape {
  int64_t batch, queries, keys, heads, depth;

  int64_t width() const { return heads * depth; }
};

// Tokens (batch, count, width) whose rows of `width` floats lie `row` floats apart, samples `sample` apart.
template <typename T>
struct TokenRows {
  T* data;
  int64_t row, sample;
};

struct TransformerKernels {
  // y = softmax(query key^T / sqrt(depth)) value, per head. key_mask (batch, keys) is true on keys that
  // nobody may attend to, or null. `workspace` is aligned to 64.
  size_t (*attention_bytes)(const AttentionShape& shape, int workers, bool backward);
  void (*attention)(const AttentionShape& shape, TokenRows<const float> query, TokenRows<const float> key,
                    TokenRows<const float> value, const bool* key_mask, float* y, void* workspace,
                    const Workers& workers);
  void (*attention_backward)(const AttentionShape& shape, TokenRows<const float> query, TokenRows<const float> key,
                             TokenRows<const float> value, const bool* key_mask, const float* grad_y,
                             TokenRows<float> grad_query, TokenRows<float> grad_key, TokenRows<float> grad_value,
                             void* workspace, const Workers& workers);

  // y = (x - mean) * scale * gain + shift over rows of `width` floats; scale is 1 / sqrt(variance + epsilon).
  // mean and scale (rows) are outputs that the gradient reads.
  void (*layer_norm)(int64_t rows, int64_t width, float epsilon, const float* x, const float* gain,
                     const float* shift, float* y, float* mean, float* scale, const Workers& workers);
  size_t (*layer_norm_backward_bytes)(int64_t rows, int64_t width);
  void (*layer_norm_backward)(int64_t rows, int64_t width, const float* x, const float* gain, const float* mean,
                              const float* scale, const float* grad_y, float* grad_x, float* grad_gain,
                              float* grad_shift, void* workspace, const Workers& workers);

  // y = gelu(x + bias) over rows of `width` floats, with the exact (erf) GELU.
  void (*bias_gelu)(int64_t rows, int64_t width, const float* x, const float* bias, float* y,
                    const Workers& workers);
  size_t (*bias_gelu_backward_bytes)(int64_t rows, int64_t width);
  void (*bias_gelu_backward)(int64_t rows, int64_t width, const float* x, const float* bias, const float* grad_y,
                             float* grad_x, float* grad_bias, void* workspace, const Workers& workers);
};

namespace baseline {
TransformerKernels GetTransformerKernels();
}

namespace avx2 {
TransformerKernels GetTransformerKernels();
}

// The fastest kernels that this machine runs.
inline TransformerKernels BestTransformerKernels() {
#ifdef TF_POSE3D_HAS_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::GetTransformerKernels();
#endif
  return baseline::GetTransformerKernels();
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_TRANSFORMER_CPU_H_
