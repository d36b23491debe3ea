// The layers of some chains of one network, and the products of the rows of a ladder: overlaps, identities of the weights.
#pragma once

#include <vector>

#include "mlp_call.h"
#include "rows.h"

namespace mlp_gibbs {

// Rows of chains: a^l, z^l = h^l - b^l and dH/dh^l, for l = 1 to L at [l - 1].
struct Layers {
  float *values[MAX_DEPTH], *weighted[MAX_DEPTH], *derivatives[MAX_DEPTH];

  Layers(Pieces& pieces, const MlpWeights& weights, int64_t n_chains);
  // The same from a chain on.
  Layers from(const MlpWeights& weights, int64_t chain) const;
  // Row `other_row` of `other` to row `row`.
  void copy_row(const MlpWeights& weights, int64_t row, const Layers& other, int64_t other_row) const;
};

// Numbers that show_layers wants for n chains at once, beside the scratch memory of a job.
struct LayersScratch {
  int64_t chains_at_once;
  double* energy;
  void* rest;
};

// Fills the layers of the n chains of one network that are at rows x; the derivatives only where they are asked for.
void show_layers(const Networks& networks, int64_t network, const float* x, int64_t n, bool with_derivatives,
                 const Layers& layers, const LayersScratch& scratch);

// Results of a ladder, that is of the R replicas at one temperature of one network, at its place in the tensors.
struct LadderResults {
  double *between, *within, *excess, *response;  // (pairs, L + 1), (R, L + 1), (L,), (L,)
};

// The products of the rows of one ladder, sums in float64.
class Products {
 public:
  Products(const MlpWeights& weights, c10::ArrayRef<double> variances, int64_t n_replicas);

  // All of the ladder whose replicas are rows rows[0] to rows[R - 1] of x and of the layers.
  void multiply(const float* x, const Layers& layers, const int64_t* rows, const LadderResults& to);

 private:
  void overlaps(const float* a, const int64_t* rows, int64_t n, double* between, double* within);
  void identity(const float* z, const float* d, const int64_t* rows, int64_t n, double variance, const double* between,
                const double* within, double& excess, double& response);
  void widen(int64_t of, const float* from, const int64_t* rows, int64_t n);
  double* row(int64_t of, int64_t r) { return numbers_.data() + (of * r_ + r) * widest_; }
  double mean(int64_t of, int64_t r, int64_t with, int64_t s, int64_t n) {
    return kernels_.dot_wide(row(of, r), row(with, s), n) / static_cast<double>(n);
  }

  const MlpWeights& weights_;
  c10::ArrayRef<double> variances_;
  int64_t r_, n_layers_, widest_;
  std::vector<double> numbers_;
  const RowKernels& kernels_ = row_kernels();
};

}  // namespace mlp_gibbs
