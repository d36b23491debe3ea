// Overlaps of replicas in every layer and both sides of the identities of the weights, forward and backward pass included.
//
// A job takes some ladders through the layers and, while these are in the cache, their products.
#include <tuple>

#include "mlp_call.h"
#include "rows.h"

namespace mlp_gibbs {
namespace {

// Results of a ladder, that is of the R replicas at one temperature of one network, at its place in the tensors.
struct Results {
  double *between, *within, *excess, *response;  // (pairs, L + 1), (R, L + 1), (L,), (L,)
};

// The products of the rows of one ladder, sums in float64.
class Products {
 public:
  Products(int64_t n_replicas, int64_t widest) : r_(n_replicas), widest_(widest), rows_(3 * n_replicas * widest) {}

  // q^l = a^l . a'^l / N_l of all pairs and r^l = |a^l|^2 / N_l of R rows of n numbers: to every n_layers-th number.
  void overlaps(const float* a, int64_t n, int64_t n_layers, double* between, double* within) {
    widen(0, a, n);
    for (int64_t r = 0; r < r_; ++r) {
      within[r * n_layers] = mean(0, r, 0, r, n);
      for (int64_t s = r + 1; s < r_; ++s, between += n_layers) *between = mean(0, r, 0, s, n);
    }
  }

  // z are R rows of h - b, d of dH/dh; q and r are the overlaps of the layer below, as `overlaps` wrote them. See
  // mcmc/systems/mlp/weight_identity.py.
  void identity(const float* z, const float* d, int64_t n, double variance, int64_t n_layers, const double* between,
                const double* within, double& excess, double& response) {
    widen(1, z, n);
    widen(2, d, n);
    double norm = 0, alone = 0, crossed = 0;
    for (int64_t r = 0; r < r_; ++r) {
      norm += mean(1, r, 1, r, n) - variance * within[r * n_layers];
      alone += within[r * n_layers] * mean(1, r, 2, r, n);
      for (int64_t s = r + 1; s < r_; ++s, between += n_layers) crossed += *between * (mean(1, r, 2, s, n) + mean(1, s, 2, r, n));
    }
    const double n_replicas = static_cast<double>(r_), n_pairs = static_cast<double>(r_ * (r_ - 1) / 2);
    excess = norm / n_replicas;
    response = variance * (alone / n_replicas - 0.5 * (crossed / n_pairs));
  }

 private:
  double* row(int64_t of, int64_t r) { return rows_.data() + (of * r_ + r) * widest_; }
  void widen(int64_t of, const float* from, int64_t n) {
    for (int64_t r = 0; r < r_; ++r) kernels_.widen(from + r * n, n, row(of, r));
  }
  double mean(int64_t of, int64_t r, int64_t with, int64_t s, int64_t n) {
    return kernels_.dot_wide(row(of, r), row(with, s), n) / static_cast<double>(n);
  }

  int64_t r_, widest_;
  std::vector<double> rows_;
  const RowKernels& kernels_ = row_kernels();
};

// The rows of the layers of some ladders, cut from scratch memory: a^l, z^l, dH/dh^l for l = 1 to L.
struct Layers {
  float *values[MAX_DEPTH], *weighted[MAX_DEPTH], *derivatives[MAX_DEPTH];
  void* rest;

  static size_t bytes(const MlpWeights& weights, int64_t n_chains) {
    int64_t numbers = 0;
    for (int l = 1; l <= weights.depth; ++l) numbers += round_up(weights.widths[l] * n_chains);
    return 3 * sizeof(float) * static_cast<size_t>(numbers);
  }

  Layers(void* memory, const MlpWeights& weights, int64_t n_chains) {
    float* at = static_cast<float*>(memory);
    for (float** kind : {values, weighted, derivatives}) {
      for (int l = 1; l <= weights.depth; ++l) {
        kind[l - 1] = at;
        at += round_up(weights.widths[l] * n_chains);
      }
    }
    rest = at;
  }

 private:
  static int64_t round_up(int64_t numbers) { return (numbers + 15) / 16 * 16; }
};

// How the ladders of a network are cut into jobs: as many as fill the tiles of one, or a single one.
struct Cut {
  int64_t n_tiles, chains_at_once, ladders_per_job;

  Cut(const Networks& networks, int64_t n_ladders, int64_t n_replicas) {
    n_tiles = tiles_per_job(networks, n_ladders * n_replicas);
    chains_at_once = n_tiles * networks.kernels.chains_per_tile;
    ladders_per_job = std::max<int64_t>(1, chains_at_once / std::max<int64_t>(1, n_replicas));
  }
};

// The layers of n chains of one network at rows x.
void show_layers(const Networks& networks, int64_t network, const float* x, int64_t n, const Cut& cut, const Layers& layers,
                 bool with_derivatives) {
  const MlpWeights& weights = networks.plain;
  double* energy = static_cast<double*>(layers.rest);
  void* rest = energy + cut.chains_at_once;
  float *values[MAX_DEPTH], *weighted[MAX_DEPTH], *derivatives[MAX_DEPTH];
  for (int64_t done = 0; done < n; done += cut.chains_at_once) {
    for (int l = 0; l < weights.depth; ++l) {
      const int64_t offset = done * weights.widths[l + 1];
      values[l] = layers.values[l] + offset;
      weighted[l] = layers.weighted[l] + offset;
      derivatives[l] = layers.derivatives[l] + offset;
    }
    MlpChains chains{};
    chains.x = x + done * weights.widths[0];
    chains.energy_out = energy;
    chains.layers_out = values;
    chains.weighted_out = with_derivatives ? weighted : nullptr;
    chains.derivatives_out = with_derivatives ? derivatives : nullptr;
    networks.kernels.run(weights, chains, MlpJob{network, 0, std::min(cut.chains_at_once, n - done)}, rest);
  }
}

// All products of ladder number i of a job, R replicas of it.
void multiply(Products& products, const MlpWeights& weights, c10::ArrayRef<double> variances, const float* x,
              const Layers& layers, int64_t i, int64_t r, const Results& to) {
  const int64_t n_layers = weights.depth + 1;
  for (int64_t l = 0; l < n_layers; ++l) {
    const int64_t n = weights.widths[l], place = i * r * n;
    products.overlaps((l == 0 ? x : layers.values[l - 1]) + place, n, n_layers, to.between + l, to.within + l);
    if (l == 0 || r == 1) continue;
    products.identity(layers.weighted[l - 1] + place, layers.derivatives[l - 1] + place, n, variances[l - 1], n_layers,
                      to.between + l - 1, to.within + l - 1, to.excess[l - 1], to.response[l - 1]);
  }
}

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
  const Results all{between.mutable_data_ptr<double>(), within.mutable_data_ptr<double>(),
                    excess.mutable_data_ptr<double>(), response.mutable_data_ptr<double>()};
  const Cut cut(networks, k, r);
  const size_t of_layers = Layers::bytes(weights, cut.ladders_per_job * r);
  const size_t bytes = of_layers + networks.kernels.scratch_bytes(weights, cut.n_tiles) +
                       sizeof(double) * static_cast<size_t>(cut.chains_at_once);
  const int64_t widest = *std::max_element(widths.begin(), widths.end());
  const int64_t jobs_per_network = (k + cut.ladders_per_job - 1) / cut.ladders_per_job;
  at::parallel_for(0, d * jobs_per_network, 1, [&](int64_t begin, int64_t end) {
    Products products(r, widest);
    for (int64_t job = begin; job < end; ++job) {
      const int64_t network = job / jobs_per_network, first = job % jobs_per_network * cut.ladders_per_job;
      const int64_t n_ladders = std::min(cut.ladders_per_job, k - first), ladder = network * k + first;
      const Layers layers(scratch(bytes), weights, cut.ladders_per_job * r);
      const float* positions = from.const_data_ptr<float>() + ladder * r * n0;
      show_layers(networks, network, positions, n_ladders * r, cut, layers, has_pairs);
      for (int64_t i = 0; i < n_ladders; ++i) {
        const int64_t at = ladder + i;
        const Results to{all.between + at * n_pairs * n_layers, all.within + at * r * n_layers, all.excess + at * depth,
                         all.response + at * depth};
        multiply(products, weights, variances, positions, layers, i, r, to);
      }
    }
  });
  return {between, within, excess, response};
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) { m.impl("overlaps_mlp", &overlaps_mlp); }

}  // namespace
}  // namespace mlp_gibbs
