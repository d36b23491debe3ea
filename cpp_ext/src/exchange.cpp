// Replica exchange and overlap sums on the CPU.
#include <ATen/Parallel.h>

#include <atomic>

#include "checks.h"

namespace mlp_gibbs {
namespace {

void deo_swap_(const at::Tensor& u, const at::Tensor& energy, const at::Tensor& beta, int64_t parity,
               at::Tensor& slot_of_temp, at::Tensor& temp_of_slot, at::Tensor& accept_sum, at::Tensor& swap_count,
               at::Tensor& direction, at::Tensor& round_trips) {
  const ExchangeCall call = checked_exchange(u, energy, beta, parity, slot_of_temp, temp_of_slot, accept_sum, swap_count,
                                             direction, round_trips);
  std::atomic<bool> is_permutation{true};
  at::parallel_for(0, call.ladders.n_decisions(parity), 1024, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      if (!decide_swap_at(call.arrays, call.ladders, parity, at)) is_permutation = false;
    }
  });
  TORCH_CHECK_VALUE(is_permutation, "slot_of_temp must hold permutations of 0..", call.ladders.n_temperatures - 1,
                    " along axis 1, found a slot outside; accept_sum is NaN there");
}

void overlap_accumulate_(const at::Tensor& overlap, double lower, double upper, at::Tensor& histogram,
                         at::Tensor& moment_sum) {
  check_overlap(overlap, lower, upper, histogram, moment_sum);
  const at::Tensor contiguous = overlap.contiguous();
  const double* q = contiguous.const_data_ptr<double>();
  int64_t* counts = histogram.mutable_data_ptr<int64_t>();
  double* sums = moment_sum.mutable_data_ptr<double>();
  const int64_t n_pairs = overlap.size(2), n_bins = histogram.size(2) - 2;
  at::parallel_for(0, overlap.size(0) * overlap.size(1), 512, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      accumulate_overlaps(q + row * n_pairs, n_pairs, lower, upper, n_bins, counts + row * (n_bins + 2), sums + row * 4);
    }
  });
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) {
  m.impl("deo_swap_", &deo_swap_);
  m.impl("overlap_accumulate_", &overlap_accumulate_);
}

}  // namespace
}  // namespace mlp_gibbs
