// Loops over one row of float32 numbers, for the widest vectors that the processor has; all give the same bits.
#pragma once

#include <cstdint>

namespace mlp_gibbs {

struct RowKernels {
  double (*dot)(const float* a, const float* b, int64_t n);                             // in float64
  void (*widen)(const float* a, int64_t n, double* out);
  double (*dot_wide)(const double* a, const double* b, int64_t n);                      // `dot` of what was widened
  void (*subtract)(const float* v, const float* x, float along, int64_t n, float* out);  // v - along x; out may be v

  // v - x (x.v)/n; out may be v.
  void project(const float* x, const float* v, int64_t n, float* out) const {
    subtract(v, x, static_cast<float>(dot(x, v, n) / static_cast<double>(n)), n, out);
  }
};

const RowKernels& row_kernels();

}  // namespace mlp_gibbs
