// The instruction sets that kernels are compiled for, and the choice among them when the library runs.
#ifndef TF_POSE3D_OPS_INSTRUCTION_SETS_H_
#define TF_POSE3D_OPS_INSTRUCTION_SETS_H_

#include <cstdlib>
#include <cstring>

namespace tf_pose3d {

enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

// As WidestInstructionSet, found anew.
inline InstructionSet FindWidestInstructionSet() {
#ifdef TF_POSE3D_X86
  const char* most = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (most == nullptr) most = "";
  const auto bounded = [most](const char* name) { return std::strncmp(most, name, std::strlen(name)) == 0; };
  const bool avx2_at_most = bounded("AVX2");
  if (bounded("SSE") || std::strcmp(most, "AVX") == 0) return InstructionSet::kBaseline;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return InstructionSet::kBaseline;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 && !avx2_at_most ? InstructionSet::kAvx512 : InstructionSet::kAvx2;
#else
  return InstructionSet::kBaseline;
#endif
}

// The widest that this machine runs. oneDNN's ONEDNN_MAX_CPU_ISA, which bounds TensorFlow's own kernels, bounds
// these as well; it is read once.
inline InstructionSet WidestInstructionSet() {
  static const InstructionSet widest = FindWidestInstructionSet();
  return widest;
}

}  // namespace tf_pose3d

// What `call` gives in the namespace of the widest instruction set.
#ifdef TF_POSE3D_X86
#define TF_POSE3D_WIDEST(call)                                             \
  (WidestInstructionSet() == InstructionSet::kAvx512 ? avx512::call        \
   : WidestInstructionSet() == InstructionSet::kAvx2 ? avx2::call          \
                                                     : baseline::call)
#else
#define TF_POSE3D_WIDEST(call) baseline::call
#endif

// Declares Get<Kernels>() of every instruction set, and Best<Kernels>(), which calls the widest one's.
#define TF_POSE3D_DECLARE(Kernels)                              \
  namespace baseline {                                          \
  Kernels Get##Kernels();                                       \
  }                                                             \
  namespace avx2 {                                              \
  Kernels Get##Kernels();                                       \
  }                                                             \
  namespace avx512 {                                            \
  Kernels Get##Kernels();                                       \
  }                                                             \
  inline Kernels Best##Kernels() { return TF_POSE3D_WIDEST(Get##Kernels()); }

#endif  // TF_POSE3D_OPS_INSTRUCTION_SETS_H_
