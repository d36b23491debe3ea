// One replica-exchange decision, and one overlap, as pure functions of numbers drawn before.
#pragma once

#include "ieee_math.h"

namespace mlp_gibbs {

// Where the ladders of (network, temperature, replica) lie in memory. All arrays are contiguous, replica fastest.
struct Ladders {
  int64_t n_networks, n_temperatures, n_replicas;

  MLP_GIBBS_HD int64_t n_pairs(int64_t parity) const { return (n_temperatures - parity) / 2; }
  MLP_GIBBS_HD int64_t n_decisions(int64_t parity) const { return n_networks * n_pairs(parity) * n_replicas; }
};

// Everything that an exchange reads and writes.
struct ExchangeArrays {
  const double* u;         // (D, P, R) uniforms in (0, 1)
  const double* energy;    // (D, K, R) by slot, extensive
  const double* beta;      // (K,) increasing
  int64_t* slot_of_temp;   // (D, K, R)
  int64_t* temp_of_slot;   // (D, K, R), its inverse along K
  double* accept_sum;      // (D, K - 1, R)
  int64_t* swap_count;     // (D, K - 1, R)
  int8_t* direction;       // (D, K, R) by slot
  int64_t* round_trips;    // (D, K, R) by slot
};

// The walker in `slot` arrives at an end of its ladder: +1 says hottest (index 0), -1 coldest.
MLP_GIBBS_HD void arrive(const ExchangeArrays& a, int64_t slot, int8_t end) {
  if (end > 0 && a.direction[slot] < 0) a.round_trips[slot] += 1;  // hot -> cold -> hot is complete
  a.direction[slot] = end;
}

// Decides pair number `pair` (temperatures i = parity + 2 pair and i + 1) of one network and replica.
//   log r = (beta_i - beta_{i+1}) (H_i - H_{i+1});  accepted iff u < p = exp(min(0, log r)).
// A NaN log r, and a slot out of range, leave the ladder as it is and put NaN into accept_sum: never a quiet rejection.
// Returns false for a slot out of range, which no sequence of swaps produces.
MLP_GIBBS_HD bool decide_swap(const ExchangeArrays& a, Ladders n, int64_t parity, int64_t network, int64_t pair,
                              int64_t replica) {
  const int64_t i = parity + 2 * pair;
  const int64_t row = network * n.n_temperatures;
  const int64_t at_i = (row + i) * n.n_replicas + replica;
  const int64_t at_j = at_i + n.n_replicas;
  const int64_t at_pair = (network * (n.n_temperatures - 1) + i) * n.n_replicas + replica;
  const int64_t slot_i = a.slot_of_temp[at_i];
  const int64_t slot_j = a.slot_of_temp[at_j];
  if (slot_i < 0 || slot_i >= n.n_temperatures || slot_j < 0 || slot_j >= n.n_temperatures) {
    a.accept_sum[at_pair] = double_of(0x7ff8000000000000ULL);
    return false;
  }
  const int64_t walker_i = (row + slot_i) * n.n_replicas + replica;
  const int64_t walker_j = (row + slot_j) * n.n_replicas + replica;
  const double log_ratio = (a.beta[i] - a.beta[i + 1]) * (a.energy[walker_i] - a.energy[walker_j]);
  const double p = exp_nonpositive(log_ratio);
  a.accept_sum[at_pair] += p;
  if (a.u[(network * n.n_pairs(parity) + pair) * n.n_replicas + replica] < p) {  // false for a NaN p
    a.swap_count[at_pair] += 1;
    a.slot_of_temp[at_i] = slot_j;
    a.slot_of_temp[at_j] = slot_i;
    a.temp_of_slot[walker_i] = i + 1;
    a.temp_of_slot[walker_j] = i;
    if (i == 0) arrive(a, walker_j, 1);
    if (i + 1 == n.n_temperatures - 1) arrive(a, walker_i, -1);
  }
  return true;
}

// Decision number `at` of the (D, P, R) of one parity. No two share a temperature, so they may run in any order.
MLP_GIBBS_HD bool decide_swap_at(const ExchangeArrays& a, Ladders n, int64_t parity, int64_t at) {
  const int64_t row = at / n.n_replicas;
  return decide_swap(a, n, parity, row / n.n_pairs(parity), row % n.n_pairs(parity), at % n.n_replicas);
}

// Adds the overlaps q of one (network, temperature) to its histogram and to the sums of q, q^2, q^3, q^4, in pair order.
// Counts: [0] below lower, [1..B] regular, [B + 1] above upper; upper itself belongs to bin B. A NaN is counted nowhere
// and makes the sums NaN.
MLP_GIBBS_HD void accumulate_overlaps(const double* q, int64_t n_pairs, double lower, double upper, int64_t n_bins,
                                      int64_t* histogram, double* moment_sum) {
  const double bins_per_unit = static_cast<double>(n_bins) / (upper - lower);
  for (int64_t p = 0; p < n_pairs; ++p) {
    const double x = q[p];
    const double x2 = x * x;
    moment_sum[0] += x;
    moment_sum[1] += x2;
    moment_sum[2] += x2 * x;
    moment_sum[3] += x2 * x2;
    if (x < lower) {
      histogram[0] += 1;
    } else if (x > upper) {
      histogram[n_bins + 1] += 1;
    } else if (x == x) {
      const int64_t bin = static_cast<int64_t>((x - lower) * bins_per_unit);
      histogram[1 + (bin < n_bins ? bin : n_bins - 1)] += 1;
    }
  }
}

}  // namespace mlp_gibbs
