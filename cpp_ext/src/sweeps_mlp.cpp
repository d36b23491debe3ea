// Whole sweeps of every network in one operator.
//
// Networks never meet, so a thread takes one through all the sweeps (`SweepWorker`) while its weights and chains are in the
// cache.
#include <tuple>

#include "sweep_worker.h"

namespace mlp_gibbs {
namespace {

constexpr int64_t MOST = 10'000;  // sweeps of a call, and steps of a sweep: nothing stops them

// All networks, on all threads; a thread that is done takes the next.
bool run_all(const SweepsCall& call) {
  const int64_t n_tiles = tiles_per_job(call.networks, call.n_chains()), n_networks = call.ladders().n_networks;
  Pieces count;
  { const SweepWorker counted(call, count, n_tiles); }
  std::atomic<int64_t> next{0};
  std::atomic<bool> is_right{true};
  at::parallel_for(0, std::min<int64_t>(n_networks, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    Pieces pieces(scratch(count.used()));
    SweepWorker worker(call, pieces, n_tiles);
    for (int64_t network = next++; network < n_networks; network = next++) {
      if (!worker.run(network)) is_right = false;
    }
  });
  return is_right;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> sweeps_mlp_(
    at::Tensor& x, at::Tensor& energy, at::Tensor& grad, const at::Tensor& beta, const at::Tensor& step_size,
    const at::Tensor& n_leapfrog, int64_t reproject_every, double jitter, int64_t seed, at::IntArrayRef purposes,
    const at::Tensor& network, const at::Tensor& chain, const at::Tensor& replica, int64_t first_sweep, int64_t n_sweeps,
    int64_t steps_per_sweep, bool is_exchanging, at::Tensor& slot_of_temp, at::Tensor& temp_of_slot, at::Tensor& accept_sum,
    at::Tensor& swap_count, at::Tensor& direction, at::Tensor& round_trips, at::Tensor& sums, at::Tensor& nonfinite_step,
    at::Tensor& nonfinite_beta, int64_t until_draw, int64_t draw_every, bool with_overlaps,
    c10::ArrayRef<double> variances, at::TensorList backward_float32, MLP_GIBBS_NETWORK_PARAMETERS) {
  const Networks networks = checked_networks(MLP_GIBBS_NETWORK_ARGUMENTS);
  const Networks in_float32 = networks.plain.force_parts == 3 || !with_overlaps
                                  ? networks
                                  : checked_networks(widths, for_energy, backward_float32, for_energy, biases, readout,
                                                     activation, parameters, "float32", engine);
  check_written(x, "x");
  checked_positions(x, networks);
  TORCH_CHECK_VALUE(slot_of_temp.dim() == 3, "slot_of_temp must have shape (D, K, R), found ", slot_of_temp.sizes());
  const int64_t d = x.size(0), c = x.size(1), n0 = x.size(2), k = slot_of_temp.size(1), r = slot_of_temp.size(2);
  const int64_t depth = networks.plain.depth, n_layers = depth + 1;
  check_shape(x, "x", {d, k * r, n0});
  checked_output<double>(energy, "energy", at::kDouble, {d, c});
  check_shape(n_leapfrog, "n_leapfrog", {k});
  TORCH_CHECK_VALUE(n_sweeps >= 1 && n_sweeps <= MOST && steps_per_sweep >= 1 && steps_per_sweep <= MOST,
                    "n_sweeps and steps_per_sweep must be in [1, ", MOST, "], found ", n_sweeps, " and ", steps_per_sweep);
  TORCH_CHECK_VALUE(first_sweep >= 0 && first_sweep < (int64_t{1} << 32), "first_sweep must be in [0, 2^32), found ", first_sweep);
  TORCH_CHECK_VALUE(reproject_every >= 1 && draw_every >= 1 && until_draw >= 0,
                    "reproject_every and draw_every must be at least 1 and until_draw at least 0, found ", reproject_every, ", ",
                    draw_every, " and ", until_draw);
  TORCH_CHECK_VALUE(purposes.size() == 4, "purposes must be those of the uniforms, the momenta, the swaps and the redraws, found ",
                    purposes);
  TORCH_CHECK_VALUE(static_cast<int64_t>(variances.size()) == depth, "variances must have ", depth, " numbers, found ",
                    variances.size());
  const int64_t last_sweep = first_sweep + n_sweeps - 1;
  const at::Tensor by_slot = energy.view({d, k, r}), steps = n_leapfrog.contiguous().view({1, k});
  at::Tensor u = at::empty({2, d * (k / 2) * r}, energy.options());
  const auto exchange_of = [&](int64_t parity) {
    const int64_t n_pairs = (k - parity) / 2;
    return checked_exchange(u[parity].narrow(0, 0, d * n_pairs * r).view({d, n_pairs, r}), by_slot, beta, parity, slot_of_temp,
                            temp_of_slot, accept_sum, swap_count, direction, round_trips);
  };
  const ExchangeCall exchange[2] = {exchange_of(0), exchange_of(1)};
  const auto stream = [&](int which, const at::Tensor& chains, int64_t step, int64_t n, int64_t per_block) {
    return checked_cpu_stream(seed, purposes[which], network, chains, step, n, per_block);
  };
  const int64_t last_step = (last_sweep + 1) * steps_per_sweep - 1;
  const StreamCall accept = stream(0, chain, last_step, 2, UNIFORMS_PER_BLOCK), redraw = stream(3, chain, last_step, n0, NORMALS_PER_BLOCK),
                   momentum = stream(1, chain, last_step, n0, NORMALS_PER_BLOCK), swap = stream(2, replica, last_sweep, k / 2, UNIFORMS_PER_BLOCK);
  check_shape(network, "network", {d});
  check_shape(chain, "chain", {c});
  check_shape(replica, "replica", {r});
  const DrawSchedule schedule{n_sweeps, until_draw, draw_every};
  const int64_t n = schedule.n_draws(), of_overlaps = with_overlaps ? n : 0, of_pairs = r > 1 ? of_overlaps : 0;
  const auto empty = [&](at::IntArrayRef shape) { return at::empty(shape, energy.options()); };
  at::Tensor statistics = empty({d, c, 4}), in_order = empty({4, d, k, r}), energies = empty({n, d, k, r}),
             between = empty({of_overlaps, d, k, r * (r - 1) / 2, n_layers}), within = empty({of_overlaps, d, k, r, n_layers}),
             excess = empty({of_pairs, d, k, depth}), response = empty({of_pairs, d, k, depth});
  std::vector<Memory> memory{
      written(x, "x"), written(energy, "energy"), written(grad, "grad"), written(slot_of_temp, "slot_of_temp"),
      written(temp_of_slot, "temp_of_slot"), written(accept_sum, "accept_sum"), written(swap_count, "swap_count"),
      written(direction, "direction"), written(round_trips, "round_trips"), written(sums, "sums"),
      written(nonfinite_step, "nonfinite_step"), written(nonfinite_beta, "nonfinite_beta"), read(beta, "beta"),
      read(step_size, "step_size"), read(steps, "n_leapfrog"), read(network, "network"), read(chain, "chain"),
      read(replica, "replica")};
  for (const at::Tensor& t : networks.alive) memory.push_back(read(t, "biases or readout"));
  for (const at::TensorList packed : {forward, backward, for_energy, backward_float32}) {
    for (const at::Tensor& t : packed) memory.push_back(read(t, "weights"));
  }
  const SweepsCall call{networks,
                  in_float32,
                  variances,
                  {accept.address, momentum.address, jitter},
                  swap.address,
                  redraw.address,
                  exchange,
                  {u.mutable_data_ptr<double>(), u.mutable_data_ptr<double>() + u.size(1)},
                  checked_numbers<double>(beta, "beta", at::kDouble, {k}),
                  checked_numbers<float>(step_size, "step_size", at::kFloat, {k}),
                  checked_n_leapfrog(steps, 1, k),
                  reproject_every,
                  first_sweep,
                  steps_per_sweep,
                  is_exchanging,
                  with_overlaps,
                  schedule,
                  checked_output<float>(x, "x", at::kFloat, {d, c, n0}),
                  checked_output<float>(grad, "grad", at::kFloat, {d, c, n0}),
                  checked_output<double>(energy, "energy", at::kDouble, {d, c}),
                  statistics.mutable_data_ptr<double>(),
                  in_order.mutable_data_ptr<double>(),
                  checked_output<double>(sums, "sums", at::kDouble, {4, d, k, r}),
                  checked_output<int64_t>(nonfinite_step, "nonfinite_step", at::kLong, {d, c}),
                  checked_output<double>(nonfinite_beta, "nonfinite_beta", at::kDouble, {d, c}),
                  {energies.mutable_data_ptr<double>(), between.mutable_data_ptr<double>(), within.mutable_data_ptr<double>(),
                   excess.mutable_data_ptr<double>(), response.mutable_data_ptr<double>()}};
  check_apart(memory);
  check_permutation(run_all(call), k);
  return {in_order, energies, between, within, excess, response};
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) { m.impl("sweeps_mlp_", &sweeps_mlp_); }

}  // namespace
}  // namespace mlp_gibbs
