// Attention of transformers as TensorFlow operations, on the CPU in float.
#include <array>

#include "attention_cpu.h"
#include "op_support.h"
#include "tensorflow/core/framework/op.h"

namespace tf_pose3d {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

const AttentionKernels& Kernels() {
  static const AttentionKernels kernels = BestAttentionKernels();
  return kernels;
}

// Query, key and value: three tensors (B, Q, C), (B, N, C), (B, N, C), or one (B, N, 3 C) that holds a
// token's three rows side by side.
absl::Status ResolveAttention(std::vector<Argument> projections, std::vector<Argument> key_mask, int64_t heads,
                              AttentionShape* shape) {
  if (projections.size() != 1 && projections.size() != 3) return Invalid("projections: expected 1 or 3 tensors");
  if (key_mask.size() > 1) return Invalid("key_mask: expected one tensor or none");
  for (Argument& p : projections) TF_RETURN_IF_ERROR(p.RequireRank(3));
  const std::vector<int64_t>& first = projections.front().sizes;
  int64_t width = first[2];
  AttentionShape s = {first[0], first[1], kUnknown, heads, kUnknown};
  if (projections.size() == 1) {
    if (width != kUnknown && width % 3 != 0) {
      return Invalid(absl::StrCat("projections: expected 3 C channels, got ", width));
    }
    s.keys = s.queries;
    if (width != kUnknown) width /= 3;
  }
  for (size_t i = 1; i < projections.size(); ++i) {
    TF_RETURN_IF_ERROR(Agree("projections", "batch", projections[i].sizes[0], &s.batch));
    TF_RETURN_IF_ERROR(Agree("projections", "keys", projections[i].sizes[1], &s.keys));
    TF_RETURN_IF_ERROR(Agree("projections", "channels", projections[i].sizes[2], &width));
  }
  for (Argument& mask : key_mask) {
    TF_RETURN_IF_ERROR(mask.RequireRank(2));
    TF_RETURN_IF_ERROR(Agree("key_mask", "batch", mask.sizes[0], &s.batch));
    TF_RETURN_IF_ERROR(Agree("key_mask", "keys", mask.sizes[1], &s.keys));
  }
  if (s.keys == 0) return Invalid("projections: expected at least one key");
  if (width != kUnknown) {
    if (width == 0 || width % heads != 0) {
      return Invalid(absl::StrCat("projections: width ", width, " is not a multiple of ", heads, " heads"));
    }
    s.depth = width / heads;
  }
  *shape = s;
  return absl::OkStatus();
}

absl::Status TraceAttention(InferenceContext* context) {
  std::vector<ShapeHandle> projections, masks;
  TF_RETURN_IF_ERROR(context->input("projections", &projections));
  TF_RETURN_IF_ERROR(context->input("key_mask", &masks));
  std::vector<Argument> given, given_masks;
  for (ShapeHandle p : projections) given.emplace_back("projections", context, p);
  for (ShapeHandle m : masks) given_masks.emplace_back("key_mask", context, m);
  int64_t heads;
  TF_RETURN_IF_ERROR(context->GetAttr("num_heads", &heads));
  AttentionShape s;
  TF_RETURN_IF_ERROR(ResolveAttention(given, given_masks, heads, &s));
  auto size = [&](int64_t n) { return n == kUnknown ? context->UnknownDim() : context->MakeDim(n); };
  const int64_t width = s.depth == kUnknown ? kUnknown : s.width();
  context->set_output(0, context->MakeShape({size(s.batch), size(s.queries), size(width)}));
  return absl::OkStatus();
}

absl::Status TraceAttentionGrad(InferenceContext* context) {
  std::vector<ShapeHandle> projections;
  TF_RETURN_IF_ERROR(context->input("projections", &projections));
  return context->set_output("grad_projections", projections);
}

// Where the three projections lie in `tensors`, as in ResolveAttention.
template <typename T, typename Flat>
std::array<TokenRows<T>, 3> Rows(const AttentionShape& s, int tensors, const Flat& flat) {
  const int64_t width = s.width();
  if (tensors == 1) {
    const int64_t row = 3 * width;
    T* data = flat(0);
    return {{{data, row, s.keys * row}, {data + width, row, s.keys * row}, {data + 2 * width, row, s.keys * row}}};
  }
  return {{{flat(0), width, s.queries * width}, {flat(1), width, s.keys * width}, {flat(2), width, s.keys * width}}};
}

class AttentionOpBase : public OpKernel {
 public:
  explicit AttentionOpBase(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("num_heads", &heads_));
  }

 protected:
  struct Inputs {
    OpInputList projections, key_mask;
    AttentionShape shape;

    std::array<TokenRows<const float>, 3> rows() const {
      return Rows<const float>(shape, projections.size(), [&](int i) { return Data<float>(projections[i]); });
    }
    const bool* mask() const { return key_mask.size() == 0 ? nullptr : key_mask[0].flat<bool>().data(); }
  };

  absl::Status Load(OpKernelContext* context, Inputs* in) const {
    TF_RETURN_IF_ERROR(context->input_list("projections", &in->projections));
    TF_RETURN_IF_ERROR(context->input_list("key_mask", &in->key_mask));
    std::vector<Argument> given, masks;
    for (int i = 0; i < in->projections.size(); ++i) given.emplace_back("projections", in->projections[i].shape());
    for (int i = 0; i < in->key_mask.size(); ++i) masks.emplace_back("key_mask", in->key_mask[i].shape());
    return ResolveAttention(given, masks, heads_, &in->shape);
  }

  static TensorShape OutputShape(const AttentionShape& s) { return {s.batch, s.queries, s.width()}; }

 private:
  int64_t heads_;
};

class TokenAttentionOp : public AttentionOpBase {
 public:
  using AttentionOpBase::AttentionOpBase;

  void Compute(OpKernelContext* context) override {
    Inputs in;
    OP_REQUIRES_OK(context, Load(context, &in));
    Tensor *y = nullptr, workspace;
    OP_REQUIRES_OK(context, context->allocate_output(0, OutputShape(in.shape), &y));
    const Workers workers = PoolWorkers(context);
    OP_REQUIRES_OK(context, AllocateWorkspace(context, Kernels().bytes(in.shape, workers.count, false), &workspace));
    const auto [query, key, value] = in.rows();
    Kernels().forward(in.shape, query, key, value, in.mask(), Data<float>(y), workspace.data(), workers);
  }
};

class TokenAttentionGradOp : public AttentionOpBase {
 public:
  using AttentionOpBase::AttentionOpBase;

  void Compute(OpKernelContext* context) override {
    Inputs in;
    OP_REQUIRES_OK(context, Load(context, &in));
    const Tensor* grad_y;
    OP_REQUIRES_OK(context, context->input("grad_y", &grad_y));
    OP_REQUIRES(context, grad_y->shape() == OutputShape(in.shape), Invalid("grad_y: not of the output's shape"));
    OpOutputList grads;
    OP_REQUIRES_OK(context, context->output_list("grad_projections", &grads));
    std::array<Tensor*, 3> out = {};
    for (int i = 0; i < grads.size(); ++i) {
      OP_REQUIRES_OK(context, grads.allocate(i, in.projections[i].shape(), &out[i]));
    }
    Tensor workspace;
    const Workers workers = PoolWorkers(context);
    OP_REQUIRES_OK(context, AllocateWorkspace(context, Kernels().bytes(in.shape, workers.count, true), &workspace));
    const auto [query, key, value] = in.rows();
    const auto [grad_query, grad_key, grad_value] =
        Rows<float>(in.shape, grads.size(), [&](int i) { return Data<float>(out[i]); });
    Kernels().backward(in.shape, query, key, value, in.mask(), Data<float>(*grad_y), grad_query, grad_key, grad_value,
                       workspace.data(), workers);
  }
};

REGISTER_OP("TfPose3dTokenAttention")
    .Input("projections: num_projections * float")
    .Input("key_mask: num_masks * bool")
    .Output("y: float")
    .Attr("num_projections: int >= 1")
    .Attr("num_masks: int >= 0")
    .Attr("num_heads: int >= 1")
    .SetShapeFn(TraceAttention);

REGISTER_OP("TfPose3dTokenAttentionGrad")
    .Input("projections: num_projections * float")
    .Input("key_mask: num_masks * bool")
    .Input("grad_y: float")
    .Output("grad_projections: num_projections * float")
    .Attr("num_projections: int >= 1")
    .Attr("num_masks: int >= 0")
    .Attr("num_heads: int >= 1")
    .SetShapeFn(TraceAttentionGrad);

REGISTER_KERNEL_BUILDER(Name("TfPose3dTokenAttention").Device(tensorflow::DEVICE_CPU), TokenAttentionOp);
REGISTER_KERNEL_BUILDER(Name("TfPose3dTokenAttentionGrad").Device(tensorflow::DEVICE_CPU), TokenAttentionGradOp);

}  // namespace
}  // namespace tf_pose3d
