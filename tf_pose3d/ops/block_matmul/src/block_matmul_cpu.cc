// Block matrix products for one instruction set: compile once per set, with -DTF_POSE3D_ISA=baseline, avx2 or avx512
// and that set's compiler flags.
#include "block_matmul_cpu.h"

#include <cmath>

#include "lanes.h"
#include "parallel.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {
namespace {

constexpr int64_t kWidth = kPanel<float>;
// Rows of a register tile, and rows of the batch that one task takes.
constexpr int64_t kTile = 6, kRows = 48;
// Up to so many blocks of rows, where there are panels enough for all threads, the thread that multiplies with a
// panel packs it, right before.
constexpr int64_t kPackedRowBlocks = 2, kTasks = 16;
// Numbers that are added up in one go, so that sums do not depend on the number of threads.
constexpr int64_t kSumBlock = 1 << 15;

// Sum of a[i] * b[i].
double Dot(int64_t count, const float* a, const float* b, double* partial, const Workers& workers) {
  const int64_t blocks = CeilDiv(count, kSumBlock);
  Parallel(workers, blocks, [=](int64_t block) {
    double sum = 0;
    const int64_t end = Min((block + 1) * kSumBlock, count);
    for (int64_t begin = block * kSumBlock; begin < end; begin += 1024) {
      Lanes lanes = {};
      const int64_t stop = Min(begin + 1024, end);
      for (int64_t i = begin; i < stop; i += kLanes) {
        const int64_t n = Min(kLanes, stop - i);
        lanes += LoadLanes(a + i, n) * LoadLanes(b + i, n);
      }
      sum += Sum(lanes);
    }
    partial[block] = sum;
  });
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += partial[block];
  return total;
}

// Blocks of `from` that meet block `to`; transposed swaps the sides.
struct Side {
  const BlockMatrix& matrix;
  bool transposed;

  int64_t from() const { return transposed ? matrix.outputs : matrix.inputs; }
  int64_t to() const { return transposed ? matrix.inputs : matrix.outputs; }
  int64_t depth() const { return transposed ? matrix.columns : matrix.rows; }
  int64_t width() const { return transposed ? matrix.rows : matrix.columns; }
  int64_t padded_width() const { return RoundUp(width(), kWidth); }
  bool meets(int64_t f, int64_t t) const {
    return transposed ? matrix.present[t * matrix.outputs + f] : matrix.present[f * matrix.outputs + t];
  }

  // Calls body(first block, number of blocks, blocks before it) for each run of blocks that meet `t`.
  template <typename Body>
  int64_t ForRuns(int64_t t, const Body& body) const {
    int64_t before = 0;
    for (int64_t f = 0; f < from();) {
      if (!meets(f, t)) {
        ++f;
        continue;
      }
      const int64_t begin = f;
      while (f < from() && meets(f, t)) ++f;
      body(begin, f - begin, before);
      before += f - begin;
    }
    return before;
  }

  // Floats of one packed column of blocks.
  int64_t packed_size() const { return from() * depth() * padded_width(); }
};

// Columns `column` to `column + n` of the blocks that meet `t` on top of each other, kWidth apart; padding is zero.
void PackPanel(const Side& side, int64_t t, int64_t column, int64_t n, const float* kernel, float* packed) {
  const int64_t depth = side.depth(), width = side.width(), stride = side.matrix.width();
  side.ForRuns(t, [&](int64_t first, int64_t count, int64_t before) {
    // Adjacent blocks follow each other in the kernel, too.
    float* out = packed + before * depth * kWidth;
    const int64_t rows = count * depth;
    if (side.transposed) {
      const float* in = kernel + (t * width + column) * stride + first * depth;
      int64_t d = 0;
      for (; n == kWidth && d + kLanes <= rows; d += kLanes) {
        for (int64_t half = 0; half < kWidth; half += kLanes) {
          Lanes square[kLanes];
          for (int64_t j = 0; j < kLanes; ++j) square[j] = AsVector(in + (half + j) * stride + d);
          Transpose(square);
          for (int64_t j = 0; j < kLanes; ++j) AsVector(out + (d + j) * kWidth + half) = square[j];
        }
      }
      for (; d < rows; ++d) {
        for (int64_t j = 0; j < kWidth; ++j) out[d * kWidth + j] = j < n ? in[j * stride + d] : 0.0f;
      }
    } else {
      const float* in = kernel + first * depth * stride + t * width + column;
      for (int64_t d = 0; d < rows; ++d) {
        if (n == kWidth) {
          AsVector(out + d * kWidth) = AsVector(in + d * stride);
          AsVector(out + d * kWidth + kLanes) = AsVector(in + d * stride + kLanes);
        } else {
          for (int64_t j = 0; j < kWidth; ++j) out[d * kWidth + j] = j < n ? in[d * stride + j] : 0.0f;
        }
      }
    }
  });
}

// y = scale * x kernel, or scale * x kernel^T.
void Product(const Side& side, int64_t batch, const float* x, const float* kernel, float scale, float* y,
             float* packed, const Workers& workers) {
  const int64_t depth = side.depth(), width = side.width(), panels = side.padded_width() / kWidth;
  const int64_t x_row = side.from() * depth, y_row = side.to() * width;
  const int64_t panel_size = side.from() * depth * kWidth;
  const auto pack = [&](int64_t panel) {
    const int64_t column = panel % panels * kWidth;
    PackPanel(side, panel / panels, column, Min(kWidth, width - column), kernel, packed + panel * panel_size);
  };
  const auto multiply = [&](int64_t panel, int64_t row) {
    const int64_t t = panel / panels, column = panel % panels * kWidth, n = Min(kWidth, width - column);
    const int64_t count = Min(kRows, batch - row);
    alignas(64) float tile[kRows * kWidth];
    memset(tile, 0, count * kWidth * sizeof(float));
    side.ForRuns(t, [&](int64_t first, int64_t number, int64_t before) {
      MultiplyAdd<float>(count, kWidth, number * depth, x + row * x_row + first * depth, x_row, 1,
                         packed + panel * panel_size + before * depth * kWidth, kWidth, 0, tile, kWidth);
    });
    for (int64_t r = 0; r < count; ++r) {
      float* out = y + (row + r) * y_row + t * width + column;
      if (n == kWidth) {
        AsVector(out) = AsVector(tile + r * kWidth) * scale;
        AsVector(out + kLanes) = AsVector(tile + r * kWidth + kLanes) * scale;
      } else {
        for (int64_t i = 0; i < n; ++i) out[i] = tile[r * kWidth + i] * scale;
      }
    }
  };
  const int64_t count = side.to() * panels, row_blocks = CeilDiv(batch, kRows);
  if (row_blocks <= kPackedRowBlocks && count >= kTasks) {
    // A panel is used while it is in the cache.
    Parallel(workers, count, [&](int64_t panel) {
      pack(panel);
      for (int64_t row = 0; row < batch; row += kRows) multiply(panel, row);
    });
    return;
  }
  Parallel(workers, count, pack);
  Parallel(workers, count * row_blocks, [&](int64_t task) { multiply(task / row_blocks, task % row_blocks * kRows); });
}

int64_t GradientTiles(const BlockMatrix& m) { return CeilDiv(m.rows, kTile); }

// grad_kernel = scale * x^T grad_y on present blocks + shrink * kernel everywhere.
void KernelGradient(const BlockMatrix& m, int64_t batch, const float* x, const float* grad_y, const float* kernel,
                    float scale, float shrink, float* grad_kernel, float* left, float* right,
                    const Workers& workers) {
  const int64_t height = m.height(), width = m.width(), tiles = GradientTiles(m);
  const int64_t panels = CeilDiv(m.columns, kWidth), panel = batch * kWidth;
  const int64_t left_size = tiles * kTile * batch, right_size = panels * panel;
  // x in tiles of kTile features, grad_y in panels of kWidth: both are read along the batch.
  Parallel(workers, m.inputs * tiles, [&](int64_t task) {
    const int64_t i = task / tiles, tile = task % tiles, n = Min(kTile, m.rows - tile * kTile);
    float* out = left + i * left_size + tile * kTile * batch;
    const float* in = x + i * m.rows + tile * kTile;
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t r = 0; r < kTile; ++r) out[b * kTile + r] = r < n ? in[b * height + r] : 0.0f;
    }
  });
  Parallel(workers, m.outputs * panels, [&](int64_t task) {
    const int64_t o = task / panels, column = task % panels * kWidth, n = Min(kWidth, m.columns - column);
    float* out = right + o * right_size + column / kWidth * panel;
    for (int64_t b = 0; b < batch; ++b) {
      const float* in = grad_y + b * width + o * m.columns + column;
      for (int64_t j = 0; j < kWidth; ++j) out[b * kWidth + j] = j < n ? in[j] : 0.0f;
    }
  });
  Parallel(workers, m.inputs * m.outputs * panels, [&](int64_t task) {
    const int64_t block = task / panels, i = block / m.outputs, o = block % m.outputs;
    const int64_t column = task % panels * kWidth, n = Min(kWidth, m.columns - column);
    const int64_t corner = i * m.rows * width + o * m.columns + column;
    if (!m.present[block]) {
      for (int64_t r = 0; r < m.rows; ++r) {
        const float* in = kernel + corner + r * width;
        float* out = grad_kernel + corner + r * width;
        for (int64_t c = 0; c < n; ++c) out[c] = shrink * in[c];
      }
      return;
    }
    alignas(64) float tile[kTile * kWidth];
    for (int64_t t = 0; t < tiles; ++t) {
      memset(tile, 0, sizeof(tile));
      MultiplyTile<float, kTile, 2>(batch, left + i * left_size + t * kTile * batch, 1, kTile,
                                    right + o * right_size + column / kWidth * panel, kWidth, tile, kWidth);
      const int64_t count = Min(kTile, m.rows - t * kTile);
      for (int64_t r = 0; r < count; ++r) {
        const int64_t place = corner + (t * kTile + r) * width;
        const float *in = kernel + place, *sum = tile + r * kWidth;
        float* out = grad_kernel + place;
        if (n < kWidth) {
          for (int64_t c = 0; c < n; ++c) out[c] = sum[c] * scale + in[c] * shrink;
        } else if (shrink == 0) {  // as most kernels do, without reading the kernel
          AsVector(out) = AsVector(sum) * scale;
          AsVector(out + kLanes) = AsVector(sum + kLanes) * scale;
        } else {
          AsVector(out) = AsVector(sum) * scale + AsVector(in) * shrink;
          AsVector(out + kLanes) = AsVector(sum + kLanes) * scale + AsVector(in + kLanes) * shrink;
        }
      }
    }
  });
}

int64_t SumBytes(int64_t count) { return RoundUp(CeilDiv(count, kSumBlock) * sizeof(double), 64); }

size_t PackedBytes(const Side& side) { return RoundUp(side.to() * side.packed_size() * sizeof(float), 64); }

size_t Bytes(const BlockMatrix& matrix, int64_t) {
  return PackedBytes({matrix, false}) + SumBytes(matrix.height() * matrix.width());
}

void Forward(const BlockMatrix& matrix, int64_t batch, bool max_norm, const float* x, const float* kernel, float* y,
             float* scale, void* workspace, const Workers& workers) {
  char* memory = static_cast<char*>(workspace);
  double* partial = reinterpret_cast<double*>(memory + PackedBytes({matrix, false}));
  *scale = 1.0f;
  if (max_norm) {
    const double squares = Dot(matrix.height() * matrix.width(), kernel, kernel, partial, workers);
    if (squares > 1.0) *scale = static_cast<float>(1.0 / std::sqrt(squares));
  }
  Product({matrix, false}, batch, x, kernel, *scale, y, reinterpret_cast<float*>(memory), workers);
}

int64_t LeftBytes(const BlockMatrix& m, int64_t batch) {
  return RoundUp(m.inputs * GradientTiles(m) * kTile * batch * sizeof(float), 64);
}

int64_t RightBytes(const BlockMatrix& m, int64_t batch) {
  return RoundUp(m.outputs * RoundUp(m.columns, kWidth) * batch * sizeof(float), 64);
}

size_t BackwardBytes(const BlockMatrix& matrix, int64_t batch) {
  const size_t gradient = LeftBytes(matrix, batch) + RightBytes(matrix, batch);
  const size_t packed = PackedBytes({matrix, true});
  return (packed > gradient ? packed : gradient) + SumBytes(batch * matrix.width());
}

void Backward(const BlockMatrix& matrix, int64_t batch, bool max_norm, const float* x, const float* kernel,
              const float* y, float scale, const float* grad_y, float* grad_x, float* grad_kernel, void* workspace,
              const Workers& workers) {
  char* memory = static_cast<char*>(workspace);
  char* end = memory + BackwardBytes(matrix, batch) - SumBytes(batch * matrix.width());
  float shrink = 0.0f;
  if (max_norm && scale < 1.0f) {
    // y = s u with s = norm^-1: the loss reaches the kernel through s by -s^3 <grad_y, u> = -s^2 <grad_y, y>.
    const double slope = Dot(batch * matrix.width(), grad_y, y, reinterpret_cast<double*>(end), workers);
    shrink = static_cast<float>(-slope * scale * scale);
  }
  Product({matrix, true}, batch, grad_y, kernel, scale, grad_x, reinterpret_cast<float*>(memory), workers);
  KernelGradient(matrix, batch, x, grad_y, kernel, scale, shrink, grad_kernel, reinterpret_cast<float*>(memory),
                 reinterpret_cast<float*>(memory + LeftBytes(matrix, batch)), workers);
}

}  // namespace

BlockMatmulKernels GetBlockMatmulKernels() { return {Bytes, Forward, BackwardBytes, Backward}; }

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d
