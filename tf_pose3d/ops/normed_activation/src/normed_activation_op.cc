// Bias, batch normalization, LeakyReLU and dropout of training as one TensorFlow operation, on the CPU in float.
#include "normed_activation_cpu.h"
#include "op_support.h"
#include "tensorflow/core/framework/op.h"

namespace tf_pose3d {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

const NormedActivationKernels& Kernels() {
  static const NormedActivationKernels kernels = BestNormedActivationKernels();
  return kernels;
}

absl::Status TraceForward(InferenceContext* context) {
  ShapeHandle x;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 2, &x));
  context->set_output(0, x);
  context->set_output(1, context->input(2));
  context->set_output(2, context->input(2));
  return absl::OkStatus();
}

absl::Status TraceBackward(InferenceContext* context) {
  for (int i = 0; i < 4; ++i) context->set_output(i, context->input(i));
  return absl::OkStatus();
}

class NormedActivationOpBase : public OpKernel {
 public:
  explicit NormedActivationOpBase(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
    OP_REQUIRES_OK(context, context->GetAttr("slope", &slope_));
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
    OP_REQUIRES(context, rate_ >= 0 && rate_ < 1, Invalid(absl::StrCat("rate: expected 0 to 1, got ", rate_)));
  }

 protected:
  // The first five inputs are x, bias, gamma, beta, seed.
  absl::Status Resolve(OpKernelContext* context, NormedActivation* shape) const {
    const Tensor &x = context->input(0), &bias = context->input(1), &seed = context->input(4);
    const int64_t width = context->input(2).NumElements();
    if (x.dims() != 2 || width == 0 || x.dim_size(1) != bias.NumElements() || bias.NumElements() % width != 0) {
      return Invalid(absl::StrCat("x, bias, gamma: expected (samples, groups * width), (groups * width) and (width), ",
                                  "got ", x.shape().DebugString(), ", ", bias.NumElements(), " and ", width));
    }
    if (context->input(3).NumElements() != width) return Invalid("beta: expected as many numbers as gamma");
    if (seed.NumElements() != 2) return Invalid("seed: expected two numbers");
    const auto numbers = seed.flat<int32_t>();
    *shape = {x.dim_size(0), bias.NumElements() / width, width, epsilon_, slope_, rate_,
              {static_cast<uint32_t>(numbers(0)), static_cast<uint32_t>(numbers(1))}};
    return absl::OkStatus();
  }

 private:
  float epsilon_, slope_, rate_;
};

class NormedActivationOp : public NormedActivationOpBase {
 public:
  using NormedActivationOpBase::NormedActivationOpBase;

  void Compute(OpKernelContext* context) override {
    NormedActivation shape;
    OP_REQUIRES_OK(context, Resolve(context, &shape));
    Tensor *y, *mean, *variance, workspace;
    OP_REQUIRES_OK(context, context->allocate_output(0, context->input(0).shape(), &y));
    OP_REQUIRES_OK(context, context->allocate_output(1, {shape.width}, &mean));
    OP_REQUIRES_OK(context, context->allocate_output(2, {shape.width}, &variance));
    OP_REQUIRES_OK(context, AllocateWorkspace(context, Kernels().bytes(shape), &workspace));
    Kernels().forward(shape, Data<float>(context->input(0)), Data<float>(context->input(1)),
                      Data<float>(context->input(2)), Data<float>(context->input(3)), Data<float>(y),
                      Data<float>(mean), Data<float>(variance), workspace.data(), PoolWorkers(context));
  }
};

class NormedActivationGradOp : public NormedActivationOpBase {
 public:
  using NormedActivationOpBase::NormedActivationOpBase;

  void Compute(OpKernelContext* context) override {
    NormedActivation shape;
    OP_REQUIRES_OK(context, Resolve(context, &shape));
    const Tensor &mean = context->input(5), &variance = context->input(6), &grad_y = context->input(7);
    OP_REQUIRES(context, mean.NumElements() == shape.width && variance.NumElements() == shape.width,
                Invalid("mean, variance: expected as many numbers as gamma"));
    OP_REQUIRES(context, grad_y.shape() == context->input(0).shape(), Invalid("grad_y: not of the shape of x"));
    Tensor *gradients[4], workspace;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({7}, 0, grad_y.shape(), &gradients[0]));
    for (int i = 1; i < 4; ++i) {
      OP_REQUIRES_OK(context, context->allocate_output(i, context->input(i).shape(), &gradients[i]));
    }
    OP_REQUIRES_OK(context, AllocateWorkspace(context, Kernels().backward_bytes(shape), &workspace));
    Kernels().backward(shape, Data<float>(context->input(0)), Data<float>(context->input(1)),
                       Data<float>(context->input(2)), Data<float>(context->input(3)), Data<float>(mean),
                       Data<float>(variance), Data<float>(grad_y), Data<float>(gradients[0]),
                       Data<float>(gradients[1]), Data<float>(gradients[2]), Data<float>(gradients[3]),
                       workspace.data(), PoolWorkers(context));
  }
};

REGISTER_OP("TfPose3dNormedActivation")
    .Input("x: float")
    .Input("bias: float")
    .Input("gamma: float")
    .Input("beta: float")
    .Input("seed: int32")
    .Output("y: float")
    .Output("mean: float")
    .Output("variance: float")
    .Attr("epsilon: float")
    .Attr("slope: float")
    .Attr("rate: float")
    .SetShapeFn(TraceForward);

REGISTER_OP("TfPose3dNormedActivationGrad")
    .Input("x: float")
    .Input("bias: float")
    .Input("gamma: float")
    .Input("beta: float")
    .Input("seed: int32")
    .Input("mean: float")
    .Input("variance: float")
    .Input("grad_y: float")
    .Output("grad_x: float")
    .Output("grad_bias: float")
    .Output("grad_gamma: float")
    .Output("grad_beta: float")
    .Attr("epsilon: float")
    .Attr("slope: float")
    .Attr("rate: float")
    .SetShapeFn(TraceBackward);

REGISTER_KERNEL_BUILDER(Name("TfPose3dNormedActivation").Device(tensorflow::DEVICE_CPU), NormedActivationOp);
REGISTER_KERNEL_BUILDER(Name("TfPose3dNormedActivationGrad").Device(tensorflow::DEVICE_CPU), NormedActivationGradOp);

}  // namespace
}  // namespace tf_pose3d
