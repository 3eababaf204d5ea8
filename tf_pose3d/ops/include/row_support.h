// What TensorFlow operations on the rows of x (..., C) share: their checks and shapes.
#ifndef TF_POSE3D_OPS_ROW_SUPPORT_H_
#define TF_POSE3D_OPS_ROW_SUPPORT_H_

#include <initializer_list>

#include "op_support.h"

namespace tf_pose3d {

// The common width C of rows x (..., C) and of vectors (C).
inline absl::Status RowWidth(tensorflow::OpKernelContext* context, std::initializer_list<const char*> vectors,
                             int64_t* rows, int64_t* width) {
  const tensorflow::Tensor* x;
  TF_RETURN_IF_ERROR(context->input("x", &x));
  if (x->dims() < 1) return Invalid("x: expected at least one axis");
  *width = x->dim_size(x->dims() - 1);
  if (*width == 0) return Invalid("x: expected at least one channel");
  *rows = x->NumElements() / *width;
  for (const char* name : vectors) {
    const tensorflow::Tensor* vector;
    TF_RETURN_IF_ERROR(context->input(name, &vector));
    if (vector->dims() == 1 && vector->dim_size(0) == *width) continue;
    return Invalid(
        absl::StrCat(name, ": expected ", *width, " channels as x has, got shape ", vector->shape().DebugString()));
  }
  return absl::OkStatus();
}

// The named input, where it has the shape of x.
inline absl::Status LikeX(tensorflow::OpKernelContext* context, const char* name, const tensorflow::Tensor** like) {
  TF_RETURN_IF_ERROR(context->input(name, like));
  if ((*like)->shape() == context->input(0).shape()) return absl::OkStatus();
  return Invalid(absl::StrCat(name, ": not of the shape of x"));
}

inline absl::Status TraceRows(tensorflow::shape_inference::InferenceContext* context) {
  tensorflow::shape_inference::ShapeHandle x, unused;
  TF_RETURN_IF_ERROR(context->WithRankAtLeast(context->input(0), 1, &x));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), 1, &unused));
  context->set_output(0, x);
  return absl::OkStatus();
}

inline absl::Status TraceRowGradients(tensorflow::shape_inference::InferenceContext* context) {
  context->set_output(0, context->input(0));
  for (int i = 1; i < context->num_outputs(); ++i) context->set_output(i, context->input(1));
  return absl::OkStatus();
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_ROW_SUPPORT_H_
