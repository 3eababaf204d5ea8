// Runs the CPU kernels, without TensorFlow, over odd shapes and hostile offsets and compares them with the
// definition. Built with the address and undefined behaviour sanitizers by test_sanitizers.py: every buffer
// has exactly the size that the kernels are promised.
#include "deform_conv_cpu.h"
#include "harness.h"
#include "thread_workers.h"

namespace tf_pose3d {
namespace {

template <typename T>
void Check(const DeformConvKernels<T>& kernels, int threads, double tolerance) {
  const Workers workers = ThreadWorkers(threads);
  CheckShapes<T>(tolerance, [&](const DeformConvShape& shape, const Tensors<T>& t) {
    const bool has_mask = t.mask != nullptr;
    const auto forward = Workspace(kernels.forward_bytes(shape, threads, has_mask));
    kernels.forward(shape, t.x, t.offset, t.weight, t.mask, t.bias, t.y, forward.get(), workers);
    const auto backward = Workspace(kernels.backward_bytes(shape, threads, has_mask));
    kernels.backward(shape, t.x, t.offset, t.weight, t.mask, t.grad_y, t.grad_x, t.grad_offset, t.grad_weight,
                     t.grad_mask, t.grad_bias, backward.get(), workers);
  });
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
