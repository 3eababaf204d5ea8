// The deformable convolution's GPU kernels for TensorFlow.
#include "deform_conv_cuda.h"
#include "deform_conv_op.h"
#include "op_support_gpu.h"

namespace tf_pose3d {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

template <typename T>
class DeformConvGpuOp : public OpKernel {
 public:
  explicit DeformConvGpuOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Load(context));
  }

  void Compute(OpKernelContext* context) override {
    const DeformConvInputs in(context, attributes_, false);
    OP_REQUIRES_OK(context, in.status);
    Tensor* y = nullptr;
    OP_REQUIRES_OK(context, AllocateOutput(context, attributes_, in.shape, &y));
    OP_REQUIRES_OK(context, CudaStatus(LaunchDeformConvForward(
                                in.shape, Data<T>(*in.x), Data<T>(*in.offset), Data<T>(*in.weight),
                                DataOrNull<T>(in.mask), DataOrNull<T>(in.bias), Data<T>(y), Stream(context))));
  }

 private:
  DeformConvAttributes attributes_;
};

template <typename T>
class DeformConvGradGpuOp : public OpKernel {
 public:
  explicit DeformConvGradGpuOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Load(context));
  }

  void Compute(OpKernelContext* context) override {
    const DeformConvInputs in(context, attributes_, true);
    OP_REQUIRES_OK(context, in.status);
    DeformConvGradients out;
    OP_REQUIRES_OK(context, out.Allocate(context, in));
    Tensor workspace;
    const size_t bytes = DeformConvBackwardBytes<typename Storage<T>::type>(in.shape);
    OP_REQUIRES_OK(context, AllocateWorkspace(context, bytes, &workspace));
    OP_REQUIRES_OK(context, CudaStatus(LaunchDeformConvBackward(
                                in.shape, Data<T>(*in.x), Data<T>(*in.offset), Data<T>(*in.weight),
                                DataOrNull<T>(in.mask), Data<T>(*in.grad_y), Data<T>(out.x), Data<T>(out.offset),
                                Data<T>(out.weight), Data<T>(out.mask), Data<T>(out.bias), workspace.data(),
                                Stream(context))));
  }

 private:
  DeformConvAttributes attributes_;
};

#define TF_POSE3D_REGISTER(T)                                                                          \
  REGISTER_KERNEL_BUILDER(                                                                             \
      Name("TfPose3dDeformConv2d").Device(tensorflow::DEVICE_GPU).TypeConstraint<T>("T"),              \
      DeformConvGpuOp<T>);                                                                             \
  REGISTER_KERNEL_BUILDER(                                                                             \
      Name("TfPose3dDeformConv2dGrad").Device(tensorflow::DEVICE_GPU).TypeConstraint<T>("T"),          \
      DeformConvGradGpuOp<T>);
TF_POSE3D_REGISTER(float)
TF_POSE3D_REGISTER(double)
TF_POSE3D_REGISTER(Eigen::half)
TF_POSE3D_REGISTER(Eigen::bfloat16)
#undef TF_POSE3D_REGISTER

}  // namespace
}  // namespace tf_pose3d
