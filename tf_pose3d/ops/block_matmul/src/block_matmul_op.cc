// Products with a matrix of blocks as TensorFlow operations, on the CPU in float.
#include <memory>
#include <vector>

#include "block_matmul_cpu.h"
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

const BlockMatmulKernels& Kernels() {
  static const BlockMatmulKernels kernels = BestBlockMatmulKernels();
  return kernels;
}

absl::Status TraceProduct(InferenceContext* context) {
  ShapeHandle x, kernel;
  TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 2, &x));
  TF_RETURN_IF_ERROR(context->WithRank(context->input(1), 2, &kernel));
  context->set_output(0, context->Matrix(context->Dim(x, 0), context->Dim(kernel, 1)));
  context->set_output(1, context->Scalar());
  return absl::OkStatus();
}

absl::Status TraceGradients(InferenceContext* context) {
  context->set_output(0, context->input(0));
  context->set_output(1, context->input(1));
  return absl::OkStatus();
}

class BlockMatmulOpBase : public OpKernel {
 public:
  explicit BlockMatmulOpBase(OpKernelConstruction* context) : OpKernel(context) {
    std::vector<bool> present;
    OP_REQUIRES_OK(context, context->GetAttr("present", &present));
    OP_REQUIRES_OK(context, context->GetAttr("outputs", &outputs_));
    OP_REQUIRES_OK(context, context->GetAttr("max_norm", &max_norm_));
    OP_REQUIRES(context, outputs_ > 0 && !present.empty() && present.size() % outputs_ == 0,
                Invalid(absl::StrCat("present: expected a flag for each of inputs x ", outputs_, " blocks, got ",
                                     present.size())));
    inputs_ = present.size() / outputs_;
    present_.reset(new bool[present.size()]);
    std::copy(present.begin(), present.end(), present_.get());
  }

 protected:
  // The matrix that `kernel` holds, where x fits it.
  absl::Status Resolve(const Tensor& x, const Tensor& kernel, BlockMatrix* matrix) const {
    if (x.dims() != 2 || kernel.dims() != 2) return Invalid("x, kernel: expected matrices");
    const int64_t height = kernel.dim_size(0), width = kernel.dim_size(1);
    if (height % inputs_ != 0 || width % outputs_ != 0 || height == 0 || width == 0) {
      return Invalid(absl::StrCat("kernel: ", height, " x ", width, " is not ", inputs_, " x ", outputs_, " blocks"));
    }
    if (x.dim_size(1) != height) {
      return Invalid(absl::StrCat("x: expected ", height, " columns, as the kernel has rows, got ", x.dim_size(1)));
    }
    *matrix = {inputs_, outputs_, height / inputs_, width / outputs_, present_.get()};
    return absl::OkStatus();
  }

  bool max_norm() const { return max_norm_; }

 private:
  int64_t inputs_, outputs_;
  bool max_norm_;
  std::unique_ptr<bool[]> present_;
};

class BlockMatmulOp : public BlockMatmulOpBase {
 public:
  using BlockMatmulOpBase::BlockMatmulOpBase;

  void Compute(OpKernelContext* context) override {
    const Tensor &x = context->input(0), &kernel = context->input(1);
    BlockMatrix matrix;
    OP_REQUIRES_OK(context, Resolve(x, kernel, &matrix));
    const int64_t batch = x.dim_size(0);
    Tensor *y, *scale, workspace;
    OP_REQUIRES_OK(context, context->allocate_output(0, {batch, matrix.width()}, &y));
    OP_REQUIRES_OK(context, context->allocate_output(1, {}, &scale));
    OP_REQUIRES_OK(context, AllocateWorkspace(context, Kernels().bytes(matrix, batch), &workspace));
    Kernels().forward(matrix, batch, max_norm(), Data<float>(x), Data<float>(kernel), Data<float>(y),
                      Data<float>(scale), workspace.data(), PoolWorkers(context));
  }
};

class BlockMatmulGradOp : public BlockMatmulOpBase {
 public:
  using BlockMatmulOpBase::BlockMatmulOpBase;

  void Compute(OpKernelContext* context) override {
    const Tensor &x = context->input(0), &kernel = context->input(1), &y = context->input(2);
    const Tensor &scale = context->input(3), &grad_y = context->input(4);
    BlockMatrix matrix;
    OP_REQUIRES_OK(context, Resolve(x, kernel, &matrix));
    const int64_t batch = x.dim_size(0);
    for (const Tensor* like : {&y, &grad_y}) {
      OP_REQUIRES(context, like->dims() == 2 && like->dim_size(0) == batch && like->dim_size(1) == matrix.width(),
                  Invalid(absl::StrCat("y, grad_y: expected ", batch, " x ", matrix.width())));
    }
    OP_REQUIRES(context, scale.NumElements() == 1, Invalid("scale: expected one number"));
    Tensor *grad_x, *grad_kernel, workspace;
    OP_REQUIRES_OK(context, context->allocate_output(0, x.shape(), &grad_x));
    OP_REQUIRES_OK(context, context->allocate_output(1, kernel.shape(), &grad_kernel));
    OP_REQUIRES_OK(context, AllocateWorkspace(context, Kernels().backward_bytes(matrix, batch), &workspace));
    Kernels().backward(matrix, batch, max_norm(), Data<float>(x), Data<float>(kernel), Data<float>(y),
                       *Data<float>(scale), Data<float>(grad_y), Data<float>(grad_x), Data<float>(grad_kernel),
                       workspace.data(), PoolWorkers(context));
  }
};

// scale is what the gradient needs of the forward pass.
REGISTER_OP("TfPose3dBlockMatmul")
    .Input("x: float")
    .Input("kernel: float")
    .Output("y: float")
    .Output("scale: float")
    .Attr("present: list(bool)")
    .Attr("outputs: int")
    .Attr("max_norm: bool")
    .SetShapeFn(TraceProduct);

REGISTER_OP("TfPose3dBlockMatmulGrad")
    .Input("x: float")
    .Input("kernel: float")
    .Input("y: float")
    .Input("scale: float")
    .Input("grad_y: float")
    .Output("grad_x: float")
    .Output("grad_kernel: float")
    .Attr("present: list(bool)")
    .Attr("outputs: int")
    .Attr("max_norm: bool")
    .SetShapeFn(TraceGradients);

REGISTER_KERNEL_BUILDER(Name("TfPose3dBlockMatmul").Device(tensorflow::DEVICE_CPU), BlockMatmulOp);
REGISTER_KERNEL_BUILDER(Name("TfPose3dBlockMatmulGrad").Device(tensorflow::DEVICE_CPU), BlockMatmulGradOp);

}  // namespace
}  // namespace tf_pose3d
