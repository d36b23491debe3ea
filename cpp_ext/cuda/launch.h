// Launchers of the CUDA kernels: raw device pointers, a stream, no torch headers. Each returns the launch's own error;
// a grid of nothing is not launched. Every kernel gives one thread one element, by the function in core/ that the CPU
// runs too, so that the result depends neither on the grid nor on the order of the threads.
#pragma once

#include <cuda_runtime_api.h>

#include "../core/exchange.h"
#include "../core/streams.h"

namespace mlp_gibbs::cuda {

cudaError_t philox4x32(const int64_t* counter, const int64_t* key, int64_t n, int64_t* out, cudaStream_t stream);
cudaError_t uniforms(const StreamAddress& address, double* out, cudaStream_t stream);
cudaError_t normals(const StreamAddress& address, double* out, cudaStream_t stream);
cudaError_t normals(const StreamAddress& address, float* out, cudaStream_t stream);

cudaError_t deo_swap(const ExchangeArrays& arrays, Ladders ladders, int64_t parity, cudaStream_t stream);

// overlap (n_rows, n_pairs), histogram (n_rows, n_bins + 2), moment_sum (n_rows, 4)
cudaError_t overlap_accumulate(const double* overlap, int64_t n_rows, int64_t n_pairs, double lower, double upper,
                               int64_t n_bins, int64_t* histogram, double* moment_sum, cudaStream_t stream);

}  // namespace mlp_gibbs::cuda
