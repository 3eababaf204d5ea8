// Attention over short sequences of narrow heads. Included only by sources compiled per instruction set.
//
// As many samples are worked on at once as a vector has lanes, one per lane: sums over keys and over a head's
// width run down the lanes, and no lane is wasted whatever the number of tokens. Query, key and value of these
// samples are transposed into [head][token][channel][sample]; scores never leave the first-level cache, and the
// gradient computes them again.
#ifndef TF_POSE3D_OPS_TOKEN_ATTENTION_H_
#define TF_POSE3D_OPS_TOKEN_ATTENTION_H_

#include <cmath>
#include <limits>
#include <vector>

#include "attention_cpu.h"
#include "lanes.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

// What is added to the scores of masked keys, as in the layers: weights vanish beside any unmasked key, and
// are equal where all keys are masked.
constexpr float kMasked = -1e9f;

// kDepth is a head's width, or 0 for any width; the known ones are held in registers.
template <int kDepth>
struct Head {
  int64_t queries, keys, any_depth;
  const Lanes *query, *key, *value;  // query is scaled by 1 / sqrt(depth)
  const Lanes* penalty;              // added to scores per key; may be null

  TF_POSE3D_INLINE int64_t depth() const { return kDepth ? kDepth : any_depth; }

  // A token's channels, held in registers where their number is known.
  struct Token {
    Lanes held[kDepth ? kDepth : 1];
    const Lanes* memory;

    TF_POSE3D_INLINE explicit Token(const Lanes* channels) : memory(channels) {
      for (int d = 0; d < kDepth; ++d) held[d] = channels[d];
    }
    TF_POSE3D_INLINE Lanes operator[](int64_t d) const { return kDepth ? held[d] : memory[d]; }
  };

  TF_POSE3D_INLINE Lanes Dot(const Token& a, const Lanes* b) const {
    Lanes sum = a[0] * b[0];
    for (int64_t d = 1; d < depth(); ++d) sum += a[d] * b[d];
    return sum;
  }

  // Fills `weights` with exp(score - highest score) of query i and returns 1 / their sum.
  TF_POSE3D_INLINE Lanes Softmax(int64_t i, Lanes* weights) const {
    const Token q(query + i * depth());
    Lanes highest = Splat(-std::numeric_limits<float>::infinity());
    for (int64_t j = 0; j < keys; ++j) {
      Lanes score = Dot(q, key + j * depth());
      if (penalty != nullptr) score += penalty[j];
      weights[j] = score;
      highest = Max(score, highest);
    }
    Lanes sum = {};
    for (int64_t j = 0; j < keys; ++j) {
      weights[j] = ExpOfNegative(weights[j] - highest);
      sum += weights[j];
    }
    return 1.0f / sum;
  }

  void Forward(Lanes* weights, Lanes* y) const {
    for (int64_t i = 0; i < queries; ++i) {
      const Lanes scale = Softmax(i, weights);
      Lanes* out = y + i * depth();
      if constexpr (kDepth > 0) {
        Lanes sum[kDepth] = {};
        for (int64_t j = 0; j < keys; ++j) {
          for (int d = 0; d < kDepth; ++d) sum[d] += weights[j] * value[j * kDepth + d];
        }
        for (int d = 0; d < kDepth; ++d) out[d] = sum[d] * scale;
      } else {
        for (int64_t d = 0; d < depth(); ++d) {
          Lanes sum = {};
          for (int64_t j = 0; j < keys; ++j) sum += weights[j] * value[j * depth() + d];
          out[d] = sum * scale;
        }
      }
    }
  }

  // grad_query is the gradient of the scaled query. `weights` and `slopes` hold a vector per key.
  void Backward(const Lanes* grad_y, Lanes* weights, Lanes* slopes, Lanes* grad_query, Lanes* grad_key,
                Lanes* grad_value) const {
    for (int64_t i = 0; i < keys * depth(); ++i) grad_key[i] = grad_value[i] = Lanes{};
    for (int64_t i = 0; i < queries; ++i) {
      const Lanes scale = Softmax(i, weights);
      const Token dy(grad_y + i * depth()), q(query + i * depth());
      Lanes* dq = grad_query + i * depth();
      // Of the softmax: d score = weight * (slope - mean slope), with slope = dy . value.
      Lanes mean = {};
      for (int64_t j = 0; j < keys; ++j) {
        const Lanes slope = Dot(dy, value + j * depth());
        slopes[j] = slope;
        weights[j] *= scale;
        mean += weights[j] * slope;
      }
      if constexpr (kDepth > 0) {
        Lanes sum[kDepth] = {};
        for (int64_t j = 0; j < keys; ++j) {
          const Lanes weight = weights[j], score = weight * (slopes[j] - mean);
          const int64_t at = j * kDepth;
          for (int d = 0; d < kDepth; ++d) {
            sum[d] += score * key[at + d];
            grad_key[at + d] += score * q[d];
            grad_value[at + d] += weight * dy[d];
          }
        }
        for (int d = 0; d < kDepth; ++d) dq[d] = sum[d];
      } else {
        for (int64_t d = 0; d < depth(); ++d) dq[d] = Lanes{};
        for (int64_t j = 0; j < keys; ++j) {
          const Lanes weight = weights[j], score = weight * (slopes[j] - mean);
          const int64_t at = j * depth();
          for (int64_t d = 0; d < depth(); ++d) {
            dq[d] += score * key[at + d];
            grad_key[at + d] += score * q[d];
            grad_value[at + d] += weight * dy[d];
          }
        }
      }
    }
  }
};

// Samples, one per lane (the last group: fewer), and their way between memory and lanes.
struct SampleGroup {
  int64_t first, count;
  const AttentionShape& shape;

  // (count, tokens, width) -> [head][token][channel][sample], times scale. Lanes without a sample repeat
  // the last one. Channel c of the first token comes to places[c].
  void Load(TokenRows<const float> rows, int64_t tokens, const int64_t* places, float scale, Lanes* out) const {
    const float* sample[kLanes];
    for (int64_t s = 0; s < kLanes; ++s) sample[s] = rows.data + (first + Min(s, count - 1)) * rows.sample;
    for (int64_t n = 0; n < tokens; ++n, out += shape.depth) {
      const auto load = [&](int64_t column, int64_t columns) TF_POSE3D_INLINED {
        Lanes block[kLanes];
#pragma GCC unroll 16
        for (int64_t s = 0; s < kLanes; ++s) block[s] = LoadLanes(sample[s] + n * rows.row + column, columns) * scale;
        Transpose(block);
        if (columns == kLanes) {
#pragma GCC unroll 16
          for (int64_t c = 0; c < kLanes; ++c) out[places[column + c]] = block[c];
        } else {
          for (int64_t c = 0; c < columns; ++c) out[places[column + c]] = block[c];
        }
      };
      ForColumns(shape.width(), load);
    }
  }

  // The way back.
  void Store(const Lanes* in, int64_t tokens, const int64_t* places, float scale, TokenRows<float> rows) const {
    for (int64_t n = 0; n < tokens; ++n, in += shape.depth) {
      float* to = rows.data + first * rows.sample + n * rows.row;
      const auto store = [&](int64_t column, int64_t columns) TF_POSE3D_INLINED {
        Lanes block[kLanes] = {};
        if (columns == kLanes) {
#pragma GCC unroll 16
          for (int64_t c = 0; c < kLanes; ++c) block[c] = in[places[column + c]] * scale;
        } else {
          for (int64_t c = 0; c < columns; ++c) block[c] = in[places[column + c]] * scale;
        }
        Transpose(block);
        if (columns == kLanes && count == kLanes) {
#pragma GCC unroll 16
          for (int64_t s = 0; s < kLanes; ++s) AsVector(to + s * rows.sample + column) = block[s];
        } else {
          for (int64_t s = 0; s < count; ++s) StoreLanes(block[s], columns, to + s * rows.sample + column);
        }
      };
      ForColumns(shape.width(), store);
    }
  }

  void LoadPenalty(const bool* key_mask, Lanes* penalty) const {
    for (int64_t s = 0; s < kLanes; ++s) {
      const bool* masked = key_mask + (first + Min(s, count - 1)) * shape.keys;
      for (int64_t j = 0; j < shape.keys; ++j) penalty[j][s] = masked[j] ? kMasked : 0.0f;
    }
  }
};

template <typename Body>
void WithHead(int64_t depth, const Body& body) {
  switch (depth) {
    case 2: body(Head<2>{}); break;
    case 4: body(Head<4>{}); break;
    case 8: body(Head<8>{}); break;
#ifdef __AVX512F__  // has twice as many registers
    case 16: body(Head<16>{}); break;
#endif
    default: body(Head<0>{}); break;
  }
}

// One attention over a batch: its memory, and its loop over groups of samples.
class Attention {
 public:
  Attention(const AttentionShape& shape, int workers, bool backward) : shape_(shape) {
    const int64_t groups = CeilDiv(shape.batch, kLanes);
    // More tasks than threads even out what other programs take of the cores.
    tasks_ = Min(groups, int64_t{4} * workers);
    query_size_ = shape.queries * shape.width();
    key_size_ = shape.keys * shape.width();
    const int64_t tensors = backward ? 3 * query_size_ + 4 * key_size_ : 2 * query_size_ + 2 * key_size_;
    task_size_ = tensors + 3 * shape.keys;
    for (int64_t column = 0; column < shape.width(); ++column) {
      const int64_t head = column / shape.depth, channel = column % shape.depth;
      query_places_.push_back(head * shape.queries * shape.depth + channel);
      key_places_.push_back(head * shape.keys * shape.depth + channel);
    }
  }

  size_t bytes() const { return tasks_ * task_size_ * sizeof(Lanes); }

  void Forward(TokenRows<const float> query, TokenRows<const float> key, TokenRows<const float> value,
               const bool* key_mask, float* y, void* workspace, const Workers& workers) const {
    const TokenRows<float> out = Dense(y, shape_.queries);
    Run(workspace, workers, [&](const SampleGroup& group, Lanes* memory) {
      Lanes *q = memory, *o = q + query_size_, *k = o + query_size_, *v = k + key_size_;
      Lanes *weights = v + key_size_, *penalty = weights + shape_.keys;
      LoadInputs(group, query, key, value, key_mask, q, k, v, penalty);
      ForHeads(q, k, v, key_mask ? penalty : nullptr, [&](const auto& head, int64_t query_at, int64_t) {
        head.Forward(weights, o + query_at);
      });
      group.Store(o, shape_.queries, query_places_.data(), 1.0f, out);
    });
  }

  void Backward(TokenRows<const float> query, TokenRows<const float> key, TokenRows<const float> value,
                const bool* key_mask, const float* grad_y, TokenRows<float> grad_query, TokenRows<float> grad_key,
                TokenRows<float> grad_value, void* workspace, const Workers& workers) const {
    const TokenRows<const float> dense_grad = Dense(grad_y, shape_.queries);
    Run(workspace, workers, [&](const SampleGroup& group, Lanes* memory) {
      Lanes *q = memory, *dy = q + query_size_, *dq = dy + query_size_;
      Lanes *k = dq + query_size_, *v = k + key_size_, *dk = v + key_size_, *dv = dk + key_size_;
      Lanes *weights = dv + key_size_, *slopes = weights + shape_.keys, *penalty = slopes + shape_.keys;
      LoadInputs(group, query, key, value, key_mask, q, k, v, penalty);
      group.Load(dense_grad, shape_.queries, query_places_.data(), 1.0f, dy);
      ForHeads(q, k, v, key_mask ? penalty : nullptr, [&](const auto& head, int64_t query_at, int64_t key_at) {
        head.Backward(dy + query_at, weights, slopes, dq + query_at, dk + key_at, dv + key_at);
      });
      group.Store(dq, shape_.queries, query_places_.data(), scale(), grad_query);
      group.Store(dk, shape_.keys, key_places_.data(), 1.0f, grad_key);
      group.Store(dv, shape_.keys, key_places_.data(), 1.0f, grad_value);
    });
  }

 private:
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(shape_.depth)); }

  template <typename T>
  TokenRows<T> Dense(T* data, int64_t tokens) const {
    return {data, shape_.width(), tokens * shape_.width()};
  }

  void LoadInputs(const SampleGroup& group, TokenRows<const float> query, TokenRows<const float> key,
                  TokenRows<const float> value, const bool* key_mask, Lanes* q, Lanes* k, Lanes* v,
                  Lanes* penalty) const {
    group.Load(query, shape_.queries, query_places_.data(), scale(), q);
    group.Load(key, shape_.keys, key_places_.data(), 1.0f, k);
    group.Load(value, shape_.keys, key_places_.data(), 1.0f, v);
    if (key_mask != nullptr) group.LoadPenalty(key_mask, penalty);
  }

  // Calls body(head, offset of its queries, offset of its keys) for every head.
  template <typename Body>
  void ForHeads(const Lanes* q, const Lanes* k, const Lanes* v, const Lanes* penalty, const Body& body) const {
    WithHead(shape_.depth, [&](auto head) {
      for (int64_t h = 0; h < shape_.heads; ++h) {
        const int64_t query_at = h * shape_.queries * shape_.depth, key_at = h * shape_.keys * shape_.depth;
        head = {shape_.queries, shape_.keys, shape_.depth, q + query_at, k + key_at, v + key_at, penalty};
        body(head, query_at, key_at);
      }
    });
  }

  template <typename Body>
  void Run(void* workspace, const Workers& workers, const Body& body) const {
    if (tasks_ == 0) return;
    struct Call {
      const Attention* attention;
      const Body* body;
      Lanes* workspace;
    } call{this, &body, static_cast<Lanes*>(workspace)};
    workers.run(
        workers.pool, static_cast<int>(tasks_),
        [](void* argument, int task) {
          const Call& c = *static_cast<Call*>(argument);
          const Attention& a = *c.attention;
          const int64_t groups = CeilDiv(a.shape_.batch, kLanes);
          for (int64_t g = groups * task / a.tasks_; g < groups * (task + 1) / a.tasks_; ++g) {
            const int64_t first = g * kLanes;
            const SampleGroup group{first, Min(kLanes, a.shape_.batch - first), a.shape_};
            (*c.body)(group, c.workspace + task * a.task_size_);
          }
        },
        &call);
  }

  AttentionShape shape_;
  int64_t tasks_, query_size_, key_size_, task_size_;
  // Where each channel of a head's first token lies among the transposed ones.
  std::vector<int64_t> query_places_, key_places_;
};

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_TOKEN_ATTENTION_H_
