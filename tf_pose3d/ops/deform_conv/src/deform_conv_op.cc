// Deformable convolution as TensorFlow operations, and their CPU kernels.
#include "deform_conv_op.h"

#include "deform_conv_cpu.h"
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

namespace {

absl::Status DividesChannels(const char* name, int64_t parts, int64_t channels, const char* of) {
  if (channels == kUnknown || channels % parts == 0) return absl::OkStatus();
  return Invalid(absl::StrCat(name, ": ", parts, " does not divide the ", channels, " channels of ", of));
}

}  // namespace

absl::Status DeformConvAttributes::OutputSize(int axis, int64_t size, int64_t kernel, int64_t* output,
                                              int64_t* before) const {
  *output = *before = kUnknown;
  if (size == kUnknown || kernel == kUnknown) return absl::OkStatus();
  const int64_t extent = dilations_[axis] * (kernel - 1) + 1;
  const int64_t stride = strides_[axis];
  int64_t after = *before = 0;
  if (padding_ == "SAME") {
    const int64_t total = std::max<int64_t>(((size + stride - 1) / stride - 1) * stride + extent - size, 0);
    *before = total / 2;
    after = total - *before;
  } else if (padding_ == "EXPLICIT") {
    *before = explicit_paddings_[2 * axis];
    after = explicit_paddings_[2 * axis + 1];
  }
  const int64_t room = size + *before + after - extent;
  if (size >= 1 && room >= 0) {
    *output = room / stride + 1;
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("x: ", axis == 0 ? "height " : "width ", size, " is too small for a kernel of ", kernel,
                              " with dilation ", dilations_[axis], " and padding (", *before, ", ", after, ")"));
}

absl::Status DeformConvAttributes::Resolve(Argument x, Argument offset, Argument weight, std::vector<Argument> mask,
                                           std::vector<Argument> bias, std::vector<Argument> grad_y,
                                           DeformConvShape* shape) const {
  if (mask.size() > 1 || bias.size() > 1) return Invalid("mask, bias: expected one tensor or none");
  TF_RETURN_IF_ERROR(x.RequireRank(4));
  TF_RETURN_IF_ERROR(offset.RequireRank(4));
  TF_RETURN_IF_ERROR(weight.RequireRank(4));
  const int channel_axis = channels_first_ ? 1 : 3, height_axis = channels_first_ ? 2 : 1;
  DeformConvShape& s = *shape;
  s = {};
  s.batch = x.sizes[0];
  s.height = x.sizes[height_axis];
  s.width = x.sizes[height_axis + 1];
  s.channels = x.sizes[channel_axis];
  s.kernel_h = weight.sizes[0];
  s.kernel_w = weight.sizes[1];
  s.filters = weight.sizes[3];
  s.stride_h = strides_[0];
  s.stride_w = strides_[1];
  s.dilation_h = dilations_[0];
  s.dilation_w = dilations_[1];
  s.groups = groups_;
  s.deformable_groups = deformable_groups_;
  s.channels_first = channels_first_;
  for (int64_t size : weight.sizes) {
    if (size == 0) return Invalid("weight: expected no empty axis");
  }
  TF_RETURN_IF_ERROR(DividesChannels("groups", groups_, s.filters, "weight's output"));
  TF_RETURN_IF_ERROR(DividesChannels("groups", groups_, s.channels, "x"));
  if (s.channels != kUnknown && weight.sizes[2] != kUnknown && weight.sizes[2] * groups_ != s.channels) {
    return Invalid(absl::StrCat("weight: expected ", s.channels / groups_, " input channels (", s.channels,
                                " of x over ", groups_, " groups), got ", weight.sizes[2]));
  }
  if (s.channels == kUnknown && weight.sizes[2] != kUnknown) s.channels = weight.sizes[2] * groups_;
  TF_RETURN_IF_ERROR(DividesChannels("deformable_groups", deformable_groups_, s.channels, "x"));
  TF_RETURN_IF_ERROR(OutputSize(0, s.height, s.kernel_h, &s.out_height, &s.pad_top));
  TF_RETURN_IF_ERROR(OutputSize(1, s.width, s.kernel_w, &s.out_width, &s.pad_left));
  if (s.height != kUnknown && s.width != kUnknown && (s.height + 3) > INT32_MAX / (s.width + 2)) {
    return Invalid(absl::StrCat("x: an image of ", s.height, " x ", s.width, " has more than 2^31 pixels"));
  }

  const bool taps_known = s.kernel_h != kUnknown && s.kernel_w != kUnknown;
  const int64_t maps = taps_known ? deformable_groups_ * s.taps() : kUnknown;
  auto check_map = [&](Argument& map, const char* channels_of, int64_t channels) -> absl::Status {
    TF_RETURN_IF_ERROR(map.RequireRank(4));
    TF_RETURN_IF_ERROR(Agree(map.name, channels_of, map.sizes[channel_axis], &channels));
    TF_RETURN_IF_ERROR(Agree(map.name, "the output's height", map.sizes[height_axis], &s.out_height));
    TF_RETURN_IF_ERROR(Agree(map.name, "the output's width", map.sizes[height_axis + 1], &s.out_width));
    return Agree(map.name, "x's batch size", map.sizes[0], &s.batch);
  };
  TF_RETURN_IF_ERROR(check_map(offset, "channels: 2 x deformable_groups x kernel taps,",
                               maps == kUnknown ? kUnknown : 2 * maps));
  for (Argument& m : mask) {
    TF_RETURN_IF_ERROR(check_map(m, "channels: deformable_groups x kernel taps,", maps));
  }
  for (Argument& b : bias) {
    TF_RETURN_IF_ERROR(b.RequireRank(1));
    TF_RETURN_IF_ERROR(Agree(b.name, "one value per output channel,", b.sizes[0], &s.filters));
  }
  for (Argument& g : grad_y) {
    TF_RETURN_IF_ERROR(check_map(g, "weight's output channels,", s.filters));
  }
  return absl::OkStatus();
}

namespace {

std::vector<Argument> Arguments(const char* name, InferenceContext* context, const char* input) {
  std::vector<ShapeHandle> shapes;
  std::vector<Argument> arguments;
  if (context->input(input, &shapes).ok()) {
    for (ShapeHandle shape : shapes) arguments.emplace_back(name, context, shape);
  }
  return arguments;
}

std::vector<Argument> Arguments(const char* name, const OpInputList& list) {
  std::vector<Argument> arguments;
  for (int i = 0; i < list.size(); ++i) arguments.emplace_back(name, list[i].shape());
  return arguments;
}

absl::Status Trace(InferenceContext* context, DeformConvAttributes* attributes, DeformConvShape* shape) {
  TF_RETURN_IF_ERROR(attributes->Load(context));
  return attributes->Resolve(Argument("x", context, context->input(0)), Argument("offset", context, context->input(1)),
                             Argument("weight", context, context->input(2)), Arguments("mask", context, "mask"),
                             Arguments("bias", context, "bias"), Arguments("grad_y", context, "grad_y"), shape);
}

absl::Status TraceForward(InferenceContext* context) {
  DeformConvAttributes attributes;
  DeformConvShape s;
  TF_RETURN_IF_ERROR(Trace(context, &attributes, &s));
  std::vector<tensorflow::shape_inference::DimensionHandle> sizes;
  for (int64_t size : InFormat(attributes.channels_first(), s.batch, s.out_height, s.out_width, s.filters)) {
    sizes.push_back(size == kUnknown ? context->UnknownDim() : context->MakeDim(size));
  }
  context->set_output(0, context->MakeShape(sizes));
  return absl::OkStatus();
}

absl::Status TraceBackward(InferenceContext* context) {
  DeformConvAttributes attributes;
  DeformConvShape s;
  TF_RETURN_IF_ERROR(Trace(context, &attributes, &s));
  for (int i = 0; i < 3; ++i) context->set_output(i, context->input(i));
  std::vector<ShapeHandle> masks;
  TF_RETURN_IF_ERROR(context->input("mask", &masks));
  TF_RETURN_IF_ERROR(context->set_output("grad_mask", masks));
  int64_t biases;
  TF_RETURN_IF_ERROR(context->GetAttr("num_biases", &biases));
  const ShapeHandle bias = context->Vector(s.filters == kUnknown ? context->UnknownDim() : context->MakeDim(s.filters));
  return context->set_output("grad_bias", std::vector<ShapeHandle>(biases, bias));
}

}  // namespace

REGISTER_OP("TfPose3dDeformConv2d")
    .Input("x: T")
    .Input("offset: T")
    .Input("weight: T")
    .Input("mask: num_masks * T")
    .Input("bias: num_biases * T")
    .Output("y: T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("num_masks: int >= 0")
    .Attr("num_biases: int >= 0")
    .Attr("strides: list(int)")
    .Attr("padding: {'SAME', 'VALID', 'EXPLICIT'}")
    .Attr("explicit_paddings: list(int) = []")
    .Attr("dilations: list(int)")
    .Attr("groups: int")
    .Attr("deformable_groups: int")
    .Attr("data_format: {'NHWC', 'NCHW'}")
    .SetShapeFn(TraceForward);

REGISTER_OP("TfPose3dDeformConv2dGrad")
    .Input("x: T")
    .Input("offset: T")
    .Input("weight: T")
    .Input("mask: num_masks * T")
    .Input("grad_y: T")
    .Output("grad_x: T")
    .Output("grad_offset: T")
    .Output("grad_weight: T")
    .Output("grad_mask: num_masks * T")
    .Output("grad_bias: num_biases * T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("num_masks: int >= 0")
    .Attr("num_biases: int >= 0")
    .Attr("strides: list(int)")
    .Attr("padding: {'SAME', 'VALID', 'EXPLICIT'}")
    .Attr("explicit_paddings: list(int) = []")
    .Attr("dilations: list(int)")
    .Attr("groups: int")
    .Attr("deformable_groups: int")
    .Attr("data_format: {'NHWC', 'NCHW'}")
    .SetShapeFn(TraceBackward);

DeformConvInputs::DeformConvInputs(OpKernelContext* context, const DeformConvAttributes& attributes, bool backward) {
  status = Load(context, attributes, backward);
}

absl::Status DeformConvInputs::Load(OpKernelContext* context, const DeformConvAttributes& attributes, bool backward) {
  TF_RETURN_IF_ERROR(context->input("x", &x));
  TF_RETURN_IF_ERROR(context->input("offset", &offset));
  TF_RETURN_IF_ERROR(context->input("weight", &weight));
  TF_RETURN_IF_ERROR(context->input_list("mask", &mask));
  std::vector<Argument> biases, gradients;
  if (backward) {
    TF_RETURN_IF_ERROR(context->input("grad_y", &grad_y));
    gradients.emplace_back("grad_y", grad_y->shape());
  } else {
    TF_RETURN_IF_ERROR(context->input_list("bias", &bias));
    biases = Arguments("bias", bias);
  }
  return attributes.Resolve(Argument("x", x->shape()), Argument("offset", offset->shape()),
                            Argument("weight", weight->shape()), Arguments("mask", mask), biases, gradients, &shape);
}

absl::Status AllocateOutput(OpKernelContext* context, const DeformConvAttributes& attributes,
                            const DeformConvShape& s, Tensor** y) {
  tensorflow::TensorShape shape;
  TF_RETURN_IF_ERROR(tensorflow::TensorShape::BuildTensorShape(
      InFormat(attributes.channels_first(), s.batch, s.out_height, s.out_width, s.filters), &shape));
  return context->allocate_output(0, shape, y);
}

absl::Status DeformConvGradients::Allocate(OpKernelContext* context, const DeformConvInputs& in) {
  TF_RETURN_IF_ERROR(context->allocate_output(0, in.x->shape(), &x));
  TF_RETURN_IF_ERROR(context->allocate_output(1, in.offset->shape(), &offset));
  TF_RETURN_IF_ERROR(context->allocate_output(2, in.weight->shape(), &weight));
  OpOutputList masks, biases;
  TF_RETURN_IF_ERROR(context->output_list("grad_mask", &masks));
  TF_RETURN_IF_ERROR(context->output_list("grad_bias", &biases));
  if (masks.size() > 0) TF_RETURN_IF_ERROR(masks.allocate(0, in.mask[0].shape(), &mask));
  if (biases.size() > 1) return Invalid("num_biases: expected 0 or 1");
  if (biases.size() > 0) TF_RETURN_IF_ERROR(biases.allocate(0, tensorflow::TensorShape({in.shape.filters}), &bias));
  return absl::OkStatus();
}

namespace {

template <typename T>
class DeformConvCpuOp : public OpKernel {
 public:
  explicit DeformConvCpuOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Load(context));
  }

  void Compute(OpKernelContext* context) override {
    const DeformConvInputs in(context, attributes_, false);
    OP_REQUIRES_OK(context, in.status);
    Tensor* y = nullptr;
    OP_REQUIRES_OK(context, AllocateOutput(context, attributes_, in.shape, &y));
    if (y->NumElements() == 0) return;
    const auto kernels = BestDeformConvKernels<typename Storage<T>::type>();
    const Workers workers = PoolWorkers(context);
    Tensor workspace;
    OP_REQUIRES_OK(context, AllocateWorkspace(
                                context, kernels.forward_bytes(in.shape, workers.count, in.mask.size() > 0), &workspace));
    kernels.forward(in.shape, Data<T>(*in.x), Data<T>(*in.offset), Data<T>(*in.weight), DataOrNull<T>(in.mask),
                    DataOrNull<T>(in.bias), Data<T>(y), workspace.data(), workers);
  }

 private:
  DeformConvAttributes attributes_;
};

template <typename T>
class DeformConvGradCpuOp : public OpKernel {
 public:
  explicit DeformConvGradCpuOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Load(context));
  }

  void Compute(OpKernelContext* context) override {
    const DeformConvInputs in(context, attributes_, true);
    OP_REQUIRES_OK(context, in.status);
    DeformConvGradients out;
    OP_REQUIRES_OK(context, out.Allocate(context, in));
    const auto kernels = BestDeformConvKernels<typename Storage<T>::type>();
    const Workers workers = PoolWorkers(context);
    Tensor workspace;
    OP_REQUIRES_OK(context, AllocateWorkspace(
                                context, kernels.backward_bytes(in.shape, workers.count, in.mask.size() > 0), &workspace));
    kernels.backward(in.shape, Data<T>(*in.x), Data<T>(*in.offset), Data<T>(*in.weight), DataOrNull<T>(in.mask),
                     Data<T>(*in.grad_y), Data<T>(out.x), Data<T>(out.offset), Data<T>(out.weight), Data<T>(out.mask),
                     Data<T>(out.bias), workspace.data(), workers);
  }

 private:
  DeformConvAttributes attributes_;
};

#define TF_POSE3D_REGISTER(T)                                                                          \
  REGISTER_KERNEL_BUILDER(                                                                             \
      Name("TfPose3dDeformConv2d").Device(tensorflow::DEVICE_CPU).TypeConstraint<T>("T"),              \
      DeformConvCpuOp<T>);                                                                             \
  REGISTER_KERNEL_BUILDER(                                                                             \
      Name("TfPose3dDeformConv2dGrad").Device(tensorflow::DEVICE_CPU).TypeConstraint<T>("T"),          \
      DeformConvGradCpuOp<T>);
TF_POSE3D_REGISTER(float)
TF_POSE3D_REGISTER(double)
TF_POSE3D_REGISTER(Eigen::half)
TF_POSE3D_REGISTER(Eigen::bfloat16)
#undef TF_POSE3D_REGISTER

}  // namespace
}  // namespace tf_pose3d
