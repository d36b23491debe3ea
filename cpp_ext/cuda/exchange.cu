#include "grid.cuh"
#include "launch.h"

namespace mlp_gibbs::cuda {
namespace {

struct Swap {
  ExchangeArrays arrays;
  Ladders ladders;
  int64_t parity;
  // A slot out of range cannot stop the run from here: it makes accept_sum NaN, which the reader of the rates reports.
  __device__ void operator()(int64_t i) const { decide_swap_at(arrays, ladders, parity, i); }
};

struct Overlaps {
  const double* overlap;
  int64_t n_pairs;
  double lower, upper;
  int64_t n_bins;
  int64_t* histogram;
  double* moment_sum;
  __device__ void operator()(int64_t row) const {
    accumulate_overlaps(overlap + row * n_pairs, n_pairs, lower, upper, n_bins, histogram + row * (n_bins + 2),
                        moment_sum + row * 4);
  }
};

}  // namespace

cudaError_t deo_swap(const ExchangeArrays& arrays, Ladders ladders, int64_t parity, cudaStream_t stream) {
  return for_each(ladders.n_decisions(parity), Swap{arrays, ladders, parity}, stream);
}

cudaError_t overlap_accumulate(const double* overlap, int64_t n_rows, int64_t n_pairs, double lower, double upper,
                               int64_t n_bins, int64_t* histogram, double* moment_sum, cudaStream_t stream) {
  return for_each(n_rows, Overlaps{overlap, n_pairs, lower, upper, n_bins, histogram, moment_sum}, stream);
}

}  // namespace mlp_gibbs::cuda
