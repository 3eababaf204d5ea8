// What the TensorFlow operations share: storage types, TensorFlow's thread pool, shapes with unknown sizes.
#ifndef TF_POSE3D_OPS_OP_SUPPORT_H_
#define TF_POSE3D_OPS_OP_SUPPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "half.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "workers.h"

namespace tf_pose3d {

// The kernels' own storage type for a TensorFlow type.
template <typename T>
struct Storage {
  using type = T;
};
template <>
struct Storage<Eigen::half> {
  using type = Half;
};
template <>
struct Storage<Eigen::bfloat16> {
  using type = BFloat16;
};

template <typename T>
const typename Storage<T>::type* Data(const tensorflow::Tensor& tensor) {
  return reinterpret_cast<const typename Storage<T>::type*>(tensor.flat<T>().data());
}
template <typename T>
const typename Storage<T>::type* DataOrNull(const tensorflow::OpInputList& list) {
  return list.size() == 0 ? nullptr : Data<T>(list[0]);
}
template <typename T>
typename Storage<T>::type* Data(tensorflow::Tensor* tensor) {
  return tensor == nullptr ? nullptr : reinterpret_cast<typename Storage<T>::type*>(tensor->flat<T>().data());
}

inline absl::Status Invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

// A size that is not known while tracing.
constexpr int64_t kUnknown = -1;

// Sizes of one argument; `sizes` is empty where not even their number is known.
struct Argument {
  std::string name;
  std::vector<int64_t> sizes;

  Argument(const char* argument, const tensorflow::TensorShape& shape) : name(argument) {
    for (int i = 0; i < shape.dims(); ++i) sizes.push_back(shape.dim_size(i));
    known_ = true;
  }

  Argument(const char* argument, tensorflow::shape_inference::InferenceContext* context,
           tensorflow::shape_inference::ShapeHandle shape)
      : name(argument), known_(context->RankKnown(shape)) {
    for (int i = 0; known_ && i < context->Rank(shape); ++i) sizes.push_back(context->Value(context->Dim(shape, i)));
  }

  // Fills an unknown rank with unknown sizes; an error where the rank is known and wrong.
  absl::Status RequireRank(int rank) {
    if (!known_) sizes.assign(rank, kUnknown);
    if (static_cast<int>(sizes.size()) == rank) return absl::OkStatus();
    return Invalid(absl::StrCat(name, ": expected ", rank, " axes, got ", sizes.size()));
  }

 private:
  bool known_;
};

// Takes the size that is known; an error where both are and differ.
inline absl::Status Agree(const std::string& argument, const char* what, int64_t got, int64_t* expected) {
  if (*expected == kUnknown) *expected = got;
  if (got == kUnknown || got == *expected) return absl::OkStatus();
  return Invalid(absl::StrCat(argument, ": expected ", what, " ", *expected, ", got ", got));
}

// TensorFlow's own threads.
inline Workers PoolWorkers(tensorflow::OpKernelContext* context) {
  const auto* threads = context->device()->tensorflow_cpu_worker_threads();
  Workers workers;
  workers.count = threads->num_threads;
  workers.pool = threads->workers;
  workers.run = [](void* pool, int tasks, void (*body)(void*, int), void* argument) {
    if (tasks == 1) {
      body(argument, 0);
      return;
    }
    using tsl::thread::ThreadPool;
    const ThreadPool::SchedulingParams one_by_one(ThreadPool::SchedulingStrategy::kFixedBlockSize, std::nullopt, 1);
    static_cast<ThreadPool*>(pool)->ParallelFor(tasks, one_by_one, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(argument, static_cast<int>(i));
    });
  };
  return workers;
}

// Memory for kernels, from TensorFlow's allocator.
inline absl::Status AllocateWorkspace(tensorflow::OpKernelContext* context, size_t bytes,
                                      tensorflow::Tensor* workspace) {
  const tensorflow::TensorShape shape({static_cast<int64_t>(bytes)});
  return context->allocate_temp(tensorflow::DT_UINT8, shape, workspace);
}

}  // namespace tf_pose3d

#endif  // TF_POSE3D_OPS_OP_SUPPORT_H_
