// Numbers of some rows of a stream, on the thread that asks.
#pragma once

#include "../core/streams.h"
#include "checks.h"

namespace mlp_gibbs {

// As `checked_stream`, the ids looked at too.
StreamCall checked_cpu_stream(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain,
                              int64_t step, int64_t n, int64_t per_block);

// Rows first to last - 1 of the (D x C, n) numbers, to `out` (last - first, n).
void fill_normals(const StreamAddress& stream, int64_t first, int64_t last, float* out);
void fill_uniforms(const StreamAddress& stream, int64_t first, int64_t last, double* out);

}  // namespace mlp_gibbs
