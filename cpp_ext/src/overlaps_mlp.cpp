// Overlaps of real replicas in all layers, the forward pass included.
#include <tuple>

#include "mlp_call.h"
#include "rows.h"

namespace mlp_gibbs {
namespace {

// x is (D, K, R, N_0); the results are (D, K, pairs, L + 1) and (D, K, R, L + 1): q^l = a^l . a'^l / N_l, sums in float64.
std::tuple<at::Tensor, at::Tensor> overlaps_mlp(const at::Tensor& x, MLP_GIBBS_NETWORK_PARAMETERS) {
  const Networks networks = checked_networks(MLP_GIBBS_NETWORK_ARGUMENTS);
  TORCH_CHECK_VALUE(x.dim() == 4, "x must have shape (D, K, R, N_0), found ", x.sizes());
  const int64_t d = x.size(0), k = x.size(1), r = x.size(2), n_layers = networks.plain.depth + 1;
  const at::Tensor from = checked_positions(x.reshape({d, k * r, x.size(3)}), networks);
  std::vector<at::Tensor> layers{from};
  std::vector<float*> out;
  for (int64_t l = 1; l < n_layers; ++l) {
    layers.push_back(at::empty({d, k * r, widths[l]}, x.options()));
    out.push_back(layers.back().mutable_data_ptr<float>());
  }
  at::Tensor energy = at::empty({d, k * r}, x.options().dtype(at::kDouble));
  MlpChains chains{};
  chains.x = from.const_data_ptr<float>();
  chains.energy_out = energy.mutable_data_ptr<double>();
  chains.layers_out = out.data();
  run(networks, chains, k * r);

  at::Tensor between = at::empty({d, k, r * (r - 1) / 2, n_layers}, energy.options());
  at::Tensor within = at::empty({d, k, r, n_layers}, energy.options());
  double *to_between = between.mutable_data_ptr<double>(), *to_within = within.mutable_data_ptr<double>();
  const auto dot = row_kernels().dot;
  at::parallel_for(0, d * k, 8, [&](int64_t begin, int64_t end) {
    for (int64_t ladder = begin; ladder < end; ++ladder) {
      for (int64_t l = 0; l < n_layers; ++l) {
        const int64_t n = widths[l];
        const float* rows = layers[l].const_data_ptr<float>() + ladder * r * n;
        const auto overlap = [&](int64_t a, int64_t b) { return dot(rows + a * n, rows + b * n, n) / static_cast<double>(n); };
        int64_t pair = ladder * (r * (r - 1) / 2);
        for (int64_t a = 0; a < r; ++a) {
          to_within[(ladder * r + a) * n_layers + l] = overlap(a, a);
          for (int64_t b = a + 1; b < r; ++b, ++pair) to_between[pair * n_layers + l] = overlap(a, b);
        }
      }
    }
  });
  return {between, within};
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) { m.impl("overlaps_mlp", &overlaps_mlp); }

}  // namespace
}  // namespace mlp_gibbs
