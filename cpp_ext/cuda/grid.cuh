// One thread an element, looping with the stride of the grid when there are more elements than threads.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace mlp_gibbs::cuda {

constexpr int THREADS = 256;
constexpr int64_t MAX_BLOCKS = int64_t{1} << 20;  // beyond it the stride loop takes over

inline int blocks_for(int64_t n) {
  const int64_t blocks = (n + THREADS - 1) / THREADS;
  return static_cast<int>(blocks < MAX_BLOCKS ? blocks : MAX_BLOCKS);
}

template <typename Element>
__global__ void for_each_kernel(int64_t n, Element element) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) element(i);
}

// Runs element(i) for i in [0, n). cudaPeekAtLastError leaves the error for the caller's own check to find again.
template <typename Element>
cudaError_t for_each(int64_t n, Element element, cudaStream_t stream) {
  if (n <= 0) return cudaSuccess;
#if defined(__CUDACC__)
  for_each_kernel<<<blocks_for(n), THREADS, 0, stream>>>(n, element);
#else  // tests/cpp_ext/host_cuda runs the same kernel as plain C++, where no GPU is
  host_launch(blocks_for(n), THREADS, stream, [&] { for_each_kernel(n, element); });
#endif
  return cudaPeekAtLastError();
}

}  // namespace mlp_gibbs::cuda
