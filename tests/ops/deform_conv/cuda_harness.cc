// Runs the CUDA kernels on a CPU (see cuda_emulation/cuda_runtime.h) over odd shapes and hostile offsets and
// compares them with the definition.
#include "deform_conv_cuda.h"
#include "harness.h"

namespace tf_pose3d {
namespace {

template <typename T>
void Check(double tolerance) {
  CheckShapes<T>(tolerance, [](const DeformConvShape& s, const Tensors<T>& t) {
    LaunchDeformConvForward(s, t.x, t.offset, t.weight, t.mask, t.bias, t.y, nullptr);
    const auto workspace = Workspace(DeformConvBackwardBytes<T>(s));
    LaunchDeformConvBackward(s, t.x, t.offset, t.weight, t.mask, t.grad_y, t.grad_x, t.grad_offset, t.grad_weight,
                             t.grad_mask, t.grad_bias, workspace.get(), nullptr);
  });
}

}  // namespace
}  // namespace tf_pose3d

int main() {
  // float and bfloat16 differ from these in their conversions alone, and the emulation is slow.
  tf_pose3d::Check<double>(1e-12);
  tf_pose3d::Check<tf_pose3d::Half>(1e-3);
  std::printf("%d failures\n", tf_pose3d::failures);
  return tf_pose3d::failures != 0;
}
