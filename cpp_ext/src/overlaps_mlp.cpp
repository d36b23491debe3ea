// Overlaps of replicas in every layer and both sides of the identities of the weights, forward and backward pass included.
//
// A job takes some ladders through the layers and, while these are in the cache, their products.
#include <numeric>
#include <tuple>

#include "layers.h"

namespace mlp_gibbs {
namespace {

// How the ladders of a network are cut into jobs: as many as fill the tiles of one, or a single one.
struct Cut {
  int64_t n_tiles, chains_at_once, ladders_per_job;

  Cut(const Networks& networks, int64_t n_ladders, int64_t n_replicas) {
    n_tiles = tiles_per_job(networks, n_ladders * n_replicas);
    chains_at_once = n_tiles * networks.kernels.chains_per_tile;
    ladders_per_job = std::max<int64_t>(1, chains_at_once / std::max<int64_t>(1, n_replicas));
  }
};

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> overlaps_mlp(const at::Tensor& x, c10::ArrayRef<double> variances,
                                                                        MLP_GIBBS_NETWORK_PARAMETERS) {
  const Networks networks = checked_networks(MLP_GIBBS_NETWORK_ARGUMENTS);
  const MlpWeights& weights = networks.plain;
  TORCH_CHECK_VALUE(x.dim() == 4, "x must have shape (D, K, R, N_0), found ", x.sizes());
  TORCH_CHECK_VALUE(weights.force_parts == 3, "forces must be float32, found '", forces, "'");
  TORCH_CHECK_VALUE(static_cast<int>(variances.size()) == weights.depth, "variances must have ", weights.depth,
                    " numbers, found ", variances.size());
  const int64_t d = x.size(0), k = x.size(1), r = x.size(2), n0 = x.size(3), depth = weights.depth, n_layers = depth + 1;
  const at::Tensor from = checked_positions(x.reshape({d, k * r, n0}), networks);
  const bool has_pairs = r > 1;
  const auto doubles = x.options().dtype(at::kDouble);
  const int64_t n_pairs = r * (r - 1) / 2;
  at::Tensor between = at::empty({d, k, n_pairs, n_layers}, doubles), within = at::empty({d, k, r, n_layers}, doubles);
  at::Tensor excess = at::empty({has_pairs ? d : 0, k, depth}, doubles), response = at::empty_like(excess);
  const LadderResults all{between.mutable_data_ptr<double>(), within.mutable_data_ptr<double>(),
                          excess.mutable_data_ptr<double>(), response.mutable_data_ptr<double>()};
  const Cut cut(networks, k, r);
  Pieces count;
  Layers(count, weights, cut.ladders_per_job * r);
  count.take<double>(cut.chains_at_once);
  const size_t bytes = count.used() + networks.kernels.scratch_bytes(weights, cut.n_tiles);
  const int64_t jobs_per_network = (k + cut.ladders_per_job - 1) / cut.ladders_per_job;
  at::parallel_for(0, d * jobs_per_network, 1, [&](int64_t begin, int64_t end) {
    Products products(weights, variances, r);
    std::vector<int64_t> rows(static_cast<size_t>(r));
    for (int64_t job = begin; job < end; ++job) {
      const int64_t network = job / jobs_per_network, first = job % jobs_per_network * cut.ladders_per_job;
      const int64_t n_ladders = std::min(cut.ladders_per_job, k - first), ladder = network * k + first;
      Pieces pieces(scratch(bytes));
      const Layers layers(pieces, weights, cut.ladders_per_job * r);
      double* energy = pieces.take<double>(cut.chains_at_once);
      const float* positions = from.const_data_ptr<float>() + ladder * r * n0;
      show_layers(networks, network, positions, n_ladders * r, has_pairs, layers,
                  {cut.chains_at_once, energy, pieces.take<char>(0)});
      for (int64_t i = 0; i < n_ladders; ++i) {
        const int64_t at = ladder + i;
        std::iota(rows.begin(), rows.end(), i * r);
        products.multiply(positions, layers, rows.data(),
                          {all.between + at * n_pairs * n_layers, all.within + at * r * n_layers, all.excess + at * depth,
                           all.response + at * depth});
      }
    }
  });
  return {between, within, excess, response};
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) { m.impl("overlaps_mlp", &overlaps_mlp); }

}  // namespace
}  // namespace mlp_gibbs
