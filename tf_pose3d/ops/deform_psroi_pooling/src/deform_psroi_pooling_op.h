// Attributes and shape rules of the deformable RoI pooling's operations.
#ifndef TF_POSE3D_OPS_DEFORM_PSROI_POOLING_OP_H_
#define TF_POSE3D_OPS_DEFORM_PSROI_POOLING_OP_H_

#include <string>
#include <vector>

#include "deform_psroi_pooling_shape.h"
#include "op_support.h"

namespace tf_pose3d {

class DeformPsRoiAttributes {
 public:
  template <typename Context>
  absl::Status Load(Context* context) {
    TF_RETURN_IF_ERROR(context->GetAttr("spatial_scale", &spatial_scale_));
    TF_RETURN_IF_ERROR(context->GetAttr("trans_std", &trans_std_));
    TF_RETURN_IF_ERROR(context->GetAttr("group_size", &group_size_));
    TF_RETURN_IF_ERROR(context->GetAttr("pooled_size", &pooled_size_));
    TF_RETURN_IF_ERROR(context->GetAttr("part_size", &part_size_));
    TF_RETURN_IF_ERROR(context->GetAttr("sample_per_part", &sample_per_part_));
    std::string data_format;
    TF_RETURN_IF_ERROR(context->GetAttr("data_format", &data_format));
    channels_first_ = data_format == "NCHW";
    return absl::OkStatus();
  }

  // Checks all shapes against each other and fills `shape`, with kUnknown where a size is unknown.
  // `trans` and `grad_y` hold one argument or none.
  absl::Status Resolve(Argument x, Argument rois, std::vector<Argument> trans, std::vector<Argument> grad_y,
                       DeformPsRoiShape* shape) const;

  bool channels_first() const { return channels_first_; }

 private:
  float spatial_scale_, trans_std_;
  int64_t group_size_, pooled_size_, part_size_, sample_per_part_;
  bool channels_first_;
};

// What one call is given, its shapes checked.
struct DeformPsRoiInputs {
  DeformPsRoiInputs(tensorflow::OpKernelContext* context, const DeformPsRoiAttributes& attributes, bool backward);

  absl::Status status;
  DeformPsRoiShape shape;
  const tensorflow::Tensor *x = nullptr, *rois = nullptr, *grad_y = nullptr;
  tensorflow::OpInputList trans;

 private:
  absl::Status Load(tensorflow::OpKernelContext* context, const DeformPsRoiAttributes& attributes, bool backward);
};

absl::Status AllocateOutput(tensorflow::OpKernelContext* context, const DeformPsRoiAttributes& attributes,
                            const DeformPsRoiShape& shape, tensorflow::Tensor** y);

// The outputs of the gradient; `trans` stays null where there is none.
struct DeformPsRoiGradients {
  tensorflow::Tensor *x = nullptr, *trans = nullptr;

  absl::Status Allocate(tensorflow::OpKernelContext* context, const DeformPsRoiInputs& inputs);
};

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_DEFORM_PSROI_POOLING_OP_H_
