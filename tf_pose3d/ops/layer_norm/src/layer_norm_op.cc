// Layer normalization as TensorFlow operations, on the CPU in float.
#include "layer_norm_cpu.h"
#include "row_support.h"
#include "tensorflow/core/framework/op.h"

namespace tf_pose3d {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

const LayerNormKernels& Kernels() {
  static const LayerNormKernels kernels = BestLayerNormKernels();
  return kernels;
}

absl::Status TraceLayerNorm(InferenceContext* context) {
  TF_RETURN_IF_ERROR(TraceRows(context));
  const ShapeHandle vector = context->MakeShape({context->UnknownDim()});
  context->set_output(1, vector);
  context->set_output(2, vector);
  return absl::OkStatus();
}

class LayerNormOp : public OpKernel {
 public:
  explicit LayerNormOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("epsilon", &epsilon_));
  }

  void Compute(OpKernelContext* context) override {
    int64_t rows, width;
    OP_REQUIRES_OK(context, RowWidth(context, {"gain", "shift"}, &rows, &width));
    Tensor *y, *mean, *scale;
    OP_REQUIRES_OK(context, context->allocate_output(0, context->input(0).shape(), &y));
    OP_REQUIRES_OK(context, context->allocate_output(1, {rows}, &mean));
    OP_REQUIRES_OK(context, context->allocate_output(2, {rows}, &scale));
    Kernels().forward(rows, width, epsilon_, Data<float>(context->input(0)), Data<float>(context->input(1)),
                      Data<float>(context->input(2)), Data<float>(y), Data<float>(mean), Data<float>(scale),
                      PoolWorkers(context));
  }

 private:
  float epsilon_;
};

class LayerNormGradOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    int64_t rows, width;
    OP_REQUIRES_OK(context, RowWidth(context, {"gain"}, &rows, &width));
    const Tensor &mean = context->input(2), &scale = context->input(3), *grad_y;
    OP_REQUIRES_OK(context, LikeX(context, "grad_y", &grad_y));
    OP_REQUIRES(context, mean.NumElements() == rows && scale.NumElements() == rows,
                Invalid("mean, scale: expected one value per row of x"));
    Tensor *grad_x, *grad_gain, *grad_shift, workspace;
    OP_REQUIRES_OK(context, context->allocate_output(0, context->input(0).shape(), &grad_x));
    OP_REQUIRES_OK(context, context->allocate_output(1, {width}, &grad_gain));
    OP_REQUIRES_OK(context, context->allocate_output(2, {width}, &grad_shift));
    OP_REQUIRES_OK(context, AllocateWorkspace(context, Kernels().backward_bytes(rows, width), &workspace));
    Kernels().backward(rows, width, Data<float>(context->input(0)), Data<float>(context->input(1)), Data<float>(mean),
                       Data<float>(scale), Data<float>(*grad_y), Data<float>(grad_x), Data<float>(grad_gain),
                       Data<float>(grad_shift), workspace.data(), PoolWorkers(context));
  }
};

// mean and scale (rows) are what the gradient needs of the forward pass.
REGISTER_OP("TfPose3dLayerNorm")
    .Input("x: float")
    .Input("gain: float")
    .Input("shift: float")
    .Output("y: float")
    .Output("mean: float")
    .Output("scale: float")
    .Attr("epsilon: float")
    .SetShapeFn(TraceLayerNorm);

REGISTER_OP("TfPose3dLayerNormGrad")
    .Input("x: float")
    .Input("gain: float")
    .Input("mean: float")
    .Input("scale: float")
    .Input("grad_y: float")
    .Output("grad_x: float")
    .Output("grad_gain: float")
    .Output("grad_shift: float")
    .SetShapeFn(TraceRowGradients);

REGISTER_KERNEL_BUILDER(Name("TfPose3dLayerNorm").Device(tensorflow::DEVICE_CPU), LayerNormOp);
REGISTER_KERNEL_BUILDER(Name("TfPose3dLayerNormGrad").Device(tensorflow::DEVICE_CPU), LayerNormGradOp);

}  // namespace
}  // namespace tf_pose3d
