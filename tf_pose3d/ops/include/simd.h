// Conversions, vectors and small matrix products. Included only by sources compiled per instruction set,
// hence everything is in that set's namespace: nothing may be shared between two of them by the linker.
#ifndef TF_POSE3D_OPS_SIMD_H_
#define TF_POSE3D_OPS_SIMD_H_

#include <cstdint>
#include <cstring>

#include "half.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

inline int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t Max(int64_t a, int64_t b) { return a > b ? a : b; }

inline float BitsToFloat(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

inline uint32_t FloatToBits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float Load(float value) { return value; }
inline double Load(double value) { return value; }
inline float Load(BFloat16 value) { return BitsToFloat(uint32_t{value.bits} << 16); }
inline float Load(Half value) {
  const uint32_t sign = uint32_t{value.bits & 0x8000u} << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1f;
  const uint32_t fraction = value.bits & 0x3ff;
  // Subnormals by way of integers: TensorFlow's threads flush subnormal floats to zero.
  const float subnormal = static_cast<float>(fraction) * 0x1p-24f;
  const uint32_t rebased = exponent == 31 ? 255 : exponent + 112;
  const uint32_t normal = (rebased << 23) | (fraction << 13);
  return BitsToFloat(sign | (exponent == 0 ? FloatToBits(subnormal) : normal));
}

inline void Store(float value, float* out) { *out = value; }
inline void Store(double value, double* out) { *out = value; }
inline void Store(float value, BFloat16* out) {
  const uint32_t bits = FloatToBits(value);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const bool nan = (bits & 0x7fffffff) > 0x7f800000;
  out->bits = static_cast<uint16_t>(nan ? 0x7fc0 : rounded);
}
inline void Store(float value, Half* out) {
  const uint32_t bits = FloatToBits(value);
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t result;
  if (magnitude >= 0x47800000) {  // 65536 and above, infinity and NaN
    result = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
  } else if (magnitude < 0x38800000) {  // below the smallest normal half: round to multiples of 2^-24
    result = FloatToBits(BitsToFloat(magnitude) + 0.5f) - 0x3f000000;
  } else {
    result = (magnitude + 0xc8000fff + ((magnitude >> 13) & 1)) >> 13;
  }
  out->bits = static_cast<uint16_t>((bits >> 16 & 0x8000) | result);
}

// Vectors of one AVX-512 or AVX register, or of two registers of narrower instruction sets.
#ifdef __AVX512F__
#define TF_POSE3D_VECTOR_BYTES 64
#else
#define TF_POSE3D_VECTOR_BYTES 32
#endif

template <typename R>
struct Vector;

template <>
struct Vector<float> {
  typedef float type __attribute__((vector_size(TF_POSE3D_VECTOR_BYTES), aligned(4), may_alias));
  typedef int32_t integers __attribute__((vector_size(TF_POSE3D_VECTOR_BYTES), aligned(4), may_alias));
  static constexpr int64_t size = TF_POSE3D_VECTOR_BYTES / 4;
};

template <>
struct Vector<double> {
  typedef double type __attribute__((vector_size(TF_POSE3D_VECTOR_BYTES), aligned(8), may_alias));
  typedef int32_t integers __attribute__((vector_size(TF_POSE3D_VECTOR_BYTES / 2), aligned(4), may_alias));
  static constexpr int64_t size = TF_POSE3D_VECTOR_BYTES / 8;
};

template <typename R>
__attribute__((always_inline)) inline typename Vector<R>::type& AsVector(R* p) {
  return *reinterpret_cast<typename Vector<R>::type*>(p);
}
template <typename R>
__attribute__((always_inline)) inline const typename Vector<R>::type& AsVector(const R* p) {
  return *reinterpret_cast<const typename Vector<R>::type*>(p);
}

// Rows that a product works on at a time: with two vectors each, what the registers hold.
#ifdef __AVX512F__
constexpr int kTileRows = 12;
#else
constexpr int kTileRows = 6;
#endif

// C (M x Panels vectors) += A (M x k) * B (k x Panels vectors), held in registers.
template <typename R, int M, int Panels>
__attribute__((always_inline)) inline void MultiplyTile(int64_t k, const R* __restrict a, int64_t a_row,
                                                        int64_t a_col, const R* __restrict b, int64_t b_row,
                                                        R* __restrict c, int64_t c_row) {
  using V = typename Vector<R>::type;
  constexpr int64_t size = Vector<R>::size;
  V sum[M][Panels];
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Panels; ++j) sum[i][j] = AsVector<R>(c + i * c_row + j * size);
  }
  for (int64_t p = 0; p < k; ++p) {
    V right[Panels];
#pragma GCC unroll 2
    for (int j = 0; j < Panels; ++j) right[j] = AsVector<R>(b + p * b_row + j * size);
#pragma GCC unroll 12
    for (int i = 0; i < M; ++i) {
      const R left = a[i * a_row + p * a_col];
#pragma GCC unroll 2
      for (int j = 0; j < Panels; ++j) sum[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < M; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Panels; ++j) AsVector<R>(c + i * c_row + j * size) = sum[i][j];
  }
}

// Rows that are fewer than M + 1.
template <typename R, int M, int Panels>
void MultiplyLastRows(int64_t m, int64_t k, const R* a, int64_t a_row, int64_t a_col, const R* b, int64_t b_row, R* c,
                      int64_t c_row) {
  if constexpr (M > 0) {
    if (m == M) {
      MultiplyTile<R, M, Panels>(k, a, a_row, a_col, b, b_row, c, c_row);
    } else {
      MultiplyLastRows<R, M - 1, Panels>(m, k, a, a_row, a_col, b, b_row, c, c_row);
    }
  }
}

template <typename R, int Panels>
void MultiplyRows(int64_t m, int64_t k, const R* a, int64_t a_row, int64_t a_col, const R* b, int64_t b_row, R* c,
                  int64_t c_row) {
  int64_t i = 0;
  for (; i + kTileRows <= m; i += kTileRows) {
    MultiplyTile<R, kTileRows, Panels>(k, a + i * a_row, a_row, a_col, b, b_row, c + i * c_row, c_row);
  }
  MultiplyLastRows<R, kTileRows - 1, Panels>(m - i, k, a + i * a_row, a_row, a_col, b, b_row, c + i * c_row, c_row);
}

// Columns of B that MultiplyAdd takes at a time.
template <typename R>
constexpr int64_t kPanel = 2 * Vector<R>::size;

// C (m x n) += A (m x k) * B (k x n). n is rounded up to whole vectors: rows of B and C must have room
// for that, and B's extra columns only reach C's. A may be transposed (a_row, a_col are its strides);
// B lies in panels of kPanel columns, b_panel elements apart (kPanel for an ordinary matrix).
template <typename R>
void MultiplyAdd(int64_t m, int64_t n, int64_t k, const R* a, int64_t a_row, int64_t a_col, const R* b, int64_t b_row,
                 int64_t b_panel, R* c, int64_t c_row) {
  // A panel of B of this depth stays in the first-level cache.
  constexpr int64_t kDepth = (32 << 10) / (kPanel<R> * static_cast<int64_t>(sizeof(R)));
  for (int64_t p = 0; p < k; p += kDepth) {
    const int64_t depth = Min(kDepth, k - p);
    for (int64_t j = 0; j < n; j += kPanel<R>) {
      const R* right = b + j / kPanel<R> * b_panel + p * b_row;
      if (n - j > Vector<R>::size) {
        MultiplyRows<R, 2>(m, depth, a + p * a_col, a_row, a_col, right, b_row, c + j, c_row);
      } else {
        MultiplyRows<R, 1>(m, depth, a + p * a_col, a_row, a_col, right, b_row, c + j, c_row);
      }
    }
  }
}

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_SIMD_H_
