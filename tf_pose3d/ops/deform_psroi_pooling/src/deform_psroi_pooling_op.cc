// Deformable position-sensitive RoI pooling as TensorFlow operations, and their CPU kernels.
#include "deform_psroi_pooling_op.h"

#include "deform_psroi_pooling_cpu.h"
#include "tensorflow/core/framework/op.h"

namespace tf_pose3d {

using tensorflow::OpInputList;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Tensor;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

absl::Status DeformPsRoiAttributes::Resolve(Argument x, Argument rois, std::vector<Argument> trans,
                                            std::vector<Argument> grad_y, DeformPsRoiShape* shape) const {
  if (trans.size() > 1) return Invalid("trans: expected one tensor or none");
  TF_RETURN_IF_ERROR(x.RequireRank(4));
  TF_RETURN_IF_ERROR(rois.RequireRank(2));
  const int channel_axis = channels_first_ ? 1 : 3, height_axis = channels_first_ ? 2 : 1;
  DeformPsRoiShape& s = *shape;
  s = {};
  s.batch = x.sizes[0];
  s.height = x.sizes[height_axis];
  s.width = x.sizes[height_axis + 1];
  s.channels = x.sizes[channel_axis];
  s.count = rois.sizes[0];
  s.output_dim = kUnknown;
  s.group_size = group_size_;
  s.pooled_size = pooled_size_;
  s.part_size = part_size_;
  s.sample_per_part = sample_per_part_;
  s.spatial_scale = spatial_scale_;
  s.trans_std = trans_std_;
  s.channels_first = channels_first_;
  if (s.height == 0 || s.width == 0) return Invalid("x: expected no empty image");
  const int64_t parts = group_size_ * group_size_;
  if (s.channels != kUnknown) {
    if (s.channels < 1 || s.channels % parts != 0) {
      return Invalid(absl::StrCat("group_size: ", group_size_, " squared does not divide the ", s.channels,
                                  " channels of x"));
    }
    s.output_dim = s.channels / parts;
  }
  int64_t five = 5;
  TF_RETURN_IF_ERROR(Agree("rois", "values per region", rois.sizes[1], &five));
  for (Argument& t : trans) {
    TF_RETURN_IF_ERROR(t.RequireRank(4));
    int64_t part_height = part_size_, part_width = part_size_;
    TF_RETURN_IF_ERROR(Agree("trans", "regions as rois has,", t.sizes[0], &s.count));
    TF_RETURN_IF_ERROR(Agree("trans", "height part_size", t.sizes[height_axis], &part_height));
    TF_RETURN_IF_ERROR(Agree("trans", "width part_size", t.sizes[height_axis + 1], &part_width));
    const int64_t channels = t.sizes[channel_axis];
    if (channels == kUnknown) continue;
    s.classes = channels / 2;
    if (channels < 2 || channels % 2 != 0 || (s.output_dim != kUnknown && s.output_dim % s.classes != 0)) {
      return Invalid(absl::StrCat("trans: expected 2 channels per class, the classes dividing the ", s.output_dim,
                                  " output channels, got ", channels, " channels"));
    }
  }
  for (Argument& g : grad_y) {
    TF_RETURN_IF_ERROR(g.RequireRank(4));
    int64_t height = pooled_size_, width = pooled_size_;
    TF_RETURN_IF_ERROR(Agree("grad_y", "regions as rois has,", g.sizes[0], &s.count));
    TF_RETURN_IF_ERROR(Agree("grad_y", "height pooled_size", g.sizes[height_axis], &height));
    TF_RETURN_IF_ERROR(Agree("grad_y", "width pooled_size", g.sizes[height_axis + 1], &width));
    TF_RETURN_IF_ERROR(Agree("grad_y", "output channels", g.sizes[channel_axis], &s.output_dim));
  }
  return absl::OkStatus();
}

namespace {

std::vector<Argument> Arguments(const char* name, InferenceContext* context) {
  std::vector<ShapeHandle> shapes;
  std::vector<Argument> arguments;
  if (context->input(name, &shapes).ok()) {
    for (ShapeHandle shape : shapes) arguments.emplace_back(name, context, shape);
  }
  return arguments;
}

absl::Status Trace(InferenceContext* context, DeformPsRoiAttributes* attributes, DeformPsRoiShape* shape) {
  TF_RETURN_IF_ERROR(attributes->Load(context));
  return attributes->Resolve(Argument("x", context, context->input(0)), Argument("rois", context, context->input(1)),
                             Arguments("trans", context), Arguments("grad_y", context), shape);
}

absl::Status TraceForward(InferenceContext* context) {
  DeformPsRoiAttributes attributes;
  DeformPsRoiShape s;
  TF_RETURN_IF_ERROR(Trace(context, &attributes, &s));
  auto size = [&](int64_t n) { return n == kUnknown ? context->UnknownDim() : context->MakeDim(n); };
  const auto count = size(s.count), pooled = size(s.pooled_size), output = size(s.output_dim);
  context->set_output(0, attributes.channels_first() ? context->MakeShape({count, output, pooled, pooled})
                                                     : context->MakeShape({count, pooled, pooled, output}));
  return absl::OkStatus();
}

absl::Status TraceBackward(InferenceContext* context) {
  DeformPsRoiAttributes attributes;
  DeformPsRoiShape s;
  TF_RETURN_IF_ERROR(Trace(context, &attributes, &s));
  context->set_output(0, context->input(0));
  std::vector<ShapeHandle> trans;
  TF_RETURN_IF_ERROR(context->input("trans", &trans));
  return context->set_output("grad_trans", trans);
}

}  // namespace

// rois are of type R, float even where T is a half type, which would not hold their pixels.
REGISTER_OP("TfPose3dDeformPsRoiPooling")
    .Input("x: T")
    .Input("rois: R")
    .Input("trans: num_trans * T")
    .Output("y: T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("R: {float, double}")
    .Attr("num_trans: int >= 0")
    .Attr("spatial_scale: float")
    .Attr("trans_std: float")
    .Attr("group_size: int >= 1")
    .Attr("pooled_size: int >= 1")
    .Attr("part_size: int >= 1")
    .Attr("sample_per_part: int >= 1")
    .Attr("data_format: {'NHWC', 'NCHW'}")
    .SetShapeFn(TraceForward);

REGISTER_OP("TfPose3dDeformPsRoiPoolingGrad")
    .Input("x: T")
    .Input("rois: R")
    .Input("trans: num_trans * T")
    .Input("grad_y: T")
    .Output("grad_x: T")
    .Output("grad_trans: num_trans * T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("R: {float, double}")
    .Attr("num_trans: int >= 0")
    .Attr("spatial_scale: float")
    .Attr("trans_std: float")
    .Attr("group_size: int >= 1")
    .Attr("pooled_size: int >= 1")
    .Attr("part_size: int >= 1")
    .Attr("sample_per_part: int >= 1")
    .Attr("data_format: {'NHWC', 'NCHW'}")
    .SetShapeFn(TraceBackward);

DeformPsRoiInputs::DeformPsRoiInputs(OpKernelContext* context, const DeformPsRoiAttributes& attributes,
                                     bool backward) {
  status = Load(context, attributes, backward);
}

absl::Status DeformPsRoiInputs::Load(OpKernelContext* context, const DeformPsRoiAttributes& attributes,
                                     bool backward) {
  TF_RETURN_IF_ERROR(context->input("x", &x));
  TF_RETURN_IF_ERROR(context->input("rois", &rois));
  TF_RETURN_IF_ERROR(context->input_list("trans", &trans));
  std::vector<Argument> moves, gradients;
  for (int i = 0; i < trans.size(); ++i) moves.emplace_back("trans", trans[i].shape());
  if (backward) {
    TF_RETURN_IF_ERROR(context->input("grad_y", &grad_y));
    gradients.emplace_back("grad_y", grad_y->shape());
  }
  return attributes.Resolve(Argument("x", x->shape()), Argument("rois", rois->shape()), moves, gradients, &shape);
}

absl::Status AllocateOutput(OpKernelContext* context, const DeformPsRoiAttributes& attributes,
                            const DeformPsRoiShape& s, Tensor** y) {
  std::vector<int64_t> sizes = {s.count, s.pooled_size, s.pooled_size, s.output_dim};
  if (attributes.channels_first()) sizes = {s.count, s.output_dim, s.pooled_size, s.pooled_size};
  tensorflow::TensorShape shape;
  TF_RETURN_IF_ERROR(tensorflow::TensorShape::BuildTensorShape(sizes, &shape));
  return context->allocate_output(0, shape, y);
}

absl::Status DeformPsRoiGradients::Allocate(OpKernelContext* context, const DeformPsRoiInputs& in) {
  TF_RETURN_IF_ERROR(context->allocate_output(0, in.x->shape(), &x));
  OpOutputList list;
  TF_RETURN_IF_ERROR(context->output_list("grad_trans", &list));
  if (list.size() == 0) return absl::OkStatus();
  return list.allocate(0, in.trans[0].shape(), &trans);
}

namespace {

template <typename R>
absl::Status CheckImages(const DeformPsRoiShape& shape, const R* rois) {
  for (int64_t i = 0; i < shape.count; ++i) {
    const R image = rois[5 * i];
    if (!(image >= 0 && image < static_cast<R>(shape.batch))) {
      return Invalid(absl::StrCat("rois: image index ", image, " of region ", i, " is outside the batch of ",
                                  shape.batch));
    }
  }
  return absl::OkStatus();
}

template <typename T>
class DeformPsRoiCpuOp : public OpKernel {
 public:
  using R = typename ComputeType<typename Storage<T>::type>::type;

  explicit DeformPsRoiCpuOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Load(context));
  }

  void Compute(OpKernelContext* context) override {
    const DeformPsRoiInputs in(context, attributes_, false);
    OP_REQUIRES_OK(context, in.status);
    const R* rois = Data<R>(*in.rois);
    OP_REQUIRES_OK(context, CheckImages(in.shape, rois));
    Tensor* y = nullptr;
    OP_REQUIRES_OK(context, AllocateOutput(context, attributes_, in.shape, &y));
    baseline::DeformPsRoiForward(in.shape, Data<T>(*in.x), rois, DataOrNull<T>(in.trans), Data<T>(y),
                                 PoolWorkers(context));
  }

 private:
  DeformPsRoiAttributes attributes_;
};

template <typename T>
class DeformPsRoiGradCpuOp : public OpKernel {
 public:
  using S = typename Storage<T>::type;
  using R = typename ComputeType<S>::type;

  explicit DeformPsRoiGradCpuOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Load(context));
  }

  void Compute(OpKernelContext* context) override {
    const DeformPsRoiInputs in(context, attributes_, true);
    OP_REQUIRES_OK(context, in.status);
    const R* rois = Data<R>(*in.rois);
    OP_REQUIRES_OK(context, CheckImages(in.shape, rois));
    DeformPsRoiGradients out;
    OP_REQUIRES_OK(context, out.Allocate(context, in));
    Tensor workspace;
    OP_REQUIRES_OK(context,
                   AllocateWorkspace(context, baseline::DeformPsRoiBackwardBytes<S>(in.shape), &workspace));
    baseline::DeformPsRoiBackward(in.shape, Data<T>(*in.x), rois, DataOrNull<T>(in.trans), Data<T>(*in.grad_y),
                                  Data<T>(out.x), Data<T>(out.trans), workspace.data(), PoolWorkers(context));
  }

 private:
  DeformPsRoiAttributes attributes_;
};

#define TF_POSE3D_REGISTER(T, ROIS)                                          \
  REGISTER_KERNEL_BUILDER(Name("TfPose3dDeformPsRoiPooling")                 \
                              .Device(tensorflow::DEVICE_CPU)                \
                              .TypeConstraint<T>("T")                        \
                              .TypeConstraint<ROIS>("R"),                    \
                          DeformPsRoiCpuOp<T>);                              \
  REGISTER_KERNEL_BUILDER(Name("TfPose3dDeformPsRoiPoolingGrad")             \
                              .Device(tensorflow::DEVICE_CPU)                \
                              .TypeConstraint<T>("T")                        \
                              .TypeConstraint<ROIS>("R"),                    \
                          DeformPsRoiGradCpuOp<T>);
TF_POSE3D_REGISTER(float, float)
TF_POSE3D_REGISTER(double, double)
TF_POSE3D_REGISTER(Eigen::half, float)
TF_POSE3D_REGISTER(Eigen::bfloat16, float)
#undef TF_POSE3D_REGISTER

}  // namespace
}  // namespace tf_pose3d
