// What follows the steps of a sweep, for some of the networks.
#pragma once

#include "checks.h"

namespace mlp_gibbs {

// Statistics (D, K R, 4) by slot of networks begin to end - 1, put in the order of the temperatures that they were done at:
// to `to` (4, D, K, R) and added to `sums`. False for a slot out of range.
bool count_statistics(const ExchangeCall& call, const double* statistics, int64_t begin, int64_t end, double* to, double* sums);

// One round of swaps of networks begin to end - 1 with uniforms of the stream, which go to u (D, P, R). False likewise.
bool swap_networks(const ExchangeCall& call, const StreamAddress& stream, int64_t parity, int64_t begin, int64_t end, double* u);

void check_permutation(bool is_permutation, int64_t n_temperatures);

}  // namespace mlp_gibbs
