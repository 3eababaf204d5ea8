// Attention over sequences and heads of any size. Included only by sources compiled per instruction set.
//
// A head of a sample is worked on at a time, some queries after the other: their scores with all keys are a
// product of matrices that lie in the second-level cache, become weights there, and enter the product with the
// values. Nothing of the size of all weights is ever in memory; the gradient computes them again.
#ifndef TF_POSE3D_OPS_PRODUCT_ATTENTION_H_
#define TF_POSE3D_OPS_PRODUCT_ATTENTION_H_

#include <cmath>
#include <limits>

#include "attention_cpu.h"
#include "lanes.h"
#include "token_attention.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

class ProductAttention {
 public:
  ProductAttention(const AttentionShape& shape, int workers, bool backward) : shape_(shape) {
    pairs_ = shape.batch * shape.heads;
    // More tasks than threads even out what other programs take of the cores.
    tasks_ = Min(pairs_, int64_t{4} * workers);
    row_ = RoundUp(shape.keys, kLanes);
    depth_ = RoundUp(shape.depth, kLanes);
    // A whole number of the rows that a product takes at a time.
    block_ = Min(Max(kScores / row_ / kTileRows * kTileRows, kTileRows), shape.queries);
    const int64_t key_panels = RoundUp(shape.keys, kWide) * shape.depth;
    const int64_t depth_panels = RoundUp(shape.depth, kWide);
    int64_t at = 0;
    const auto take = [&](int64_t size) {
      const int64_t begin = at;
      at += RoundUp(size, 16);
      return begin;
    };
    query_ = take(shape.queries * shape.depth);
    keys_across_ = take(key_panels);
    penalty_ = take(row_);
    scores_ = take(block_ * row_);
    mixed_ = take(block_ * depth_);
    scales_ = take(block_);
    if (backward) {
      grad_ = take(shape.queries * shape.depth);
      values_across_ = take(key_panels);
      key_ = take(depth_panels * shape.keys);
      query_panels_ = take(depth_panels * shape.queries);
      grad_panels_ = take(depth_panels * shape.queries);
      slopes_ = take(block_ * row_);
      grad_key_ = take(shape.keys * depth_);
      grad_value_ = take(shape.keys * depth_);
    } else {
      value_ = take(depth_panels * shape.keys);
    }
    task_size_ = at;
  }

  size_t bytes() const { return tasks_ * task_size_ * sizeof(float); }

  void Forward(TokenRows<const float> query, TokenRows<const float> key, TokenRows<const float> value,
               const bool* key_mask, float* y, void* workspace, const Workers& workers) const {
    const AttentionShape& s = shape_;
    const int64_t width = s.width();
    Run(workspace, workers, [&](int64_t sample, int64_t head, float* memory) {
      LoadScored(sample, head, query, key, key_mask, memory);
      Panels(HeadOf(value, sample, head), value.row, s.keys, memory + value_);
      float *scores = memory + scores_, *mixed = memory + mixed_, *scales = memory + scales_;
      for (int64_t first = 0; first < s.queries; first += block_) {
        const int64_t count = Min(block_, s.queries - first);
        Weights(first, count, memory);
        memset(mixed, 0, count * depth_ * sizeof(float));
        MultiplyAdd<float>(count, s.depth, s.keys, scores, row_, 1, memory + value_, kWide, kWide * s.keys, mixed,
                           depth_);
        float* out = y + (sample * s.queries + first) * width + head * s.depth;
        for (int64_t i = 0; i < count; ++i) StoreScaled(mixed + i * depth_, scales[i], out + i * width);
      }
    });
  }

  void Backward(TokenRows<const float> query, TokenRows<const float> key, TokenRows<const float> value,
                const bool* key_mask, const float* grad_y, TokenRows<float> grad_query, TokenRows<float> grad_key,
                TokenRows<float> grad_value, void* workspace, const Workers& workers) const {
    const AttentionShape& s = shape_;
    const int64_t width = s.width();
    const TokenRows<const float> grads = {grad_y, width, s.queries * width};
    Run(workspace, workers, [&](int64_t sample, int64_t head, float* memory) {
      LoadScored(sample, head, query, key, key_mask, memory);
      const float* grad = HeadOf(grads, sample, head);
      Copy(grad, width, s.queries, 1.0f, memory + grad_);
      Across(HeadOf(value, sample, head), value.row, memory + values_across_);
      Panels(HeadOf(key, sample, head), key.row, s.keys, memory + key_);
      Panels(memory + query_, s.depth, s.queries, memory + query_panels_);
      Panels(grad, width, s.queries, memory + grad_panels_);
      float *scores = memory + scores_, *slopes = memory + slopes_, *scales = memory + scales_;
      float *dq = memory + mixed_, *dk = memory + grad_key_, *dv = memory + grad_value_;
      memset(dk, 0, s.keys * depth_ * sizeof(float));
      memset(dv, 0, s.keys * depth_ * sizeof(float));
      float* to = HeadOf(grad_query, sample, head);
      for (int64_t first = 0; first < s.queries; first += block_) {
        const int64_t count = Min(block_, s.queries - first);
        Weights(first, count, memory);
        memset(slopes, 0, count * row_ * sizeof(float));
        MultiplyAdd<float>(count, s.keys, s.depth, memory + grad_ + first * s.depth, s.depth, 1,
                           memory + values_across_, kWide, kWide * s.depth, slopes, row_);
        // Of the softmax: d score = weight * (slope - mean slope).
        for (int64_t i = 0; i < count; ++i) {
          float *weights = scores + i * row_, *slope = slopes + i * row_;
          Lanes means = {};
          for (int64_t j = 0; j < row_; j += kLanes) {
            const Lanes weight = AsVector(weights + j) * scales[i];
            AsVector(weights + j) = weight;
            means += weight * AsVector(slope + j);
          }
          const float mean = Sum(means);
          for (int64_t j = 0; j < row_; j += kLanes) {
            AsVector(slope + j) = AsVector(weights + j) * (AsVector(slope + j) - mean);
          }
        }
        MultiplyAdd<float>(s.keys, s.depth, count, scores, 1, row_, memory + grad_panels_ + first * kWide, kWide,
                           kWide * s.queries, dv, depth_);
        MultiplyAdd<float>(s.keys, s.depth, count, slopes, 1, row_, memory + query_panels_ + first * kWide, kWide,
                           kWide * s.queries, dk, depth_);
        memset(dq, 0, count * depth_ * sizeof(float));
        MultiplyAdd<float>(count, s.depth, s.keys, slopes, row_, 1, memory + key_, kWide, kWide * s.keys, dq, depth_);
        for (int64_t i = 0; i < count; ++i) StoreScaled(dq + i * depth_, scale(), to + (first + i) * grad_query.row);
      }
      float *key_to = HeadOf(grad_key, sample, head), *value_to = HeadOf(grad_value, sample, head);
      for (int64_t j = 0; j < s.keys; ++j) {
        StoreScaled(dk + j * depth_, 1.0f, key_to + j * grad_key.row);
        StoreScaled(dv + j * depth_, 1.0f, value_to + j * grad_value.row);
      }
    });
  }

 private:
  static constexpr int64_t kWide = kPanel<float>;
  // Scores that are in work at a time: with the other operands they stay in the second-level cache.
  static constexpr int64_t kScores = 12 << 10;
  // Below the scores of masked keys: columns that are no keys.
  static constexpr float kNoKey = -1e30f;

  float scale() const { return 1.0f / std::sqrt(static_cast<float>(shape_.depth)); }

  template <typename T>
  T* HeadOf(TokenRows<T> rows, int64_t sample, int64_t head) const {
    return rows.data + sample * rows.sample + head * shape_.depth;
  }

  // Rows of a head, one after the other, times scale.
  void Copy(const float* from, int64_t stride, int64_t rows, float scale, float* to) const {
    for (int64_t i = 0; i < rows; ++i) {
      ForColumns(shape_.depth, [&](int64_t c, int64_t n) {
        StoreLanes(LoadLanes(from + i * stride + c, n) * scale, n, to + i * shape_.depth + c);
      });
    }
  }

  // Panels of kWide channels of all rows; channels that are none are 0.
  void Panels(const float* from, int64_t stride, int64_t rows, float* to) const {
    for (int64_t panel = 0; panel < shape_.depth; panel += kWide) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t c = panel; c < panel + kWide; c += kLanes, to += kLanes) {
          const int64_t n = Max(0, Min(kLanes, shape_.depth - c));
          AsVector(to) = LoadLanes(from + i * stride + c, n);
        }
      }
    }
  }

  // Panels of kWide keys of all channels; keys that are none are 0.
  void Across(const float* from, int64_t stride, float* to) const {
    const int64_t depth = shape_.depth;
    for (int64_t first = 0; first < RoundUp(shape_.keys, kWide); first += kLanes) {
      float* panel = to + first / kWide * kWide * depth + first % kWide;
      ForColumns(depth, [&](int64_t c, int64_t n) {
        Lanes block[kLanes] = {};
        for (int64_t j = 0; j < Min(kLanes, shape_.keys - first); ++j) {
          block[j] = LoadLanes(from + (first + j) * stride + c, n);
        }
        Transpose(block);
        for (int64_t i = 0; i < n; ++i) AsVector(panel + (c + i) * kWide) = block[i];
      });
    }
  }

  void StoreScaled(const float* from, float scale, float* to) const {
    ForColumns(shape_.depth, [&](int64_t c, int64_t n) { StoreLanes(LoadLanes(from + c, n) * scale, n, to + c); });
  }

  void LoadScored(int64_t sample, int64_t head, TokenRows<const float> query, TokenRows<const float> key,
                  const bool* key_mask, float* memory) const {
    Copy(HeadOf(query, sample, head), query.row, shape_.queries, scale(), memory + query_);
    Across(HeadOf(key, sample, head), key.row, memory + keys_across_);
    float* penalty = memory + penalty_;
    for (int64_t j = 0; j < row_; ++j) {
      const bool masked = key_mask != nullptr && j < shape_.keys && key_mask[sample * shape_.keys + j];
      penalty[j] = j >= shape_.keys ? kNoKey : masked ? kMasked : 0.0f;
    }
  }

  // scores = exp(score - highest score) of the queries from `first`, scales = 1 / their sums.
  void Weights(int64_t first, int64_t count, float* memory) const {
    float *scores = memory + scores_, *scales = memory + scales_;
    for (int64_t i = 0; i < count; ++i) memcpy(scores + i * row_, memory + penalty_, row_ * sizeof(float));
    MultiplyAdd<float>(count, shape_.keys, shape_.depth, memory + query_ + first * shape_.depth, shape_.depth, 1,
                       memory + keys_across_, kWide, kWide * shape_.depth, scores, row_);
    for (int64_t i = 0; i < count; ++i) {
      float* row = scores + i * row_;
      Lanes highest = Splat(-std::numeric_limits<float>::infinity());
      for (int64_t j = 0; j < row_; j += kLanes) highest = Max(AsVector(row + j), highest);
      const float most = Highest(highest);
      Lanes sum = {};
      for (int64_t j = 0; j < row_; j += kLanes) {
        const Lanes weight = ExpOfNegative(AsVector(row + j) - most);
        AsVector(row + j) = weight;
        sum += weight;
      }
      scales[i] = 1.0f / Sum(sum);
    }
  }

  // Calls body(sample, head, memory) for every head of every sample.
  template <typename Body>
  void Run(void* workspace, const Workers& workers, const Body& body) const {
    Parallel(workers, tasks_, [&](int64_t task) {
      float* memory = static_cast<float*>(workspace) + task * task_size_;
      for (int64_t pair = pairs_ * task / tasks_; pair < pairs_ * (task + 1) / tasks_; ++pair) {
        body(pair / shape_.heads, pair % shape_.heads, memory);
      }
    });
  }

  AttentionShape shape_;
  int64_t pairs_, tasks_, row_, depth_, block_, task_size_;
  // Where in a task's memory lie, in floats: scaled queries, keys transposed, ...
  int64_t query_, keys_across_, penalty_, scores_, mixed_, scales_, value_ = 0;
  int64_t grad_ = 0, values_across_ = 0, key_ = 0, query_panels_ = 0, grad_panels_ = 0, slopes_ = 0, grad_key_ = 0,
          grad_value_ = 0;
};

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_PRODUCT_ATTENTION_H_
