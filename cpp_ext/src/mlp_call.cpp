#include "mlp_call.h"

#include <cstdlib>
#include <memory>
#include <tuple>

#include "pages.h"

namespace mlp_gibbs {

const MlpKernels& kernels_named(c10::string_view name) {
  std::string known;
  for (int i = 0; const MlpKernels* k = mlp_kernels(i); ++i) {
    if (name == k->name) return *k;
    known += (i == 0 ? "" : ", ") + std::string(k->name);
  }
  TORCH_CHECK_VALUE(false, "engine must be one that this processor runs (", known.empty() ? "none" : known, "), found '",
                    name, "'");
}

namespace {

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
  const void* data = t.const_data_ptr();
  TORCH_CHECK_VALUE(reinterpret_cast<uintptr_t>(data) % alignof(float) == 0, name, "[", layer,
                    "] must lie at a multiple of the size of its numbers, as pack_mlp makes it");
  return data;
}

}  // namespace

Networks checked_networks(MLP_GIBBS_NETWORK_PARAMETERS) {
  const MlpKernels& kernels = kernels_named(engine);
  Networks n{kernels};
  const size_t depth = forward.size();
  TORCH_CHECK_VALUE(depth >= 1 && depth <= MAX_DEPTH, "forward must have 1 to ", MAX_DEPTH, " layers, found ", depth);
  TORCH_CHECK_VALUE(widths.size() == depth + 1, "widths must have ", depth + 1, " numbers, found ", widths.size());
  TORCH_CHECK_VALUE(backward.size() == depth, "backward must have ", depth, " layers, found ", backward.size());
  TORCH_CHECK_VALUE(for_energy.size() == depth, "for_energy must have ", depth, " layers, found ", for_energy.size());
  TORCH_CHECK_VALUE(biases.size() == depth, "biases must have ", depth, " entries, found ", biases.size());
  TORCH_CHECK_VALUE(std::all_of(widths.begin(), widths.end(), [](int64_t w) { return w >= 1 && w < MAX_WIDTH; }),
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
    n.alive.push_back(bias->resolve_neg().contiguous());  // which torch itself does for tensors that are in no list
    n.plain.bias[l] = n.alive.back().const_data_ptr<float>();
  }
  n.alive.push_back(readout.contiguous());
  n.plain.readout = n.alive.back().const_data_ptr<float>();
  return n;
}

at::Tensor checked_positions(const at::Tensor& x, const Networks& networks) {
  check_dtype(x, "x", at::kFloat);
  TORCH_CHECK_VALUE(x.dim() == 3 && x.size(0) == networks.n_networks && x.size(2) == networks.plain.widths[0],
                    "x must have shape (", networks.n_networks, ", C, ", networks.plain.widths[0], "), found ", x.sizes());
  return x.contiguous();
}

const int64_t* checked_n_leapfrog(const at::Tensor& n_leapfrog, int64_t d, int64_t c) {
  check_dtype(n_leapfrog, "n_leapfrog", at::kLong);
  check_shape(n_leapfrog, "n_leapfrog", {d, c});
  const int64_t* steps = n_leapfrog.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < n_leapfrog.numel(); ++i) {
    TORCH_CHECK_VALUE(steps[i] >= 0 && steps[i] < (int64_t{1} << 31), "n_leapfrog must be in [0, 2^31), found ", steps[i],
                      " at position ", i);
  }
  return steps;
}

void* scratch(size_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local size_t size = 0;
  if (size < bytes) {
    constexpr size_t LARGE_PAGE = 1 << 21;
    const size_t wanted = (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    size = 0;
    memory.reset(std::aligned_alloc(LARGE_PAGE, wanted));
    TORCH_CHECK(memory != nullptr, "no memory for ", wanted, " bytes of scratch");
    size = wanted;
    ask_for_large_pages(memory.get(), size);
  }
  return memory.get();
}

constexpr int64_t SECOND_LEVEL_CACHE = 1 << 20;  // bytes of weights that stay close to a core beside everything else
constexpr int64_t MAX_TILES_PER_JOB = 4;

int64_t tiles_per_job(const Networks& networks, int64_t n_chains) {
  const MlpWeights& weights = networks.plain;
  int64_t bytes = 0;
  for (int l = 0; l < weights.depth; ++l) {
    bytes += static_cast<int64_t>(
        2 * networks.kernels.packed_bytes(weights.widths[l + 1], weights.widths[l], weights.force_parts));
  }
  const int64_t tiles = (n_chains + networks.kernels.chains_per_tile - 1) / networks.kernels.chains_per_tile;
  int64_t n = 1;
  while (bytes > SECOND_LEVEL_CACHE && n < MAX_TILES_PER_JOB && n < tiles &&
         networks.n_networks * tiles / (2 * n) >= at::get_num_threads()) {
    n *= 2;
  }
  return n;
}

void run(const Networks& networks, const MlpChains& chains, int64_t n_chains) {
  const int64_t n_tiles = tiles_per_job(networks, n_chains);
  const size_t bytes = networks.kernels.scratch_bytes(networks.plain, n_tiles);
  for_each_job(networks, n_chains, n_tiles,
               [&](const MlpJob& job) { networks.kernels.run(networks.plain, chains, job, scratch(bytes)); });
}

}  // namespace mlp_gibbs
