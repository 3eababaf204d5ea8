// Tasks spread over threads. Included only by sources compiled per instruction set.
#ifndef TF_POSE3D_OPS_PARALLEL_H_
#define TF_POSE3D_OPS_PARALLEL_H_

#include <cstdint>

#include "workers.h"

namespace tf_pose3d {
namespace TF_POSE3D_ISA {

// Calls body(task) for every task below `tasks`, in parallel.
template <typename Body>
void Parallel(const Workers& workers, int64_t tasks, const Body& body) {
  if (tasks <= 0) return;
  workers.run(
      workers.pool, static_cast<int>(tasks),
      [](void* argument, int task) { (*static_cast<const Body*>(argument))(task); }, const_cast<Body*>(&body));
}

}  // namespace TF_POSE3D_ISA
}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_PARALLEL_H_
