// The operators on the fused kernels of cpp_ext/mlp: packing of weights, energies, gradients, leapfrog trajectories.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "../mlp/kernels.h"
#include "checks.h"
#include "pages.h"

namespace mlp_gibbs {
namespace {

using OptionalTensors = c10::List<std::optional<at::Tensor>>;

const MlpKernels& kernels_named(c10::string_view name) {
  std::string known;
  for (int i = 0; const MlpKernels* k = mlp_kernels(i); ++i) {
    if (name == k->name) return *k;
    known += (i == 0 ? "" : ", ") + std::string(k->name);
  }
  TORCH_CHECK_VALUE(false, "engine must be one that this processor runs (", known.empty() ? "none" : known, "), found '",
                    name, "'");
}

at::Tensor pack_mlp(const at::Tensor& weight, bool transposed, int64_t parts, c10::string_view engine) {
  const MlpKernels& kernels = kernels_named(engine);
  TORCH_CHECK_VALUE(parts >= 1 && parts <= 3, "parts must be 1, 2 or 3, found ", parts);
  check_dtype(weight, "weight", at::kFloat);
  TORCH_CHECK_VALUE(weight.dim() == 3 && weight.size(1) > 0 && weight.size(2) > 0,
                    "weight must have shape (D, N_l, N_(l-1)) without empty layers, found ", weight.sizes());
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

// The weights as the kernels want them, with what keeps them alive.
struct Networks {
  MlpWeights plain{};
  int64_t n_networks = 0;
  std::vector<at::Tensor> alive;
};

Act act_of(c10::string_view name, c10::ArrayRef<double> parameters) {
  constexpr std::tuple<const char*, Act, size_t> known[] = {
      {"piecewise", Act::PIECEWISE, 2}, {"tanh", Act::TANH, 1}, {"sin", Act::SIN, 0}, {"erf", Act::ERF, 0}};
  for (const auto& [label, act, n_parameters] : known) {
    if (name != label) continue;
    TORCH_CHECK_VALUE(parameters.size() == n_parameters, "activation '", name, "' takes ", n_parameters,
                      " parameters, found ", parameters.size());
    return act;
  }
  TORCH_CHECK_VALUE(false, "activation must be piecewise, tanh, sin or erf, found '", name, "'");
}

// Parts of a float32 in the products of the force, on a unit that multiplies bfloat16.
int parts_of(c10::string_view forces) {
  constexpr std::pair<const char*, int> known[] = {{"float32", 3}, {"bfloat16_3x", 2}, {"bfloat16", 1}};
  for (const auto& [label, parts] : known) {
    if (forces == label) return parts;
  }
  TORCH_CHECK_VALUE(false, "forces must be float32, bfloat16_3x or bfloat16, found '", forces, "'");
}

const void* checked_packed(const at::Tensor& t, const char* name, size_t layer, int64_t d, size_t bytes,
                           const MlpKernels& kernels) {
  check_dtype(t, name, at::kByte);
  TORCH_CHECK_VALUE(t.dim() == 2 && t.size(0) == d && t.size(1) == static_cast<int64_t>(bytes) && t.is_contiguous(), name, "[",
                    layer, "] must be packed for '", kernels.name, "' with contiguous shape [", d, ", ", bytes, "], found ",
                    t.sizes());
  return t.const_data_ptr();
}

Networks checked_networks(const MlpKernels& kernels, at::IntArrayRef widths, at::TensorList forward, at::TensorList backward,
                          at::TensorList for_energy, const OptionalTensors& biases, const at::Tensor& readout, c10::string_view activation,
                          c10::ArrayRef<double> parameters, c10::string_view forces) {
  Networks n;
  const size_t depth = forward.size();
  TORCH_CHECK_VALUE(depth >= 1 && depth <= MAX_DEPTH, "forward must have 1 to ", MAX_DEPTH, " layers, found ", depth);
  TORCH_CHECK_VALUE(widths.size() == depth + 1, "widths must have ", depth + 1, " numbers, found ", widths.size());
  TORCH_CHECK_VALUE(backward.size() == depth, "backward must have ", depth, " layers, found ", backward.size());
  TORCH_CHECK_VALUE(for_energy.size() == depth, "for_energy must have ", depth, " layers, found ", for_energy.size());
  TORCH_CHECK_VALUE(biases.size() == depth, "biases must have ", depth, " entries, found ", biases.size());
  TORCH_CHECK_VALUE(std::all_of(widths.begin(), widths.end(), [](int64_t w) { return w >= 1 && w < (1 << 24); }),
                    "widths must be in [1, 2^24), found ", widths);
  check_dtype(readout, "readout", at::kFloat);
  TORCH_CHECK_VALUE(readout.dim() == 2 && readout.size(1) == widths[depth], "readout must have shape (D, ", widths[depth],
                    "), found ", readout.sizes());
  const int64_t d = n.n_networks = readout.size(0);
  n.plain.depth = static_cast<int>(depth);
  n.plain.activation = act_of(activation, parameters);
  for (size_t i = 0; i < parameters.size(); ++i) n.plain.parameters[i] = static_cast<float>(parameters[i]);
  n.plain.force_parts = parts_of(forces);
  std::copy(widths.begin(), widths.end(), n.plain.widths);
  for (size_t l = 0; l < depth; ++l) {
    const int64_t rows = widths[l + 1], cols = widths[l];
    const int parts = n.plain.force_parts;
    n.plain.forward[l] = checked_packed(forward[l], "forward", l, d, kernels.packed_bytes(rows, cols, parts), kernels);
    n.plain.backward[l] = checked_packed(backward[l], "backward", l, d, kernels.packed_bytes(cols, rows, parts), kernels);
    n.plain.for_energy[l] = checked_packed(for_energy[l], "for_energy", l, d, kernels.packed_bytes(rows, cols, 3), kernels);
    const std::optional<at::Tensor> bias = biases.get(l);
    if (!bias.has_value()) continue;
    check_dtype(*bias, "biases", at::kFloat);
    TORCH_CHECK_VALUE(bias->dim() == 3, "biases[", l, "] must have shape (D, 1, N_l), found ", bias->sizes());
    check_shape(*bias, "biases", {d, 1, rows});
    n.alive.push_back(bias->contiguous());
    n.plain.bias[l] = n.alive.back().const_data_ptr<float>();
  }
  n.alive.push_back(readout.contiguous());
  n.plain.readout = n.alive.back().const_data_ptr<float>();
  return n;
}

// Memory that a thread keeps: fresh pages from the system would cost more than a short trajectory.
void* scratch(size_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local size_t size = 0;
  if (size < bytes) {
    constexpr size_t LARGE_PAGE = 1 << 21;
    size = (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    memory.reset(std::aligned_alloc(LARGE_PAGE, size));
    TORCH_CHECK(memory != nullptr, "no memory for ", size, " bytes of scratch");
    ask_for_large_pages(memory.get(), size);
  }
  return memory.get();
}

constexpr int64_t SECOND_LEVEL_CACHE = 1 << 20;  // bytes of weights that stay close to a core beside everything else
constexpr int64_t MAX_TILES_PER_JOB = 4;

// Networks whose weights leave the cache are read once for several tiles, as long as every thread has work.
int64_t tiles_per_job(const MlpKernels& kernels, const MlpWeights& weights, int64_t n_networks, int64_t n_chains) {
  int64_t bytes = 0;
  for (int l = 0; l < weights.depth; ++l) {
    bytes += static_cast<int64_t>(2 * kernels.packed_bytes(weights.widths[l + 1], weights.widths[l], weights.force_parts));
  }
  const int64_t tiles = (n_chains + kernels.chains_per_tile - 1) / kernels.chains_per_tile;
  int64_t n = 1;
  while (bytes > SECOND_LEVEL_CACHE && n < MAX_TILES_PER_JOB && n < tiles &&
         n_networks * tiles / (2 * n) >= at::get_num_threads()) {
    n *= 2;
  }
  return n;
}

void run(const MlpKernels& kernels, const Networks& networks, const MlpChains& chains) {
  const int64_t n_tiles = tiles_per_job(kernels, networks.plain, networks.n_networks, chains.n_chains);
  const int64_t chains_per_job = n_tiles * kernels.chains_per_tile;
  std::vector<MlpJob> jobs;
  for (int64_t d = 0; d < networks.n_networks; ++d) {
    for (int64_t c = 0; c < chains.n_chains; c += chains_per_job) {
      jobs.push_back({d, c, std::min(c + chains_per_job, chains.n_chains)});
    }
  }
  const size_t bytes = kernels.scratch_bytes(networks.plain, n_tiles);
  at::parallel_for(0, static_cast<int64_t>(jobs.size()), 1, [&](int64_t begin, int64_t end) {
    kernels.run(networks.plain, chains, jobs.data() + begin, end - begin, scratch(bytes));
  });
}

at::Tensor checked_positions(const at::Tensor& x, const Networks& networks) {
  check_dtype(x, "x", at::kFloat);
  TORCH_CHECK_VALUE(x.dim() == 3 && x.size(0) == networks.n_networks && x.size(2) == networks.plain.widths[0],
                    "x must have shape (", networks.n_networks, ", C, ", networks.plain.widths[0], "), found ", x.sizes());
  return x.contiguous();
}

std::tuple<at::Tensor, at::Tensor> energy_and_grad_mlp(const at::Tensor& x, bool with_grad, at::IntArrayRef widths,
                                                       at::TensorList forward, at::TensorList backward,
                                                       at::TensorList for_energy, const OptionalTensors& biases, const at::Tensor& readout,
                                                       c10::string_view activation, c10::ArrayRef<double> parameters,
                                                       c10::string_view forces, c10::string_view engine) {
  const MlpKernels& kernels = kernels_named(engine);
  const Networks networks =
      checked_networks(kernels, widths, forward, backward, for_energy, biases, readout, activation, parameters, forces);
  const at::Tensor at_x = checked_positions(x, networks);
  at::Tensor energy = at::empty({x.size(0), x.size(1)}, x.options().dtype(at::kDouble));
  at::Tensor grad = at::empty({with_grad ? x.size(0) : 0, x.size(1), x.size(2)}, x.options());
  MlpChains chains{};
  chains.n_chains = x.size(1);
  chains.x = at_x.const_data_ptr<float>();
  chains.grad_out = with_grad ? grad.mutable_data_ptr<float>() : nullptr;
  chains.energy_out = energy.mutable_data_ptr<double>();
  run(kernels, networks, chains);
  return {energy, grad};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> leapfrog_mlp(
    const at::Tensor& x, const at::Tensor& p, const at::Tensor& grad, const std::optional<at::Tensor>& fresh,
    const at::Tensor& beta, const at::Tensor& step_size, const at::Tensor& n_leapfrog, int64_t reproject_every,
    at::IntArrayRef widths, at::TensorList forward, at::TensorList backward, at::TensorList for_energy,
    const OptionalTensors& biases, const at::Tensor& readout, c10::string_view activation, c10::ArrayRef<double> parameters, c10::string_view forces,
    c10::string_view engine) {
  const MlpKernels& kernels = kernels_named(engine);
  const Networks networks =
      checked_networks(kernels, widths, forward, backward, for_energy, biases, readout, activation, parameters, forces);
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
  check_dtype(n_leapfrog, "n_leapfrog", at::kLong);
  check_shape(n_leapfrog, "n_leapfrog", {d, c});
  TORCH_CHECK_VALUE(reproject_every >= 1, "reproject_every must be at least 1, found ", reproject_every);
  const at::Tensor from_p = p.contiguous(), from_grad = grad.contiguous(), b = beta.contiguous(), eps = step_size.contiguous(),
                   n = n_leapfrog.contiguous();
  at::Tensor from_fresh;
  if (fresh.has_value()) {
    check_dtype(*fresh, "fresh", at::kFloat);
    check_shape(*fresh, "fresh", {d, c, n0});
    from_fresh = fresh->contiguous();
  }
  const int64_t* steps = n.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < n.numel(); ++i) {
    TORCH_CHECK_VALUE(steps[i] >= 0 && steps[i] < (int64_t{1} << 31), "n_leapfrog must be in [0, 2^31), found ", steps[i],
                      " at position ", i);
  }
  at::Tensor x_out = at::empty({d, c, n0}, x.options()), p_out = at::empty_like(x_out), grad_out = at::empty_like(x_out);
  at::Tensor energy = at::empty({d, c}, x.options().dtype(at::kDouble)), kinetic_change = at::empty_like(energy);
  const MlpChains chains{c,
                         from_x.const_data_ptr<float>(),
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
  run(kernels, networks, chains);
  return {x_out, p_out, grad_out, energy, kinetic_change};
}

double fma_loop(int64_t iterations, c10::string_view engine) {
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
