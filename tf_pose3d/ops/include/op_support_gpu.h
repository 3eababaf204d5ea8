// What TensorFlow's GPU kernels need besides op_support.h.
#ifndef TF_POSE3D_OPS_OP_SUPPORT_GPU_H_
#define TF_POSE3D_OPS_OP_SUPPORT_GPU_H_

#include <cuda_runtime.h>

#include "op_support.h"
#include "xla/stream_executor/stream.h"

namespace tf_pose3d {

// The CUDA stream that TensorFlow runs an operation on.
inline cudaStream_t Stream(tensorflow::OpKernelContext* context) {
  return static_cast<cudaStream_t>(context->op_device_context()->stream()->platform_specific_handle().stream);
}

inline absl::Status CudaStatus(cudaError_t error) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("CUDA: ", cudaGetErrorString(error)));
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_OP_SUPPORT_GPU_H_
