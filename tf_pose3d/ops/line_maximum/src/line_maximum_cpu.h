// The brightest pixels along lines through images, on the CPU, in float. Knows nothing of TensorFlow.
//
// As with the other kernels, compiled once per instruction set; results do not depend on the number of threads.
#ifndef TF_POSE3D_OPS_LINE_MAXIMUM_CPU_H_
#define TF_POSE3D_OPS_LINE_MAXIMUM_CPU_H_

#include <cstdint>

#include "instruction_sets.h"
#include "workers.h"

namespace tf_pose3d {

// images (batch, views, height, width, channels); lines (batch, sets, count, 4): x, y of two points each, set p
// in image sources[p].
struct LineSearch {
  int64_t batch, views, height, width, channels;
  int64_t sets, count;
  const int32_t* sources;
  float shortest;  // points nearer than this are no line
  float farthest;  // coordinates beyond this are no place
};

struct LineMaximumKernels {
  // place (batch, sets, count, channels) = y * width + x of the maximum over the samples of each line at all
  // integer x and all integer y, or -1 where that is the zero outside the image, or where there is no line.
  void (*brightest_pixel)(const LineSearch& search, const float* images, const float* lines, int32_t* place,
                          const Workers& workers);
};

TF_POSE3D_DECLARE(LineMaximumKernels)

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_LINE_MAXIMUM_CPU_H_
