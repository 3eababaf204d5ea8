// Attention for one instruction set: compile once per set, with
// -DTF_POSE3D_ISA=baseline, avx2 or avx512 and that set's compiler flags.
#include "attention_cpu.h"

#include "product_attention.h"
#include "token_attention.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

// Short sequences of narrow heads would waste the lanes and the rows of matrix products.
bool IsNarrow(const AttentionShape& shape) { return shape.keys <= 32 && shape.depth <= 16; }

template <typename Body>
auto WithAttention(const AttentionShape& shape, int workers, bool backward, const Body& body) {
  return IsNarrow(shape) ? body(Attention(shape, workers, backward))
                         : body(ProductAttention(shape, workers, backward));
}

size_t AttentionBytes(const AttentionShape& shape, int workers, bool backward) {
  return WithAttention(shape, workers, backward, [](const auto& attention) { return attention.bytes(); });
}

void AttentionForward(const AttentionShape& shape, TokenRows<const float> query, TokenRows<const float> key,
                      TokenRows<const float> value, const bool* key_mask, float* y, void* workspace,
                      const Workers& workers) {
  WithAttention(shape, workers.count, false, [&](const auto& attention) {
    attention.Forward(query, key, value, key_mask, y, workspace, workers);
  });
}

void AttentionBackward(const AttentionShape& shape, TokenRows<const float> query, TokenRows<const float> key,
                       TokenRows<const float> value, const bool* key_mask, const float* grad_y,
                       TokenRows<float> grad_query, TokenRows<float> grad_key, TokenRows<float> grad_value,
                       void* workspace, const Workers& workers) {
  WithAttention(shape, workers.count, true, [&](const auto& attention) {
    attention.Backward(query, key, value, key_mask, grad_y, grad_query, grad_key, grad_value, workspace, workers);
  });
}

}  // namespace

AttentionKernels GetAttentionKernels() { return {AttentionBytes, AttentionForward, AttentionBackward}; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
