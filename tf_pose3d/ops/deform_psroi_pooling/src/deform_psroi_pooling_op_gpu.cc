// The deformable RoI pooling's GPU kernels for TensorFlow.
#include "deform_psroi_pooling_cuda.h"
#include "deform_psroi_pooling_op.h"
#include "op_support_gpu.h"

namespace tf_pose3d {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

template <typename T>
class DeformPsRoiGpuOp : public OpKernel {
 public:
  using R = typename ComputeType<typename Storage<T>::type>::type;

  explicit DeformPsRoiGpuOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Load(context));
  }

  void Compute(OpKernelContext* context) override {
    const DeformPsRoiInputs in(context, attributes_, false);
    OP_REQUIRES_OK(context, in.status);
    Tensor* y = nullptr;
    OP_REQUIRES_OK(context, AllocateOutput(context, attributes_, in.shape, &y));
    OP_REQUIRES_OK(context, CudaStatus(LaunchDeformPsRoiForward(in.shape, Data<T>(*in.x), Data<R>(*in.rois),
                                                                DataOrNull<T>(in.trans), Data<T>(y),
                                                                Stream(context))));
  }

 private:
  DeformPsRoiAttributes attributes_;
};

template <typename T>
class DeformPsRoiGradGpuOp : public OpKernel {
 public:
  using S = typename Storage<T>::type;
  using R = typename ComputeType<S>::type;

  explicit DeformPsRoiGradGpuOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Load(context));
  }

  void Compute(OpKernelContext* context) override {
    const DeformPsRoiInputs in(context, attributes_, true);
    OP_REQUIRES_OK(context, in.status);
    DeformPsRoiGradients out;
    OP_REQUIRES_OK(context, out.Allocate(context, in));
    Tensor workspace;
    OP_REQUIRES_OK(context, AllocateWorkspace(context, DeformPsRoiGpuBackwardBytes<S>(in.shape), &workspace));
    OP_REQUIRES_OK(context, CudaStatus(LaunchDeformPsRoiBackward(
                                in.shape, Data<T>(*in.x), Data<R>(*in.rois), DataOrNull<T>(in.trans),
                                Data<T>(*in.grad_y), Data<T>(out.x), Data<T>(out.trans), workspace.data(),
                                Stream(context))));
  }

 private:
  DeformPsRoiAttributes attributes_;
};

#define TF_POSE3D_REGISTER(T, ROIS)                          \
  REGISTER_KERNEL_BUILDER(Name("TfPose3dDeformPsRoiPooling") \
                              .Device(tensorflow::DEVICE_GPU) \
                              .TypeConstraint<T>("T")        \
                              .TypeConstraint<ROIS>("R"),    \
                          DeformPsRoiGpuOp<T>);              \
  REGISTER_KERNEL_BUILDER(Name("TfPose3dDeformPsRoiPoolingGrad") \
                              .Device(tensorflow::DEVICE_GPU) \
                              .TypeConstraint<T>("T")        \
                              .TypeConstraint<ROIS>("R"),    \
                          DeformPsRoiGradGpuOp<T>);
TF_POSE3D_REGISTER(float, float)
TF_POSE3D_REGISTER(double, double)
TF_POSE3D_REGISTER(Eigen::half, float)
TF_POSE3D_REGISTER(Eigen::bfloat16, float)
#undef TF_POSE3D_REGISTER

}  // namespace
}  // namespace tf_pose3d
