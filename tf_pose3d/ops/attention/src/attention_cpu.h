// Attention over token sequences on the CPU, in float, with its gradient. Knows nothing of TensorFlow.
//
// As with the other kernels, compiled once per instruction set and chosen when the library runs. Results
// depend neither on the number of threads nor on how they are scheduled.
#ifndef TF_POSE3D_OPS_ATTENTION_CPU_H_
#define TF_POSE3D_OPS_ATTENTION_CPU_H_

#include <cstddef>
#include <cstdint>

#include "instruction_sets.h"
#include "workers.h"

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

struct AttentionKernels {
  // y = softmax(query key^T / sqrt(depth)) value, per head. key_mask (batch, keys) is true on keys that
  // nobody may attend to, or null. `workspace` is aligned to 64.
  size_t (*bytes)(const AttentionShape& shape, int workers, bool backward);
  void (*forward)(const AttentionShape& shape, TokenRows<const float> query, TokenRows<const float> key,
                  TokenRows<const float> value, const bool* key_mask, float* y, void* workspace,
                  const Workers& workers);
  void (*backward)(const AttentionShape& shape, TokenRows<const float> query, TokenRows<const float> key,
                   TokenRows<const float> value, const bool* key_mask, const float* grad_y, TokenRows<float> grad_query,
                   TokenRows<float> grad_key, TokenRows<float> grad_value, void* workspace, const Workers& workers);
};

TF_POSE3D_DECLARE(AttentionKernels)

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_ATTENTION_CPU_H_
