// Products with a matrix of blocks of which some are absent, on the CPU, in float. Knows nothing of
// TensorFlow.
//
// The matrix (inputs * rows, outputs * columns) is stored dense; its absent blocks count as zero and cost
// nothing. It may be scaled down to a Frobenius norm of 1, into which absent blocks count. As with the other
// kernels, compiled once per instruction set; results do not depend on the number of threads.
#ifndef TF_POSE3D_OPS_BLOCK_MATMUL_CPU_H_
#define TF_POSE3D_OPS_BLOCK_MATMUL_CPU_H_

#include <cstddef>
#include <cstdint>

#include "instruction_sets.h"
#include "workers.h"

namespace tf_pose3d {

// `inputs` x `outputs` blocks of `rows` x `columns` numbers; present[i * outputs + o] says which count.
struct BlockMatrix {
  int64_t inputs, outputs, rows, columns;
  const bool* present;

  int64_t height() const { return inputs * rows; }
  int64_t width() const { return outputs * columns; }
};

struct BlockMatmulKernels {
  // scale = 1 / max(1, Frobenius norm of the kernel) with max_norm, else 1; y = scale * x kernel.
  // `workspace` is aligned to 64.
  size_t (*bytes)(const BlockMatrix& matrix, int64_t batch);
  void (*forward)(const BlockMatrix& matrix, int64_t batch, bool max_norm, const float* x, const float* kernel,
                  float* y, float* scale, void* workspace, const Workers& workers);
  // The gradients of x and kernel, the latter by way of the norm, too, where it is above 1.
  size_t (*backward_bytes)(const BlockMatrix& matrix, int64_t batch);
  void (*backward)(const BlockMatrix& matrix, int64_t batch, bool max_norm, const float* x, const float* kernel,
                   const float* y, float scale, const float* grad_y, float* grad_x, float* grad_kernel,
                   void* workspace, const Workers& workers);
};

TF_POSE3D_DECLARE(BlockMatmulKernels)

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_BLOCK_MATMUL_CPU_H_
