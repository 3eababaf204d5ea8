// The search for the brightest pixels of lines as a TensorFlow operation, on the CPU in float. It gives places,
// which have no gradient: what is computed from the pixels there has.
#include <limits>
#include <vector>

#include "line_maximum_cpu.h"
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

const LineMaximumKernels& Kernels() {
  static const LineMaximumKernels kernels = BestLineMaximumKernels();
  return kernels;
}

absl::Status TracePlaces(InferenceContext* context) {
  ShapeHandle images, lines;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 5, &images));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), 4, &lines));
  context->set_output(0, context->MakeShape({context->Dim(lines, 0), context->Dim(lines, 1), context->Dim(lines, 2),
                                             context->Dim(images, 4)}));
  return absl::OkStatus();
}

class BrightestPixelOp : public OpKernel {
 public:
  explicit BrightestPixelOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("sources", &sources_));
    OP_REQUIRES_OK(context, context->GetAttr("shortest", &shortest_));
    OP_REQUIRES_OK(context, context->GetAttr("farthest", &farthest_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor &images = context->input(0), &lines = context->input(1);
    OP_REQUIRES(context, images.dims() == 5, Invalid(absl::StrCat("images: expected 5 axes, got ", images.dims())));
    OP_REQUIRES(context, lines.dims() == 4 && lines.dim_size(3) == 4,
                Invalid("lines: expected (batch, sets, count, 4)"));
    OP_REQUIRES(context, lines.dim_size(0) == images.dim_size(0),
                Invalid(absl::StrCat("lines: expected batch ", images.dim_size(0), ", got ", lines.dim_size(0))));
    OP_REQUIRES(context, lines.dim_size(1) == static_cast<int64_t>(sources_.size()),
                Invalid(absl::StrCat("lines: expected ", sources_.size(), " sets, got ", lines.dim_size(1))));
    for (const int32_t source : sources_) {
      OP_REQUIRES(context, source >= 0 && source < images.dim_size(1),
                  Invalid(absl::StrCat("sources: ", source, " is none of ", images.dim_size(1), " images")));
    }
    OP_REQUIRES(context, images.dim_size(2) * images.dim_size(3) <= std::numeric_limits<int32_t>::max(),
                Invalid("images: too many pixels"));
    const LineSearch search = {images.dim_size(0), images.dim_size(1), images.dim_size(2), images.dim_size(3),
                               images.dim_size(4), lines.dim_size(1),  lines.dim_size(2),  sources_.data(),
                               shortest_,          farthest_};
    Tensor* place;
    OP_REQUIRES_OK(context, context->allocate_output(
                                0, {search.batch, search.sets, search.count, search.channels}, &place));
    Kernels().brightest_pixel(search, Data<float>(images), Data<float>(lines), place->flat<int32_t>().data(),
                              PoolWorkers(context));
  }

 private:
  std::vector<int32_t> sources_;
  float shortest_, farthest_;
};

REGISTER_OP("TfPose3dBrightestPixel")
    .Input("images: float")
    .Input("lines: float")
    .Output("place: int32")
    .Attr("sources: list(int)")
    .Attr("shortest: float")
    .Attr("farthest: float")
    .SetShapeFn(TracePlaces);

REGISTER_KERNEL_BUILDER(Name("TfPose3dBrightestPixel").Device(tensorflow::DEVICE_CPU), BrightestPixelOp);

}  // namespace
}  // namespace tf_pose3d
