// One HMC transition of every chain in one operator: noise, trajectory, Metropolis test.
//
// A job takes its chains through all of it while they are in the cache. The numbers are those of the operators that do
// the same one after another (philox_*, project_tangent, leapfrog_mlp, energy_error, metropolis, keep_rows_), bit by bit.
#include <cstring>
#include <tuple>

#include "transition.h"

namespace mlp_gibbs {
namespace {

// The arrays from `row` on, with the noise, step sizes and changes of kinetic energy of a job.
MlpChains rows_of(MlpChains chains, int64_t row, int64_t n0, const TransitionRows& mine) {
  chains.x += row * n0;
  chains.grad += row * n0;
  if (chains.fresh != nullptr) chains.fresh += row * n0;
  chains.beta += row;
  chains.n_leapfrog += row;
  chains.x_out += row * n0;
  chains.grad_out += row * n0;
  chains.energy_out += row;
  chains.p = mine.noise;
  chains.step_size = mine.step_size;
  chains.kinetic_change_out = mine.kinetic_change;
  return chains;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> hmc_mlp(
    const at::Tensor& x, const at::Tensor& energy, const at::Tensor& grad, const std::optional<at::Tensor>& fresh,
    const at::Tensor& beta, const at::Tensor& step_size, const at::Tensor& n_leapfrog, int64_t reproject_every,
    double jitter, int64_t seed, at::IntArrayRef purposes, const at::Tensor& network, const at::Tensor& chain,
    int64_t step, MLP_GIBBS_NETWORK_PARAMETERS) {
  const Networks networks = checked_networks(MLP_GIBBS_NETWORK_ARGUMENTS);
  const at::Tensor from = checked_positions(x, networks);
  const int64_t d = x.size(0), c = x.size(1), n0 = x.size(2);
  TORCH_CHECK_VALUE(purposes.size() == 2, "purposes must be those of the uniforms and of the momenta, found ", purposes);
  const StreamCall accept = checked_cpu_stream(seed, purposes[0], network, chain, step, 2, UNIFORMS_PER_BLOCK);
  const StreamCall momentum = checked_cpu_stream(seed, purposes[1], network, chain, step, n0, NORMALS_PER_BLOCK);
  const TransitionNoise noise{accept.address, momentum.address, jitter};
  TORCH_CHECK_VALUE(network.size(0) == d && chain.size(0) == c, "network and chain must have ", d, " and ", c,
                    " ids, found ", network.size(0), " and ", chain.size(0));
  TORCH_CHECK_VALUE(reproject_every >= 1, "reproject_every must be at least 1, found ", reproject_every);
  const at::Tensor b = beta.contiguous(), eps = step_size.contiguous(), n = n_leapfrog.contiguous(),
                   g = grad.contiguous(), e = energy.contiguous(),
                   f = fresh.has_value() ? fresh->contiguous() : at::Tensor();
  MlpChains chains{};
  chains.x = from.const_data_ptr<float>();
  chains.grad = checked_numbers<float>(g, "grad", at::kFloat, {d, c, n0});
  chains.fresh = fresh.has_value() ? checked_numbers<float>(f, "fresh", at::kFloat, {d, c, n0}) : nullptr;
  chains.beta = checked_numbers<double>(b, "beta", at::kDouble, {d, c});
  chains.step_size = checked_numbers<float>(eps, "step_size", at::kFloat, {d, c});
  chains.n_leapfrog = checked_n_leapfrog(n, d, c);
  chains.reproject_every = reproject_every;
  const double* energy_before = checked_numbers<double>(e, "energy", at::kDouble, {d, c});

  at::Tensor x_out = at::empty({d, c, n0}, x.options()), grad_out = at::empty_like(x_out);
  at::Tensor energy_out = at::empty({d, c}, x.options().dtype(at::kDouble));
  at::Tensor statistics = at::empty({d, c, 4}, energy_out.options());
  at::Tensor is_accepted = at::empty({d, c}, x.options().dtype(at::kBool)), is_nonfinite = at::empty_like(is_accepted);
  chains.x_out = x_out.mutable_data_ptr<float>();
  chains.grad_out = grad_out.mutable_data_ptr<float>();
  chains.energy_out = energy_out.mutable_data_ptr<double>();
  double* to_statistics = statistics.mutable_data_ptr<double>();
  bool *yes = is_accepted.mutable_data_ptr<bool>(), *bad = is_nonfinite.mutable_data_ptr<bool>();

  const int64_t n_tiles = tiles_per_job(networks, c);
  const int64_t chains_per_job = n_tiles * networks.kernels.chains_per_tile;
  Pieces count;
  TransitionRows(count, chains_per_job, n0);
  const size_t bytes = count.used() + networks.kernels.scratch_bytes(networks.plain, n_tiles);
  const size_t row_bytes = sizeof(float) * static_cast<size_t>(n0);
  for_each_job(networks, c, n_tiles, [&](const MlpJob& job) {
    Pieces pieces(scratch(bytes));
    const TransitionRows mine(pieces, chains_per_job, n0);
    mine.draw(noise, job.row, job.n_chains, n0, chains.x + job.row * n0, chains.step_size + job.row);
    networks.kernels.run(networks.plain, rows_of(chains, job.row, n0, mine), MlpJob{job.network, 0, job.n_chains},
                         pieces.take<char>(0));
    for (int64_t i = 0; i < job.n_chains; ++i) {
      const int64_t at = job.row + i;
      yes[at] = mine.decide(i, chains.beta[at], energy_before[at], chains.energy_out[at], to_statistics + 4 * at, bad[at]);
      if (yes[at]) continue;
      std::memcpy(chains.x_out + at * n0, chains.x + at * n0, row_bytes);
      std::memcpy(chains.grad_out + at * n0, chains.grad + at * n0, row_bytes);
      chains.energy_out[at] = energy_before[at];
    }
  });
  return {x_out, energy_out, grad_out, statistics, is_accepted, is_nonfinite};
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) { m.impl("hmc_mlp", &hmc_mlp); }

}  // namespace
}  // namespace mlp_gibbs
