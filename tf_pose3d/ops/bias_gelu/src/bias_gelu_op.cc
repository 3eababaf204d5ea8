// The GELU of a sum with a bias as TensorFlow operations, on the CPU in float.
#include "bias_gelu_cpu.h"
#include "row_support.h"
#include "tensorflow/core/framework/op.h"

namespace tf_pose3d {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

const BiasGeluKernels& Kernels() {
  static const BiasGeluKernels kernels = BestBiasGeluKernels();
  return kernels;
}

class BiasGeluOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    int64_t rows, width;
    OP_REQUIRES_OK(context, RowWidth(context, {"bias"}, &rows, &width));
    Tensor* y;
    OP_REQUIRES_OK(context, context->allocate_output(0, context->input(0).shape(), &y));
    Kernels().forward(rows, width, Data<float>(context->input(0)), Data<float>(context->input(1)), Data<float>(y),
                      PoolWorkers(context));
  }
};

class BiasGeluGradOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    int64_t rows, width;
    OP_REQUIRES_OK(context, RowWidth(context, {"bias"}, &rows, &width));
    const Tensor* grad_y;
    OP_REQUIRES_OK(context, LikeX(context, "grad_y", &grad_y));
    Tensor *grad_x, *grad_bias, workspace;
    OP_REQUIRES_OK(context, context->allocate_output(0, context->input(0).shape(), &grad_x));
    OP_REQUIRES_OK(context, context->allocate_output(1, {width}, &grad_bias));
    OP_REQUIRES_OK(context, AllocateWorkspace(context, Kernels().backward_bytes(rows, width), &workspace));
    Kernels().backward(rows, width, Data<float>(context->input(0)), Data<float>(context->input(1)),
                       Data<float>(*grad_y), Data<float>(grad_x), Data<float>(grad_bias), workspace.data(),
                       PoolWorkers(context));
  }
};

REGISTER_OP("TfPose3dBiasGelu").Input("x: float").Input("bias: float").Output("y: float").SetShapeFn(TraceRows);

REGISTER_OP("TfPose3dBiasGeluGrad")
    .Input("x: float")
    .Input("bias: float")
    .Input("grad_y: float")
    .Output("grad_x: float")
    .Output("grad_bias: float")
    .SetShapeFn(TraceRowGradients);

REGISTER_KERNEL_BUILDER(Name("TfPose3dBiasGelu").Device(tensorflow::DEVICE_CPU), BiasGeluOp);
REGISTER_KERNEL_BUILDER(Name("TfPose3dBiasGeluGrad").Device(tensorflow::DEVICE_CPU), BiasGeluGradOp);

}  // namespace
}  // namespace tf_pose3d
