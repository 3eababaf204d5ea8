// The two 16-bit floating types as plain storage; they are read into float and written from it.
#ifndef TF_POSE3D_OPS_HALF_H_
#define TF_POSE3D_OPS_HALF_H_

#include <cstdint>

namespace tf_pose3d {

struct Half {
  uint16_t bits;
};

struct BFloat16 {
  uint16_t bits;
};

// The type that a storage type is computed in.
template <typename T>
struct ComputeType {
  using type = float;
};

template <>
struct ComputeType<double> {
  using type = double;
};

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_HALF_H_
