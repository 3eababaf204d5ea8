// Marks functions that run on the CPU and, where nvcc compiles them, on the GPU too.
#ifndef TF_POSE3D_OPS_HOST_DEVICE_H_
#define TF_POSE3D_OPS_HOST_DEVICE_H_

#ifdef __CUDACC__
#define TF_POSE3D_HOST_DEVICE __host__ __device__
#else
#define TF_POSE3D_HOST_DEVICE
#endif

#endif  // TF_POSE3D_OPS_HOST_DEVICE_H_
