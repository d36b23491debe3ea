// Whole leapfrog trajectories of the tiles of one job: mcmc/kernels/leapfrog.py is their definition.
//
// Beyond it: a chain with fewer steps than its neighbours is left alone after its last step, also by the reprojection.
#pragma once

namespace mlp_gibbs {
namespace {

// Forces from one engine, energies from another (or the same).
//
// Where they differ, the energy needs a forward pass of its own at the end of a trajectory, and the force there goes
// backward from that pass instead of one more of its own. So the first and the last half kick come from one field, the
// kicks between them from another: both depend on the position alone, and a trajectory read backward is the same again.
template <class Force, class Energy, template <class> class Activation>
struct Trajectory {
  using V = typename Force::V;
  using F = typename Force::F;
  static constexpr int VECTORS = Force::VECTORS;
  using Chains = Tile<V, VECTORS>;
  static constexpr int64_t CHAINS = Force::CHAINS;
  static constexpr bool IS_SAME = __is_same(Force, Energy);

  const MlpWeights& weights;
  const MlpChains& chains;
  Chains tiles[MAX_TILES];
  int64_t n_tiles = 0;
  Network<Force, Activation> force;
  Network<Energy, Activation> energy;  // unused where IS_SAME

  Trajectory(const MlpWeights& w, const MlpChains& c) : weights(w), chains(c), force(w, w.forward, tiles), energy(w, w.for_energy, tiles) {}

  void allocate(Arena& arena, int64_t of_tiles, bool with_layers) {
    n_tiles = force.n_tiles = energy.n_tiles = of_tiles;
    const int64_t n0 = weights.widths[0];
    for (int64_t t = 0; t < n_tiles; ++t) {
      tiles[t].n0 = n0;
      tiles[t].sites = round_up(n0, 2);
      const size_t bytes = sizeof(float) * CHAINS * round_up(n0, 2);
      tiles[t].x = arena.take<float>(bytes);
      tiles[t].p = arena.take<float>(bytes);
      tiles[t].g = arena.take<float>(bytes);
      tiles[t].lanes = arena.take<typename Chains::Lanes>(sizeof(typename Chains::Lanes));
    }
    force.allocate(arena, true, with_layers);
    if (!IS_SAME) energy.allocate(arena, false, with_layers);
  }

  void run(const MlpJob& job) {
    force.id = energy.id = job.network;
    for (int64_t t = 0; t < n_tiles; ++t) {
      const int64_t done = t * CHAINS;
      tiles[t].first = job.row + done;
      tiles[t].n_chains = job.n_chains - done < CHAINS ? job.n_chains - done : CHAINS;
      tiles[t].read(chains.x, tiles[t].x);
    }
    if (chains.x_out != nullptr) {
      move();
      report_kinetic_change();
    } else if (chains.layers_out != nullptr) {
      show_layers();
    } else {
      for (int64_t t = 0; t < n_tiles; ++t) stand_still(t);
      evaluate(chains.grad_out != nullptr);
    }
    for (int64_t t = 0; t < n_tiles; ++t) {
      if (chains.x_out != nullptr) {
        tiles[t].write(tiles[t].x, chains.x_out, tiles[t].n0);
        if (chains.p_out != nullptr) tiles[t].write(tiles[t].p, chains.p_out, tiles[t].n0);
      }
      if (chains.grad_out != nullptr) tiles[t].write(tiles[t].g, chains.grad_out, tiles[t].n0);
      for (int64_t c = 0; c < tiles[t].n_chains; ++c) chains.energy_out[tiles[t].first + c] = tiles[t].lanes->energy[c];
    }
  }

  auto& energy_network() {
    if constexpr (IS_SAME) {
      return force;
    } else {
      return energy;
    }
  }

  using LayersOut = typename Network<Force, Activation>::LayersOut;
  LayersOut layers_out() const { return {chains.layers_out, chains.weighted_out, chains.derivatives_out}; }

  void show_layers() {
    auto& network = energy_network();
    for (int64_t t = 0; t < n_tiles; ++t) network.take_positions(t);
    if (chains.derivatives_out == nullptr) {
      network.template forward<true, false, true>({chains.layers_out, nullptr, nullptr});
    } else if constexpr (IS_SAME) {
      network.template backward<false, true>(network.template forward<true, true, true>(layers_out()), layers_out());
    }
  }

  // The gradient, at the positions in the operand of `force`.
  void gradient() { force.template backward<false>(force.template forward<false, true>()); }

  // Energy and gradient, the gradient kept; or the energy alone.
  void evaluate(bool with_gradient) {
    if constexpr (IS_SAME) {
      if (with_gradient && chains.layers_out != nullptr) {
        force.template backward<true, true>(force.template forward<true, true, true>(layers_out()), layers_out());
      } else if (with_gradient) {
        force.template backward<true>(force.template forward<true, true>());
      } else {
        force.template forward<true, false>();
      }
    } else {
      for (int64_t t = 0; t < n_tiles; ++t) energy.take_positions(t);
      if (with_gradient) {
        force.template backward<true>(energy.template forward_to<true, true, false>(force, {}));
      } else {
        energy.template forward<true, false>();
      }
    }
  }

  void move() {
    int32_t n_steps = 0;
    for (int64_t t = 0; t < n_tiles; ++t) {
      const int32_t n = start(tiles[t]);
      n_steps = n > n_steps ? n : n_steps;
    }
    for (int32_t i = 0; i < n_steps; ++i) {
      for (int64_t t = 0; t < n_tiles; ++t) {
        drift(t, i);
        choose_kick(tiles[t], i, i == n_steps - 1);
      }
      if (i < n_steps - 1) gradient();
    }
    for (int64_t t = 0; n_steps == 0 && t < n_tiles; ++t) stand_still(t);
    evaluate(true);
    for (int64_t t = 0; t < n_tiles; ++t) tiles[t].straighten();
  }

  void stand_still(int64_t t) const {
    force.take_positions(t);
    for (int64_t c = 0; c < CHAINS; ++c) tiles[t].lanes->impulse[c] = 0.0f;
  }

  void report_kinetic_change() const {
    alignas(64) double end[CHAINS];
    for (int64_t t = 0; t < n_tiles; ++t) {
      tiles[t].kinetic_energy(end);
      for (int64_t c = 0; c < tiles[t].n_chains; ++c) {
        chains.kinetic_change_out[tiles[t].first + c] = end[c] - tiles[t].lanes->kinetic[c];
      }
    }
  }

  // Reads the numbers of a tile and pushes by the first half kick; returns its largest number of steps.
  int32_t start(const Chains& tile) {
    tile.read(chains.p, tile.p);
    tile.read(chains.grad, tile.g);
    auto& lanes = *tile.lanes;
    int32_t n_steps = 0;
    for (int64_t c = 0; c < CHAINS; ++c) {
      const int64_t row = tile.row_of(c);
      lanes.step_size[c] = chains.step_size[row];
      lanes.beta[c] = chains.beta[row];
      lanes.full_kick[c] = static_cast<float>(-static_cast<double>(lanes.step_size[c]) * lanes.beta[c]);
      lanes.half_kick[c] = 0.5f * lanes.full_kick[c];
      lanes.n_leapfrog[c] = static_cast<int32_t>(chains.n_leapfrog[row]);
      lanes.impulse[c] = lanes.n_leapfrog[c] > 0 ? lanes.half_kick[c] : 0.0f;
      n_steps = lanes.n_leapfrog[c] > n_steps ? lanes.n_leapfrog[c] : n_steps;
    }
    tile.kinetic_energy(lanes.kinetic);
    tile.push();
    return n_steps;
  }

  // The rest of the kick, then step i of the great circle.
  void drift(int64_t t, int32_t i) {
    const Chains& tile = tiles[t];
    auto& lanes = *tile.lanes;
    const bool is_regular = i % chains.reproject_every == chains.reproject_every - 1;
    bool is_due = false, is_fresh = false;
    for (int64_t c = 0; c < CHAINS; ++c) {
      const bool is_on = i < lanes.n_leapfrog[c], is_last = i == lanes.n_leapfrog[c] - 1;
      lanes.time[c] = is_on ? lanes.step_size[c] : 0.0f;
      lanes.moves[c] = is_last || (is_regular && is_on) ? 1.0f : 0.0f;
      is_due |= lanes.moves[c] != 0.0f;
      is_fresh |= is_last && lanes.beta[c] == 0.0;
    }
    const auto operand = force.input_of(t);
    tile.flow([=](int64_t site, const F(&even)[VECTORS], const F(&odd)[VECTORS])
                  __attribute__((always_inline)) { operand.take(site, even, odd); });
    if (is_due) tile.reproject();
    if (is_fresh && chains.fresh != nullptr) {
      for (int64_t c = 0; c < CHAINS; ++c) {
        if (lanes.beta[c] != 0.0 || i != lanes.n_leapfrog[c] - 1) continue;
        const float* row = chains.fresh + tile.row_of(c) * tile.n0;
        for (int64_t j = 0; j < tile.n0; ++j) tile.x[j * CHAINS + c] = row[j];
      }
    }
    if (is_due) force.take_positions(t);
  }

  // The closing half kick of step i and the opening one of the next happen at the same place. The last of a trajectory
  // waits for the last gradient of its tile, the one that is kept.
  void choose_kick(const Chains& tile, int32_t i, bool is_last_of_tile) {
    auto& lanes = *tile.lanes;
    for (int64_t c = 0; c < CHAINS; ++c) {
      const bool is_on = i < lanes.n_leapfrog[c] - 1, is_closing = is_last_of_tile && lanes.n_leapfrog[c] > 0;
      lanes.impulse[c] = is_on ? lanes.full_kick[c] : is_closing ? lanes.half_kick[c] : 0.0f;
    }
  }
};

template <class Force, class Energy, template <class> class Activation>
void run_with(const MlpWeights& weights, const MlpChains& chains, const MlpJob& job, void* scratch) {
  const typename Force::Session session;
  (void)session;
  Trajectory<Force, Energy, Activation> trajectory(weights, chains);
  Arena arena{static_cast<char*>(scratch)};
  trajectory.allocate(arena, (job.n_chains + Force::CHAINS - 1) / Force::CHAINS, chains.layers_out != nullptr);
  // what lies past the end of a layer must be a finite number
  bool is_padded = false;
  for (int l = 0; l <= weights.depth; ++l) is_padded |= weights.widths[l] % Force::PAD != 0;
  if (is_padded) memset(scratch, 0, arena.used);
  trajectory.run(job);
}

template <class Force, class Energy>
void run_any(const MlpWeights& weights, const MlpChains& chains, const MlpJob& job, void* scratch) {
  switch (weights.activation) {
    case Act::PIECEWISE: return run_with<Force, Energy, Piecewise>(weights, chains, job, scratch);
    case Act::TANH: return run_with<Force, Energy, Tanh>(weights, chains, job, scratch);
    case Act::SIN: return run_with<Force, Energy, Sin>(weights, chains, job, scratch);
    case Act::ERF: return run_with<Force, Energy, Erf>(weights, chains, job, scratch);
  }
}

// As run_any; what is left over of whole tiles takes tiles of half the chains where it fits.
template <class Force, class Energy, class HalfForce, class HalfEnergy>
void run_with_half_tiles(const MlpWeights& weights, const MlpChains& chains, const MlpJob& job, void* scratch) {
  const int64_t left = job.n_chains % Force::CHAINS;
  const bool has_half = left > 0 && left <= HalfForce::CHAINS;
  const int64_t whole = has_half ? job.n_chains - left : job.n_chains;
  if (whole > 0) run_any<Force, Energy>(weights, chains, MlpJob{job.network, job.row, whole}, scratch);
  if (has_half) run_any<HalfForce, HalfEnergy>(weights, chains, MlpJob{job.network, job.row + whole, left}, scratch);
}

template <class Force, class Energy>
size_t scratch_of(const MlpWeights& weights, int64_t n_tiles) {
  const MlpChains none{};
  Trajectory<Force, Energy, Piecewise> trajectory(weights, none);
  Arena arena{nullptr};
  trajectory.allocate(arena, n_tiles, true);
  return arena.used;
}

}  // namespace
}  // namespace mlp_gibbs
