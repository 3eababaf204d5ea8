// What the harnesses share: conversions to the storage types and comparison with the definition.
#ifndef TF_POSE3D_TESTS_HARNESS_H_
#define TF_POSE3D_TESTS_HARNESS_H_

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>

#include "half.h"
#include "naive_deform_conv.h"

namespace tf_pose3d {

template <typename T>
T FromDouble(double value) {
  return static_cast<T>(value);
}
template <typename T>
double ToDouble(T value) {
  return value;
}
// Truncation is enough here: the problem is rounded to what the type holds before it is solved.
template <>
inline BFloat16 FromDouble<BFloat16>(double value) {
  const float single = static_cast<float>(value);
  uint32_t bits;
  memcpy(&bits, &single, 4);
  return {static_cast<uint16_t>(std::isnan(single) ? 0x7fc0 : bits >> 16)};
}
template <>
inline double ToDouble(BFloat16 value) {
  const uint32_t bits = uint32_t{value.bits} << 16;
  float single;
  memcpy(&single, &bits, 4);
  return single;
}
template <>
inline Half FromDouble<Half>(double value) {
  if (std::isnan(value)) return {0x7e00};
  const double size = std::fabs(value);
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (size > 65504) return {static_cast<uint16_t>(sign | 0x7c00)};
  if (size < 0x1p-14) return {static_cast<uint16_t>(sign | static_cast<uint16_t>(size * 0x1p24))};
  int exponent;
  const double fraction = std::frexp(size, &exponent);
  const int bits = static_cast<int>(fraction * 2048) - 1024;
  return {static_cast<uint16_t>(sign | (exponent + 14) << 10 | bits)};
}
template <>
inline double ToDouble(Half value) {
  const int exponent = value.bits >> 10 & 31, fraction = value.bits & 1023;
  const double sign = value.bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
}

// Exact-size storage, so that the sanitizer sees one element too many.
template <typename T>
std::unique_ptr<T[]> Convert(const Doubles& values) {
  std::unique_ptr<T[]> out(new T[values.size()]);
  for (size_t i = 0; i < values.size(); ++i) out[i] = FromDouble<T>(values[i]);
  return out;
}

template <typename T>
void RoundTo(Doubles& values) {
  for (double& v : values) v = ToDouble<T>(FromDouble<T>(v));
}

inline int failures = 0;

template <typename T>
void Compare(const char* what, size_t number, const T* got, const Doubles& expected, double tolerance) {
  double scale = 1;
  for (double v : expected) scale = std::fmax(scale, std::fabs(v));
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::fabs(ToDouble<T>(got[i]) - expected[i]);
    if (!(error <= tolerance * scale)) {
      std::printf("shape %zu: %s[%zu] is %g, expected %g\n", number, what, i, ToDouble<T>(got[i]), expected[i]);
      ++failures;
      return;
    }
  }
}

// One call of the kernels under test: pointers to inputs (`mask` and `bias` null where absent) and outputs.
template <typename T>
struct Tensors {
  const T *x, *offset, *weight, *mask, *bias, *grad_y;
  T *y, *grad_x, *grad_offset, *grad_weight, *grad_mask, *grad_bias;
};

// Runs `kernels(shape, tensors)` on every odd shape and compares all outputs with the definition.
template <typename T>
void CheckShapes(double tolerance, const std::function<void(const DeformConvShape&, const Tensors<T>&)>& kernels) {
  size_t number = 0;
  for (const DeformConvShape& shape : OddShapes()) {
    const bool modulated = number % 3 != 0;
    Problem p = MakeProblem(shape, modulated, modulated, static_cast<unsigned>(number), number % 4 < 2);
    for (Doubles* values : {&p.x, &p.offset, &p.weight, &p.mask, &p.bias, &p.grad_y}) RoundTo<T>(*values);
    Solve(p);
    const auto x = Convert<T>(p.x), offset = Convert<T>(p.offset), weight = Convert<T>(p.weight);
    const auto mask = Convert<T>(p.mask), bias = Convert<T>(p.bias), grad_y = Convert<T>(p.grad_y);
    auto y = Convert<T>(p.y), grad_x = Convert<T>(p.grad_x), grad_offset = Convert<T>(p.grad_offset);
    auto grad_weight = Convert<T>(p.grad_weight), grad_mask = Convert<T>(p.grad_mask);
    auto grad_bias = Convert<T>(p.grad_bias);
    // Whatever the kernels leave unwritten is found.
    auto spoil = [](T* values, size_t count) {
      if (count > 0) memset(static_cast<void*>(values), 0xff, count * sizeof(T));
    };
    spoil(y.get(), p.y.size());
    spoil(grad_x.get(), p.x.size());
    spoil(grad_offset.get(), p.offset.size());
    spoil(grad_weight.get(), p.weight.size());
    spoil(grad_mask.get(), p.mask.size());
    spoil(grad_bias.get(), p.grad_bias.size());
    kernels(shape, {x.get(), offset.get(), weight.get(), modulated ? mask.get() : nullptr,
                    modulated ? bias.get() : nullptr, grad_y.get(), y.get(), grad_x.get(), grad_offset.get(),
                    grad_weight.get(), modulated ? grad_mask.get() : nullptr, grad_bias.get()});
    Compare("y", number, y.get(), p.y, tolerance);
    Compare("grad_x", number, grad_x.get(), p.grad_x, tolerance);
    Compare("grad_offset", number, grad_offset.get(), p.grad_offset, tolerance);
    Compare("grad_weight", number, grad_weight.get(), p.grad_weight, tolerance);
    if (modulated) Compare("grad_mask", number, grad_mask.get(), p.grad_mask, tolerance);
    Compare("grad_bias", number, grad_bias.get(), p.grad_bias, tolerance);
    ++number;
  }
}

// Memory of exactly `bytes` bytes, rounded up to the alignment that kernels ask for.
inline std::unique_ptr<char, void (*)(void*)> Workspace(size_t bytes) {
  return {static_cast<char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), std::free};
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_TESTS_HARNESS_H_
