#include "layers.h"

#include <cstring>

namespace mlp_gibbs {

Layers::Layers(Pieces& pieces, const MlpWeights& weights, int64_t n_chains) {
  for (float** kind : {values, weighted, derivatives}) {
    for (int l = 0; l < weights.depth; ++l) kind[l] = pieces.take<float>(weights.widths[l + 1] * n_chains);
  }
}

Layers Layers::from(const MlpWeights& weights, int64_t chain) const {
  Layers moved = *this;
  for (float** kind : {moved.values, moved.weighted, moved.derivatives}) {
    for (int l = 0; l < weights.depth; ++l) kind[l] += chain * weights.widths[l + 1];
  }
  return moved;
}

void Layers::copy_row(const MlpWeights& weights, int64_t row, const Layers& other, int64_t other_row) const {
  const auto copy = [&](float* const* to, const float* const* from) {
    for (int l = 0; l < weights.depth; ++l) {
      const int64_t n = weights.widths[l + 1];
      std::memcpy(to[l] + row * n, from[l] + other_row * n, sizeof(float) * static_cast<size_t>(n));
    }
  };
  copy(values, other.values);
  copy(weighted, other.weighted);
  copy(derivatives, other.derivatives);
}

void show_layers(const Networks& networks, int64_t network, const float* x, int64_t n, bool with_derivatives,
                 const Layers& layers, const LayersScratch& scratch) {
  const MlpWeights& weights = networks.plain;
  for (int64_t done = 0; done < n; done += scratch.chains_at_once) {
    const Layers to = layers.from(weights, done);
    MlpChains chains{};
    chains.x = x + done * weights.widths[0];
    chains.energy_out = scratch.energy;
    chains.layers_out = to.values;
    chains.weighted_out = with_derivatives ? to.weighted : nullptr;
    chains.derivatives_out = with_derivatives ? to.derivatives : nullptr;
    networks.kernels.run(weights, chains, MlpJob{network, 0, std::min(scratch.chains_at_once, n - done)}, scratch.rest);
  }
}

Products::Products(const MlpWeights& weights, c10::ArrayRef<double> variances, int64_t n_replicas)
    : weights_(weights),
      variances_(variances),
      r_(n_replicas),
      n_layers_(weights.depth + 1),
      widest_(*std::max_element(weights.widths, weights.widths + weights.depth + 1)),
      numbers_(static_cast<size_t>(3 * r_ * widest_)) {}

void Products::multiply(const float* x, const Layers& layers, const int64_t* rows, const LadderResults& to) {
  for (int64_t l = 0; l < n_layers_; ++l) {
    const int64_t n = weights_.widths[l];
    overlaps(l == 0 ? x : layers.values[l - 1], rows, n, to.between + l, to.within + l);
    if (l == 0 || r_ == 1) continue;
    identity(layers.weighted[l - 1], layers.derivatives[l - 1], rows, n, variances_[l - 1], to.between + l - 1,
             to.within + l - 1, to.excess[l - 1], to.response[l - 1]);
  }
}

// q^l = a^l . a'^l / N_l of all pairs and r^l = |a^l|^2 / N_l, to every n_layers-th number.
void Products::overlaps(const float* a, const int64_t* rows, int64_t n, double* between, double* within) {
  widen(0, a, rows, n);
  for (int64_t r = 0; r < r_; ++r) {
    within[r * n_layers_] = mean(0, r, 0, r, n);
    for (int64_t s = r + 1; s < r_; ++s, between += n_layers_) *between = mean(0, r, 0, s, n);
  }
}

// Both sides of mcmc/systems/mlp/weight_identity.py for one layer, from the overlaps of the layer below.
void Products::identity(const float* z, const float* d, const int64_t* rows, int64_t n, double variance,
                        const double* between, const double* within, double& excess, double& response) {
  widen(1, z, rows, n);
  widen(2, d, rows, n);
  double norm = 0, alone = 0, crossed = 0;
  for (int64_t r = 0; r < r_; ++r) {
    norm += mean(1, r, 1, r, n) - variance * within[r * n_layers_];
    alone += within[r * n_layers_] * mean(1, r, 2, r, n);
    for (int64_t s = r + 1; s < r_; ++s, between += n_layers_) {
      crossed += *between * (mean(1, r, 2, s, n) + mean(1, s, 2, r, n));
    }
  }
  const double n_replicas = static_cast<double>(r_), n_pairs = static_cast<double>(r_ * (r_ - 1) / 2);
  excess = norm / n_replicas;
  response = variance * (alone / n_replicas - 0.5 * (crossed / n_pairs));
}

void Products::widen(int64_t of, const float* from, const int64_t* rows, int64_t n) {
  for (int64_t r = 0; r < r_; ++r) kernels_.widen(from + rows[r] * n, n, row(of, r));
}

}  // namespace mlp_gibbs
