// A vector of floats at a time: functions of vectors, partial rows, transposition, rows spread over threads.
// Included only by sources compiled per instruction set.
#ifndef TF_POSE3D_OPS_LANES_H_
#define TF_POSE3D_OPS_LANES_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "parallel.h"
#include "simd.h"
#include "workers.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

using Lanes = Vector<float>::type;
using IntLanes = Vector<float>::integers;
constexpr int64_t kLanes = Vector<float>::size;

#define TF_POSE3D_INLINE __attribute__((always_inline)) inline
#define TF_POSE3D_INLINED __attribute__((always_inline))  // of a lambda

TF_POSE3D_INLINE Lanes Splat(float value) { return value - Lanes{}; }

TF_POSE3D_INLINE Lanes Max(Lanes a, Lanes b) { return a > b ? a : b; }

TF_POSE3D_INLINE Lanes Absolute(Lanes x) { return reinterpret_cast<Lanes>(reinterpret_cast<IntLanes>(x) & 0x7fffffff); }

// Clang, and GCC since version 12, know the one function; older GCC the other.
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TF_POSE3D_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef TF_POSE3D_SHUFFLE
#define TF_POSE3D_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, IntLanes{__VA_ARGS__})
#endif

#ifdef __AVX512F__

constexpr IntLanes kNumbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// The first `count` lanes from memory, the others 0.
TF_POSE3D_INLINE Lanes LoadPartial(const float* p, int64_t count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
}

TF_POSE3D_INLINE void StorePartial(Lanes x, int64_t count, float* p) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), x);
}

TF_POSE3D_INLINE Lanes Root(Lanes x) { return _mm512_sqrt_ps(x); }

// Rows become columns.
TF_POSE3D_INLINE void Transpose(Lanes m[kLanes]) {
  Lanes a[kLanes], b[kLanes];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    a[i] = TF_POSE3D_SHUFFLE(m[i], m[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    a[i + 1] = TF_POSE3D_SHUFFLE(m[i], m[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      b[i + 2 * j] =
          TF_POSE3D_SHUFFLE(a[i + j], a[i + j + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      b[i + 2 * j + 1] =
          TF_POSE3D_SHUFFLE(a[i + j], a[i + j + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const Lanes low = TF_POSE3D_SHUFFLE(b[i], b[i + 4], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    const Lanes high = TF_POSE3D_SHUFFLE(b[i], b[i + 4], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    const Lanes next_low =
        TF_POSE3D_SHUFFLE(b[i + 8], b[i + 12], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    const Lanes next_high =
        TF_POSE3D_SHUFFLE(b[i + 8], b[i + 12], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    m[i] = TF_POSE3D_SHUFFLE(low, next_low, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    m[i + 4] = TF_POSE3D_SHUFFLE(low, next_low, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    m[i + 8] = TF_POSE3D_SHUFFLE(high, next_high, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    m[i + 12] = TF_POSE3D_SHUFFLE(high, next_high, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  }
}

#else

constexpr IntLanes kNumbers = {0, 1, 2, 3, 4, 5, 6, 7};

// The first `count` lanes from memory, the others 0.
TF_POSE3D_INLINE Lanes LoadPartial(const float* p, int64_t count) {
  float values[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) values[i] = p[i];
  return AsVector(values);
}

TF_POSE3D_INLINE void StorePartial(Lanes x, int64_t count, float* p) {
  for (int64_t i = 0; i < count; ++i) p[i] = x[i];
}

TF_POSE3D_INLINE Lanes Root(Lanes x) {
  float values[kLanes];
  AsVector(values) = x;
  for (int i = 0; i < kLanes; ++i) values[i] = std::sqrt(values[i]);
  return AsVector(values);
}

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

#endif

// The upper half of the lanes before the lower one.
TF_POSE3D_INLINE Lanes SwapHalves(Lanes x) {
#ifdef __AVX512F__
  return TF_POSE3D_SHUFFLE(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
#else
  return TF_POSE3D_SHUFFLE(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
#endif
}

// The sum of the lanes, halves added until one is left.
TF_POSE3D_INLINE float Sum(Lanes x) {
#ifdef __AVX512F__
  x += SwapHalves(x);
#endif
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

TF_POSE3D_INLINE float Highest(Lanes x) {
  x = Max(SwapHalves(x), x);
  float highest = x[0];
  for (int64_t lane = 1; lane < kLanes / 2; ++lane) highest = x[lane] > highest ? x[lane] : highest;
  return highest;
}

// The sums of as many vectors as a vector has lanes, each added up as Sum does.
TF_POSE3D_INLINE Lanes SumEach(Lanes x[kLanes]) {
  Transpose(x);
#pragma GCC unroll 4
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int64_t i = 0; i < half; ++i) x[i] += x[i + half];
  }
  return x[0];
}

// The first `count` lanes of x, the others 0.
TF_POSE3D_INLINE Lanes FirstLanes(Lanes x, int64_t count) {
  if (count == kLanes) return x;
  return kNumbers < static_cast<int32_t>(count) ? x : Lanes{};
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
