// Stands in for the CUDA runtime, so that cpp_ext/cuda/*.cu compile as plain C++ and their kernels run on the host:
// every thread of the grid, one after another, in an order that no result may depend on.
#pragma once

#include <cstdint>

#define __global__
#define __device__

enum cudaError_t { cudaSuccess = 0 };
using cudaStream_t = void*;
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }

struct Dim3 {
  unsigned x = 0;
};
inline thread_local Dim3 gridDim, blockDim, blockIdx, threadIdx;

// At most three blocks, whatever was asked for: the stride loop of the kernel has to reach the rest.
template <typename Kernel>
void host_launch(int blocks, int threads, cudaStream_t, Kernel kernel) {
  gridDim.x = blocks < 3 ? blocks : 3;
  blockDim.x = threads;
  for (unsigned b = gridDim.x; b-- > 0;) {
    for (unsigned t = blockDim.x; t-- > 0;) {
      blockIdx.x = b;
      threadIdx.x = t;
      kernel();
    }
  }
}
