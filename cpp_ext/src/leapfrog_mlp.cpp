// The operators on the fused kernels of cpp_ext/mlp: packing of weights, energies, gradients, leapfrog trajectories.
#include <tuple>

#include "mlp_call.h"
#include "pages.h"

namespace mlp_gibbs {
namespace {

at::Tensor pack_mlp(const at::Tensor& weight, bool transposed, int64_t parts, c10::string_view engine) {
  const MlpKernels& kernels = kernels_named(engine);
  TORCH_CHECK_VALUE(parts >= 1 && parts <= 3, "parts must be 1, 2 or 3, found ", parts);
  check_dtype(weight, "weight", at::kFloat);
  TORCH_CHECK_VALUE(weight.dim() == 3 && weight.size(1) > 0 && weight.size(2) > 0,
                    "weight must have shape (D, N_l, N_(l-1)) without empty layers, found ", weight.sizes());
  TORCH_CHECK_VALUE(weight.size(1) < MAX_WIDTH && weight.size(2) < MAX_WIDTH, "weight must have layers below 2^24, found ",
                    weight.sizes());
  const at::Tensor w = weight.contiguous();
  const int64_t rows = w.size(1), cols = w.size(2);
  const size_t bytes = transposed ? kernels.packed_bytes(cols, rows, parts) : kernels.packed_bytes(rows, cols, parts);
  at::Tensor packed = at::empty({w.size(0), static_cast<int64_t>(bytes)}, w.options().dtype(at::kByte));
  const float* from = w.const_data_ptr<float>();
  uint8_t* to = packed.mutable_data_ptr<uint8_t>();
  ask_for_large_pages(to, packed.nbytes());
  at::parallel_for(0, w.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t d = begin; d < end; ++d) kernels.pack(from + d * rows * cols, rows, cols, transposed, parts, to + d * bytes);
  });
  return packed;
}

std::tuple<at::Tensor, at::Tensor> energy_and_grad_mlp(const at::Tensor& x, bool with_grad,
                                                       MLP_GIBBS_NETWORK_PARAMETERS) {
  const Networks networks = checked_networks(MLP_GIBBS_NETWORK_ARGUMENTS);
  const at::Tensor at_x = checked_positions(x, networks);
  at::Tensor energy = at::empty({x.size(0), x.size(1)}, x.options().dtype(at::kDouble));
  at::Tensor grad = at::empty({with_grad ? x.size(0) : 0, x.size(1), x.size(2)}, x.options());
  MlpChains chains{};
  chains.x = at_x.const_data_ptr<float>();
  chains.grad_out = with_grad ? grad.mutable_data_ptr<float>() : nullptr;
  chains.energy_out = energy.mutable_data_ptr<double>();
  run(networks, chains, x.size(1));
  return {energy, grad};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> leapfrog_mlp(
    const at::Tensor& x, const at::Tensor& p, const at::Tensor& grad, const std::optional<at::Tensor>& fresh,
    const at::Tensor& beta, const at::Tensor& step_size, const at::Tensor& n_leapfrog, int64_t reproject_every,
    MLP_GIBBS_NETWORK_PARAMETERS) {
  const Networks networks = checked_networks(MLP_GIBBS_NETWORK_ARGUMENTS);
  const at::Tensor from_x = checked_positions(x, networks);
  const int64_t d = x.size(0), c = x.size(1), n0 = x.size(2);
  check_dtype(p, "p", at::kFloat);
  check_shape(p, "p", {d, c, n0});
  check_dtype(grad, "grad", at::kFloat);
  check_shape(grad, "grad", {d, c, n0});
  check_dtype(beta, "beta", at::kDouble);
  check_shape(beta, "beta", {d, c});
  check_dtype(step_size, "step_size", at::kFloat);
  check_shape(step_size, "step_size", {d, c});
  TORCH_CHECK_VALUE(reproject_every >= 1, "reproject_every must be at least 1, found ", reproject_every);
  const at::Tensor from_p = p.contiguous(), from_grad = grad.contiguous(), b = beta.contiguous(), eps = step_size.contiguous(),
                   n = n_leapfrog.contiguous();
  at::Tensor from_fresh;
  if (fresh.has_value()) {
    check_dtype(*fresh, "fresh", at::kFloat);
    check_shape(*fresh, "fresh", {d, c, n0});
    from_fresh = fresh->contiguous();
  }
  const int64_t* steps = checked_n_leapfrog(n, d, c);
  at::Tensor x_out = at::empty({d, c, n0}, x.options()), p_out = at::empty_like(x_out), grad_out = at::empty_like(x_out);
  at::Tensor energy = at::empty({d, c}, x.options().dtype(at::kDouble)), kinetic_change = at::empty_like(energy);
  const MlpChains chains{from_x.const_data_ptr<float>(),
                         from_p.const_data_ptr<float>(),
                         from_grad.const_data_ptr<float>(),
                         fresh.has_value() ? from_fresh.const_data_ptr<float>() : nullptr,
                         b.const_data_ptr<double>(),
                         eps.const_data_ptr<float>(),
                         steps,
                         reproject_every,
                         x_out.mutable_data_ptr<float>(),
                         p_out.mutable_data_ptr<float>(),
                         grad_out.mutable_data_ptr<float>(),
                         energy.mutable_data_ptr<double>(),
                         kinetic_change.mutable_data_ptr<double>()};
  run(networks, chains, x.size(1));
  return {x_out, p_out, grad_out, energy, kinetic_change};
}

double fma_loop(int64_t iterations, c10::string_view engine) {
  constexpr int64_t most = 1 << 30;  // seconds, in which nothing can stop it
  TORCH_CHECK_VALUE(iterations >= 0 && iterations <= most, "iterations must be in [0, 2^30], found ", iterations);
  float sink = 0;
  return kernels_named(engine).fma_loop(iterations, &sink);
}

// no tensor says which device: for all
TORCH_LIBRARY_IMPL(mlp_gibbs, CompositeExplicitAutograd, m) { m.impl("fma_loop", &fma_loop); }

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) {
  m.impl("pack_mlp", &pack_mlp);
  m.impl("energy_and_grad_mlp", &energy_and_grad_mlp);
  m.impl("leapfrog_mlp", &leapfrog_mlp);
}

}  // namespace
}  // namespace mlp_gibbs
