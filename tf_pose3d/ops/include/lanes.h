// Eight floats at a time: functions of vectors, partial rows, transposition, rows spread over threads.
// Included only by sources compiled per instruction set.
#ifndef TF_POSE3D_OPS_LANES_H_
#define TF_POSE3D_OPS_LANES_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "parallel.h"
#include "simd.h"
#include "workers.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

using Lanes = Vector<float>::type;
using IntLanes = Vector<float>::integers;
constexpr int64_t kLanes = Vector<float>::size;

#define TF_POSE3D_INLINE __attribute__((always_inline)) inline

TF_POSE3D_INLINE Lanes Splat(float value) { return value - Lanes{}; }

TF_POSE3D_INLINE Lanes Max(Lanes a, Lanes b) { return a > b ? a : b; }

TF_POSE3D_INLINE Lanes Absolute(Lanes x) { return reinterpret_cast<Lanes>(reinterpret_cast<IntLanes>(x) & 0x7fffffff); }

TF_POSE3D_INLINE float Sum(Lanes x) {
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

// The first `count` lanes from memory, the others 0.
TF_POSE3D_INLINE Lanes LoadPartial(const float* p, int64_t count) {
  float values[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) values[i] = p[i];
  return AsVector(values);
}

// The first `count` lanes of x, the others 0.
TF_POSE3D_INLINE Lanes FirstLanes(Lanes x, int64_t count) {
  if (count == kLanes) return x;
  return IntLanes{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(count) ? x : Lanes{};
}

TF_POSE3D_INLINE void StorePartial(Lanes x, int64_t count, float* p) {
  for (int64_t i = 0; i < count; ++i) p[i] = x[i];
}

// exp(x) for x <= 0, within 2e-7 of its value; 0 where that is below the normal numbers, NaN for NaN.
//
// x = n log 2 + r with |r| <= log(2) / 2, and a polynomial of r (Cephes mathematical library).
TF_POSE3D_INLINE Lanes ExpOfNegative(Lanes x) {
  constexpr float kLowest = -87.33f;
  constexpr float kRounder = 0x1.8p23f;  // adding it rounds to an integer, found in the lowest bits
  const IntLanes too_low = x < kLowest;
  x = too_low ? Splat(kLowest) : x;
  const Lanes shifted = x * 1.44269504f + kRounder;
  const Lanes n = shifted - kRounder;
  const Lanes r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const IntLanes power = (reinterpret_cast<IntLanes>(shifted) + 127) << 23;
  p = p * reinterpret_cast<Lanes>(power);
  return too_low ? Lanes{} : p;
}

// Density and cumulative distribution of the standard normal distribution, within 4e-7 of their values.
//
// Of the lower tail, exp(x^2 / 2) * tail is a polynomial of t = 1 / (1 + 0.44 |x| / sqrt(2)), fitted to the
// least relative error; this keeps the tail's digits, which 1 + erf(x / sqrt(2)) would cancel.
TF_POSE3D_INLINE void Normal(Lanes x, Lanes* density, Lanes* cumulative) {
  const Lanes bell = ExpOfNegative(x * x * -0.5f);
  const Lanes t = 1.0f / (Absolute(x) * (0.44f * 0.707106781f) + 1.0f);
  Lanes p = t * 0.07121984106f - 0.2779348224f;
  p = p * t + 0.2966676843f;
  p = p * t - 0.02016476800f;
  p = p * t + 0.2158048244f;
  p = p * t + 0.2173155616f;
  p = p * t + 0.2488708864f;
  p = p * t + 0.2482209715f;
  const Lanes tail = p * t * bell * 0.5f;
  *density = bell * 0.398942280f;
  *cumulative = x < 0.0f ? tail : 1.0f - tail;
}

// Clang, and GCC since version 12, know the one function; older GCC the other.
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TF_POSE3D_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef TF_POSE3D_SHUFFLE
#define TF_POSE3D_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, IntLanes{__VA_ARGS__})
#endif

// Rows become columns.
TF_POSE3D_INLINE void Transpose(Lanes m[kLanes]) {
  Lanes a[kLanes], b[kLanes];
  for (int i = 0; i < 8; i += 2) {
    a[i] = TF_POSE3D_SHUFFLE(m[i], m[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    a[i + 1] = TF_POSE3D_SHUFFLE(m[i], m[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      b[i + 2 * j] = TF_POSE3D_SHUFFLE(a[i + j], a[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      b[i + 2 * j + 1] = TF_POSE3D_SHUFFLE(a[i + j], a[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int i = 0; i < 4; ++i) {
    m[i] = TF_POSE3D_SHUFFLE(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    m[i + 4] = TF_POSE3D_SHUFFLE(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// The sums of eight vectors, each added up as Sum does.
TF_POSE3D_INLINE Lanes SumEach(Lanes x[kLanes]) {
  Transpose(x);
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

TF_POSE3D_INLINE Lanes Root(Lanes x) {
  float values[kLanes];
  AsVector(values) = x;
  for (int i = 0; i < kLanes; ++i) values[i] = std::sqrt(values[i]);
  return AsVector(values);
}

// Calls body(begin, end, block) for blocks of rows, from several threads. The blocks are the same whatever
// the number of threads, so that sums per block, added up in order, are always the same.
struct RowBlocks {
  static constexpr int64_t kTask = 1 << 15;

  int64_t rows, size, count;

  explicit RowBlocks(int64_t rows) : rows(rows), size(Max(int64_t{64}, CeilDiv(rows, 128))) {
    count = CeilDiv(rows, size);
  }

  // Blocks of narrow rows are too little work to be handed to a thread one by one: as many go together as
  // hold kTask floats of rows of `width`.
  template <typename Body>
  void Run(const Workers& workers, const Body& body, int64_t width = kTask) const {
    const int64_t together = Max(1, kTask / (size * width));
    Parallel(workers, CeilDiv(count, together), [&](int64_t task) {
      for (int64_t block = task * together; block < Min((task + 1) * together, count); ++block) {
        body(block * size, Min((block + 1) * size, rows), block);
      }
    });
  }

  // out (width) = sum over blocks of partial (count, width).
  void AddUp(int64_t width, int64_t stride, const float* partial, float* out) const {
    for (int64_t i = 0; i < width; ++i) out[i] = 0;
    for (int64_t block = 0; block < count; ++block) {
      for (int64_t i = 0; i < width; ++i) out[i] += partial[block * stride + i];
    }
  }
};

// Calls body(column, count) for each vector of a row: count is kLanes, but for the last one what is left.
template <typename Body>
TF_POSE3D_INLINE void ForColumns(int64_t width, const Body& body) {
  int64_t column = 0;
  for (; column + kLanes <= width; column += kLanes) body(column, kLanes);
  if (column < width) body(column, width - column);
}

TF_POSE3D_INLINE Lanes LoadLanes(const float* p, int64_t count) {
  return count == kLanes ? AsVector(p) : LoadPartial(p, count);
}

TF_POSE3D_INLINE void StoreLanes(Lanes x, int64_t count, float* p) {
  if (count == kLanes) {
    AsVector(p) = x;
  } else {
    StorePartial(x, count, p);
  }
}

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_LANES_H_
