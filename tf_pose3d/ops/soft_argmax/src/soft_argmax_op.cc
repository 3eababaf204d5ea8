// Soft-argmax as a TensorFlow operation, on the CPU in float. Its gradient is computed by the caller.
#include "soft_argmax_cpu.h"

#include <limits>

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

const SoftArgmaxKernels& Kernels() {
  static const SoftArgmaxKernels kernels = BestSoftArgmaxKernels();
  return kernels;
}

absl::Status TracePlaces(InferenceContext* context) {
  ShapeHandle heatmaps;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 4, &heatmaps));
  const ShapeHandle places = context->MakeShape({context->Dim(heatmaps, 0), context->Dim(heatmaps, 3), 2});
  context->set_output(0, places);
  context->set_output(1, places);
  return absl::OkStatus();
}

class SoftArgmaxOp : public OpKernel {
 public:
  explicit SoftArgmaxOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("diameter", &diameter_));
    OP_REQUIRES_OK(context, context->GetAttr("temperature", &temperature_));
    OP_REQUIRES(context, diameter_ >= 0 && diameter_ < 1e4f && temperature_ > 0,
                absl::InvalidArgumentError("diameter or temperature out of range"));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& heatmaps = context->input(0);
    OP_REQUIRES(context, heatmaps.dims() == 4,
                absl::InvalidArgumentError(absl::StrCat("heatmaps: expected 4 axes, got ", heatmaps.dims())));
    const SoftArgmax shape = {heatmaps.dim_size(0), heatmaps.dim_size(1), heatmaps.dim_size(2),
                              heatmaps.dim_size(3), diameter_,            temperature_};
    const int64_t pixels = shape.height * shape.width;
    OP_REQUIRES(context, pixels > 0 && pixels <= std::numeric_limits<int32_t>::max(),
                absl::InvalidArgumentError("heatmaps: no pixels, or too many"));
    Tensor *place, *mean;
    OP_REQUIRES_OK(context, context->allocate_output(0, {shape.images, shape.channels, 2}, &place));
    OP_REQUIRES_OK(context, context->allocate_output(1, {shape.images, shape.channels, 2}, &mean));
    if (shape.channels == 0) return;
    Kernels().soft_argmax(shape, Data<float>(heatmaps), place->flat<int32_t>().data(), mean->flat<float>().data(),
                          PoolWorkers(context));
  }

 private:
  float diameter_, temperature_;
};

REGISTER_OP("TfPose3dSoftArgmax")
    .Input("heatmaps: float")
    .Output("place: int32")
    .Output("mean: float")
    .Attr("diameter: float")
    .Attr("temperature: float")
    .SetShapeFn(TracePlaces);

REGISTER_KERNEL_BUILDER(Name("TfPose3dSoftArgmax").Device(tensorflow::DEVICE_CPU), SoftArgmaxOp);

}  // namespace
}  // namespace tf_pose3d
