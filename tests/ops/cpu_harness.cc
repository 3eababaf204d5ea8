// Runs the CPU kernels, without TensorFlow, over odd shapes and hostile offsets and compares them with the
// definition. Built with the address and undefined behaviour sanitizers by test_sanitizers.py: every buffer
// has exactly the size that the kernels are promised.
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "deform_conv_cpu.h"
#include "naive_deform_conv.h"

namespace tf_pose3d {
namespace {

void RunThreads(void*, int tasks, void (*body)(void*, int), void* argument) {
  constexpr int kThreads = 3;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([=] {
      for (int task = t; task < tasks; task += kThreads) body(argument, task);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

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
BFloat16 FromDouble<BFloat16>(double value) {
  const float single = static_cast<float>(value);
  uint32_t bits;
  memcpy(&bits, &single, 4);
  return {static_cast<uint16_t>(std::isnan(single) ? 0x7fc0 : bits >> 16)};
}
template <>
double ToDouble(BFloat16 value) {
  const uint32_t bits = uint32_t{value.bits} << 16;
  float single;
  memcpy(&single, &bits, 4);
  return single;
}
template <>
Half FromDouble<Half>(double value) {
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
double ToDouble(Half value) {
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

int failures = 0;

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

template <typename T>
void Check(const DeformConvKernels<T>& kernels, int threads, double tolerance) {
  const Workers workers{threads, nullptr, RunThreads};
  size_t number = 0;
  for (const DeformConvShape& shape : OddShapes()) {
    const bool modulated = number % 3 != 0;
    Problem p = MakeProblem(shape, modulated, modulated, static_cast<unsigned>(number), number % 4 < 2);
    for (Doubles* values : {&p.x, &p.offset, &p.weight, &p.mask, &p.bias, &p.grad_y}) RoundTo<T>(*values);
    Solve(p);
    const auto x = Convert<T>(p.x), offset = Convert<T>(p.offset), weight = Convert<T>(p.weight);
    const auto mask = Convert<T>(p.mask), bias = Convert<T>(p.bias), grad_y = Convert<T>(p.grad_y);
    const T* mask_or_null = modulated ? mask.get() : nullptr;
    auto workspace = [](size_t bytes) {
      return std::unique_ptr<char, void (*)(void*)>(
          static_cast<char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), std::free);
    };
    std::unique_ptr<T[]> y(new T[p.y.size()]);
    {
      const auto memory = workspace(kernels.forward_bytes(shape, threads, modulated));
      kernels.forward(shape, x.get(), offset.get(), weight.get(), mask_or_null, modulated ? bias.get() : nullptr,
                      y.get(), memory.get(), workers);
    }
    std::unique_ptr<T[]> grad_x(new T[p.x.size()]), grad_offset(new T[p.offset.size()]);
    std::unique_ptr<T[]> grad_weight(new T[p.weight.size()]), grad_mask(new T[p.mask.size()]);
    std::unique_ptr<T[]> grad_bias(new T[shape.filters]);
    {
      const auto memory = workspace(kernels.backward_bytes(shape, threads, modulated));
      kernels.backward(shape, x.get(), offset.get(), weight.get(), mask_or_null, grad_y.get(), grad_x.get(),
                       grad_offset.get(), grad_weight.get(), modulated ? grad_mask.get() : nullptr, grad_bias.get(),
                       memory.get(), workers);
    }
    Compare("y", number, y.get(), p.y, tolerance);
    Compare("grad_x", number, grad_x.get(), p.grad_x, tolerance);
    Compare("grad_offset", number, grad_offset.get(), p.grad_offset, tolerance);
    Compare("grad_weight", number, grad_weight.get(), p.grad_weight, tolerance);
    if (modulated) Compare("grad_mask", number, grad_mask.get(), p.grad_mask, tolerance);
    Compare("grad_bias", number, grad_bias.get(), p.grad_bias, tolerance);
    ++number;
  }
}

template <typename T>
void CheckAll(double tolerance) {
  for (int threads : {1, 2, 5, 16}) {
    Check(baseline::GetDeformConvKernels<T>(), threads, tolerance);
    Check(BestDeformConvKernels<T>(), threads, tolerance);
  }
}

}  // namespace
}  // namespace tf_pose3d

int main() {
  tf_pose3d::CheckAll<double>(1e-12);
  tf_pose3d::CheckAll<float>(2e-5);
  tf_pose3d::CheckAll<tf_pose3d::Half>(1e-3);
  tf_pose3d::CheckAll<tf_pose3d::BFloat16>(8e-3);
  std::printf("%d failures\n", tf_pose3d::failures);
  return tf_pose3d::failures != 0;
}
