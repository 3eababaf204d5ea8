// The threads that kernels run on, whoever owns them.
#ifndef TF_POSE3D_OPS_WORKERS_H_
#define TF_POSE3D_OPS_WORKERS_H_

namespace tf_pose3d {

// A pool of threads: run() calls body(argument, i) once for each i < tasks, from several threads, and
// returns when all calls have.
struct Workers {
  int count;
  void* pool;
  void (*run)(void* pool, int tasks, void (*body)(void* argument, int task), void* argument);
};

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_WORKERS_H_
