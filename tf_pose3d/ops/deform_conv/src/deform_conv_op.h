// Attributes of the deformable convolution's operations and every rule that their shapes obey.
#ifndef TF_POSE3D_OPS_DEFORM_CONV_OP_H_
#define TF_POSE3D_OPS_DEFORM_CONV_OP_H_

#include <string>
#include <vector>

#include "deform_conv_shape.h"
#include "op_support.h"

namespace tf_pose3d {

class DeformConvAttributes {
 public:
  // Reads the attributes while tracing (InferenceContext) or when a kernel is made (OpKernelConstruction).
  template <typename Context>
  absl::Status Load(Context* context) {
    TF_RETURN_IF_ERROR(context->GetAttr("strides", &strides_));
    TF_RETURN_IF_ERROR(context->GetAttr("padding", &padding_));
    TF_RETURN_IF_ERROR(context->GetAttr("explicit_paddings", &explicit_paddings_));
    TF_RETURN_IF_ERROR(context->GetAttr("dilations", &dilations_));
    TF_RETURN_IF_ERROR(context->GetAttr("groups", &groups_));
    TF_RETURN_IF_ERROR(context->GetAttr("deformable_groups", &deformable_groups_));
    std::string data_format;
    TF_RETURN_IF_ERROR(context->GetAttr("data_format", &data_format));
    channels_first_ = data_format == "NCHW";
    TF_RETURN_IF_ERROR(Positive("strides", strides_));
    TF_RETURN_IF_ERROR(Positive("dilations", dilations_));
    TF_RETURN_IF_ERROR(Positive("groups", {groups_, groups_}));
    TF_RETURN_IF_ERROR(Positive("deformable_groups", {deformable_groups_, deformable_groups_}));
    if (padding_ != "EXPLICIT") return absl::OkStatus();
    bool right = explicit_paddings_.size() == 4;
    for (int64_t pad : explicit_paddings_) right = right && pad >= 0;
    if (right) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "explicit_paddings: expected top, bottom, left and right, none of them negative");
  }

  // Checks all shapes against each other and fills `shape`, with kUnknown where a size is unknown.
  // `mask`, `bias` and `grad_y` hold one argument or none.
  absl::Status Resolve(Argument x, Argument offset, Argument weight, std::vector<Argument> mask,
                       std::vector<Argument> bias, std::vector<Argument> grad_y, DeformConvShape* shape) const;

  bool channels_first() const { return channels_first_; }

 private:
  static absl::Status Positive(const char* name, const std::vector<int64_t>& values) {
    if (values.size() == 2 && values[0] > 0 && values[1] > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(name, ": expected positive numbers"));
  }

  // The output's size along axis 0 or 1, and the zeros before the input.
  absl::Status OutputSize(int axis, int64_t size, int64_t kernel, int64_t* output, int64_t* before) const;

  std::vector<int64_t> strides_, explicit_paddings_, dilations_;
  std::string padding_;
  int64_t groups_, deformable_groups_;
  bool channels_first_;
};

// The sizes of a (batch, height, width, channels) tensor in the data format of the operation.
inline std::vector<int64_t> InFormat(bool channels_first, int64_t batch, int64_t height, int64_t width,
                                     int64_t channels) {
  if (channels_first) return {batch, channels, height, width};
  return {batch, height, width, channels};
}

// What one call is given, its shapes checked.
struct DeformConvInputs {
  DeformConvInputs(tensorflow::OpKernelContext* context, const DeformConvAttributes& attributes, bool backward);

  absl::Status status;
  DeformConvShape shape;
  const tensorflow::Tensor *x = nullptr, *offset = nullptr, *weight = nullptr, *grad_y = nullptr;
  tensorflow::OpInputList mask, bias;

 private:
  absl::Status Load(tensorflow::OpKernelContext* context, const DeformConvAttributes& attributes, bool backward);
};

absl::Status AllocateOutput(tensorflow::OpKernelContext* context, const DeformConvAttributes& attributes,
                            const DeformConvShape& shape, tensorflow::Tensor** y);

// The outputs of the gradient; `mask` and `bias` stay null where there are none.
struct DeformConvGradients {
  tensorflow::Tensor *x = nullptr, *offset = nullptr, *weight = nullptr, *mask = nullptr, *bias = nullptr;

  absl::Status Allocate(tensorflow::OpKernelContext* context, const DeformConvInputs& inputs);
};

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_CONV_OP_H_
