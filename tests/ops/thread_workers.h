// Workers of threads, for kernels that run without TensorFlow.
#ifndef TF_POSE3D_TESTS_THREAD_WORKERS_H_
#define TF_POSE3D_TESTS_THREAD_WORKERS_H_

#include <thread>
#include <vector>

#include "workers.h"

namespace tf_pose3d {

inline void RunThreads(void*, int tasks, void (*body)(void*, int), void* argument) {
  constexpr int kThreads = 3;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([=] {
      for (int task = t; task < tasks; task += kThreads) body(argument, task);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Work for `threads` threads, whatever the machine has.
inline Workers ThreadWorkers(int threads) { return {threads, nullptr, RunThreads}; }

}  // namespace tf_pose3d

#endif  // TF_POSE3D_TESTS_THREAD_WORKERS_H_
