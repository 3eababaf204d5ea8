// The float32 launchers of deformable convolution under C names, for ctypes.
#include <cstdint>

#include "deform_conv_cuda.h"

namespace {

// In the order of harness.py's SHAPE_FIELDS; the data format is channels first.
tf_pose3d::DeformConvShape MakeShape(const int64_t* v) {
  return {v[0],  v[1],  v[2],  v[3],  v[4],  v[5],  v[6],  v[7],  v[8],
          v[9],  v[10], v[11], v[12], v[13], v[14], v[15], v[16], v[17] != 0};
}

}  // namespace

extern "C" {

int deform_conv_forward(const int64_t* shape, const float* x, const float* offset, const float* weight,
                        const float* mask, const float* bias, float* y, void* stream) {
  return tf_pose3d::LaunchDeformConvForward(MakeShape(shape), x, offset, weight, mask, bias, y,
                                            static_cast<cudaStream_t>(stream));
}

int64_t deform_conv_backward_bytes(const int64_t* shape) {
  return static_cast<int64_t>(tf_pose3d::DeformConvBackwardBytes<float>(MakeShape(shape)));
}

int deform_conv_backward(const int64_t* shape, const float* x, const float* offset, const float* weight,
                         const float* mask, const float* grad_y, float* grad_x, float* grad_offset,
                         float* grad_weight, float* grad_mask, float* grad_bias, void* workspace, void* stream) {
  return tf_pose3d::LaunchDeformConvBackward(MakeShape(shape), x, offset, weight, mask, grad_y, grad_x, grad_offset,
                                             grad_weight, grad_mask, grad_bias, workspace,
                                             static_cast<cudaStream_t>(stream));
}

}  // extern "C"
