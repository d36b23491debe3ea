// Replica exchange and overlap sums on the CPU.
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "exchange_networks.h"
#include "streams.h"

namespace mlp_gibbs {

bool count_statistics(const ExchangeCall& call, const double* statistics, int64_t begin, int64_t end, double* to, double* sums) {
  const int64_t k = call.ladders.n_temperatures, r = call.ladders.n_replicas, n_chains = call.ladders.n_networks * k * r;
  for (int64_t at = begin * k * r; at < end * k * r; ++at) {
    const int64_t slot = call.arrays.slot_of_temp[at], of_network = at / (k * r) * (k * r);
    if (slot < 0 || slot >= k) return false;
    const double* chain = statistics + 4 * (of_network + slot * r + at % r);
    for (int64_t i = 0; i < 4; ++i) {
      to[i * n_chains + at] = chain[i];
      sums[i * n_chains + at] += chain[i];
    }
  }
  return true;
}

bool swap_networks(const ExchangeCall& call, const StreamAddress& stream, int64_t parity, int64_t begin, int64_t end, double* u) {
  const int64_t r = call.ladders.n_replicas, n_pairs = call.ladders.n_pairs(parity);
  std::vector<double> rows(static_cast<size_t>((end - begin) * r * n_pairs));  // (network, replica, pair)
  fill_uniforms(stream, begin * r, end * r, rows.data());
  for (int64_t of = begin; of < end; ++of) {
    for (int64_t pair = 0; pair < n_pairs; ++pair) {
      for (int64_t s = 0; s < r; ++s) u[(of * n_pairs + pair) * r + s] = rows[((of - begin) * r + s) * n_pairs + pair];
    }
  }
  bool is_permutation = true;
  for (int64_t at = begin * n_pairs * r; at < end * n_pairs * r; ++at) {
    is_permutation &= decide_swap_at(call.arrays, call.ladders, parity, at);
  }
  return is_permutation;
}

void check_permutation(bool is_permutation, int64_t n_temperatures) {
  TORCH_CHECK_VALUE(is_permutation, "slot_of_temp must hold permutations of 0..", n_temperatures - 1,
                    " along axis 1, found a slot outside; accept_sum is NaN there");
}

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
  check_permutation(is_permutation, call.ladders.n_temperatures);
}

void overlap_accumulate_(const at::Tensor& overlap, double lower, double upper, at::Tensor& histogram,
                         at::Tensor& moment_sum) {
  check_overlap(overlap, lower, upper, histogram, moment_sum);
  const at::Tensor contiguous = overlap.contiguous();
  check_apart({read(contiguous, "overlap"), written(histogram, "histogram"), written(moment_sum, "moment_sum")});
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

// What follows the steps of a sweep: their statistics (D, K R, 4) by slot, put into the order of the temperatures that they
// were done at, as the result (4, D, K, R) and added to `sums`; then the exchange, with uniforms of the stream, of one
// parity, or none for parity = -1.
at::Tensor count_and_swap_(const at::Tensor& statistics, const at::Tensor& energy, const at::Tensor& beta, int64_t seed,
                           int64_t purpose, const at::Tensor& network, const at::Tensor& replica, int64_t step,
                           int64_t parity, at::Tensor& slot_of_temp, at::Tensor& temp_of_slot, at::Tensor& accept_sum,
                           at::Tensor& swap_count, at::Tensor& direction, at::Tensor& round_trips, at::Tensor& sums) {
  TORCH_CHECK_VALUE(parity >= -1 && parity <= 1, "parity must be 0, 1 or -1 for no exchange, found ", parity);
  TORCH_CHECK_VALUE(energy.dim() == 3, "energy must have shape (D, K, R), found ", energy.sizes());
  const int64_t d = energy.size(0), k = energy.size(1), r = energy.size(2);
  const int64_t some_parity = parity < 0 ? 0 : parity, n_pairs = (k - some_parity) / 2;
  at::Tensor u = at::empty({d, n_pairs, r}, energy.options().dtype(at::kDouble));
  const ExchangeCall call = checked_exchange(u, energy, beta, some_parity, slot_of_temp, temp_of_slot, accept_sum,
                                             swap_count, direction, round_trips);
  const StreamCall stream = checked_cpu_stream(seed, purpose, network, replica, step, n_pairs, UNIFORMS_PER_BLOCK);
  check_shape(network, "network", {d});
  check_shape(replica, "replica", {r});
  check_dtype(statistics, "statistics", at::kDouble);
  check_shape(statistics, "statistics", {d, k * r, 4});
  check_dtype(sums, "sums", at::kDouble);
  check_shape(sums, "sums", {4, d, k, r});
  check_written(sums, "sums");
  const at::Tensor by_slot = statistics.contiguous();
  check_apart({read(by_slot, "statistics"), read(call.energy, "energy"), read(call.beta, "beta"),
               read(stream.network, "network"), read(stream.chain, "replica"), written(slot_of_temp, "slot_of_temp"),
               written(temp_of_slot, "temp_of_slot"), written(accept_sum, "accept_sum"),
               written(swap_count, "swap_count"), written(direction, "direction"), written(round_trips, "round_trips"),
               written(sums, "sums")});
  at::Tensor in_order = at::empty({4, d, k, r}, sums.options());
  const double* from = by_slot.const_data_ptr<double>();
  double *to = in_order.mutable_data_ptr<double>(), *sum = sums.mutable_data_ptr<double>(), *us = u.mutable_data_ptr<double>();
  std::atomic<bool> is_permutation{true};
  at::parallel_for(0, d, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, k * r)), [&](int64_t begin, int64_t end) {
    bool is_right = count_statistics(call, from, begin, end, to, sum);
    if (is_right && parity >= 0 && n_pairs > 0) is_right = swap_networks(call, stream.address, parity, begin, end, us);
    if (!is_right) is_permutation = false;
  });
  check_permutation(is_permutation, k);
  return in_order;
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) {
  m.impl("count_and_swap_", &count_and_swap_);
  m.impl("deo_swap_", &deo_swap_);
  m.impl("overlap_accumulate_", &overlap_accumulate_);
}

}  // namespace
}  // namespace mlp_gibbs
