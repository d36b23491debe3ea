// One network through whole sweeps: HMC steps, counters, replica exchange, draws of energies and overlaps.
//
// Steps and exchange are those of hmc_mlp and count_and_swap_, overlaps those of overlaps_mlp, bit by bit. Where every
// sweep is drawn, a trajectory leaves the layers at its end behind, and nothing is taken through the network twice.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "exchange_networks.h"
#include "layers.h"
#include "transition.h"

namespace mlp_gibbs {

// Which sweeps are drawn: the first after `until` of them, then every `every`; none for until = 0.
struct DrawSchedule {
  int64_t n_sweeps, until, every;

  bool is_drawn(int64_t sweep) const { return until > 0 && sweep + 1 >= until && (sweep + 1 - until) % every == 0; }
  int64_t n_draws() const { return until == 0 || until > n_sweeps ? 0 : (n_sweeps - until) / every + 1; }
};

// (n, D, K, R), (n, D, K, pairs, L + 1), (n, D, K, R, L + 1) and (n, D, K, L).
struct DrawArrays {
  double *energy, *between, *within, *excess, *response;
};

// What the sweeps of all networks have in common.
struct SweepsCall {
  const Networks& networks;
  const Networks& in_float32;
  c10::ArrayRef<double> variances;
  TransitionNoise noise;
  StreamAddress swap, redraw;
  const ExchangeCall* exchange;  // of parity 0 and 1
  double* uniforms[2];           // (D, P, R) of each parity: rows of one parity may lie where another network's of the other do
  const double* beta;            // (K,)
  const float* step_size;        // (K,)
  const int64_t* n_leapfrog;     // (K,)
  int64_t reproject_every, first_sweep, steps_per_sweep;
  bool is_exchanging, with_overlaps;
  DrawSchedule schedule;
  float *x, *grad;  // (D, K R, N_0)
  double* energy;   // (D, K R)
  double *statistics, *in_order, *sums;  // (D, K R, 4), (4, D, K, R), (4, D, K, R)
  int64_t* nonfinite_step;               // (D, K R)
  double* nonfinite_beta;                // (D, K R)
  DrawArrays draws;

  const Ladders& ladders() const { return exchange[0].ladders; }
  const ExchangeArrays& arrays() const { return exchange[0].arrays; }
  int64_t n_chains() const { return ladders().n_temperatures * ladders().n_replicas; }
  bool is_of_one_length() const {
    const int64_t k = ladders().n_temperatures;
    return std::all_of(n_leapfrog, n_leapfrog + k, [&](int64_t n) { return n == n_leapfrog[0]; });
  }
  // Then layers are kept from sweep to sweep.
  bool hands_over() const {
    return with_overlaps && schedule.n_draws() > 1 && schedule.every == 1 && steps_per_sweep == 1 &&
           networks.plain.force_parts == 3;
  }
};

// One thread's work on one network after the other.
class SweepWorker {
 public:
  SweepWorker(const SweepsCall& call, Pieces& pieces, int64_t n_tiles)
      : call_(call),
        n0_(call.networks.plain.widths[0]),
        n_chains_(call.n_chains()),
        chains_per_job_(n_tiles * call.networks.kernels.chains_per_tile),
        noise_(call.noise),
        redraw_(call.redraw),
        swap_(call.swap),
        rows_(pieces, chains_per_job_, n0_),
        order_(pieces.take<int64_t>(n_chains_)),
        stream_chain_(pieces.take<int64_t>(n_chains_)),
        beta_(pieces.take<double>(n_chains_)),
        step_size_(pieces.take<float>(n_chains_)),
        n_leapfrog_(pieces.take<int64_t>(n_chains_)),
        free_chain_(pieces.take<int64_t>(n_chains_)),
        fresh_(call.beta[0] == 0.0 ? pieces.take<float>(n_chains_ * n0_) : nullptr),
        points_(call.beta[0] == 0.0 ? pieces.take<float>(n_chains_ * n0_) : nullptr),
        from_x_(pieces.take<float>(chains_per_job_ * n0_)),
        from_grad_(pieces.take<float>(chains_per_job_ * n0_)),
        x_(pieces.take<float>(chains_per_job_ * n0_)),
        grad_(pieces.take<float>(chains_per_job_ * n0_)),
        energy_(pieces.take<double>(chains_per_job_)),
        kept_(pieces, call.in_float32.plain, call.with_overlaps ? n_chains_ : 0),
        proposed_(pieces, call.in_float32.plain, call.hands_over() ? chains_per_job_ : 0),
        products_(call.in_float32.plain, call.variances, call.ladders().n_replicas),
        ladder_(static_cast<size_t>(call.ladders().n_replicas)),
        scratch_(pieces.take<char>(static_cast<int64_t>(call.networks.kernels.scratch_bytes(call.networks.plain, n_tiles)))),
        float32_scratch_(pieces.take<char>(
            static_cast<int64_t>(call.in_float32.kernels.scratch_bytes(call.in_float32.plain, n_tiles)))) {
    noise_.accept.chain = noise_.momentum.chain = stream_chain_;
    redraw_.chain = free_chain_;
    noise_.accept.n_networks = noise_.momentum.n_networks = redraw_.n_networks = 1;
  }

  // False for a permutation that is none.
  bool run(int64_t network) {
    network_ = network;
    noise_.accept.network = noise_.momentum.network = redraw_.network = call_.noise.accept.network + network;
    if (call_.hands_over()) show_all();
    for (int64_t sweep = 0, n_drawn = 0; sweep < call_.schedule.n_sweeps; ++sweep) {
      if (!place_temperatures()) return false;
      double* statistics = call_.statistics + 4 * first_chain();
      std::fill(statistics, statistics + 4 * n_chains_, 0.0);
      for (int64_t i = 0; i < call_.steps_per_sweep; ++i) step((call_.first_sweep + sweep) * call_.steps_per_sweep + i);
      if (!count_and_swap(call_.first_sweep + sweep)) return false;
      if (call_.schedule.is_drawn(sweep)) draw(n_drawn++);
    }
    return true;
  }

 private:
  int64_t first_chain() const { return network_ * n_chains_; }
  float* x() const { return call_.x + first_chain() * n0_; }
  float* grad() const { return call_.grad + first_chain() * n0_; }
  double* energy() const { return call_.energy + first_chain(); }

  // The chains (slots) in the order in which they move, with beta, step size and number of steps of each. A tile takes as
  // long as the longest of its trajectories, so those of equal length go together.
  bool place_temperatures() {
    const int64_t r = call_.ladders().n_replicas;
    const int64_t* temperature = call_.arrays().temp_of_slot + network_ * n_chains_;
    for (int64_t chain = 0; chain < n_chains_; ++chain) {
      if (temperature[chain] < 0 || temperature[chain] >= n_chains_ / r) return false;
      order_[chain] = chain;
    }
    if (!call_.is_of_one_length()) {
      std::stable_sort(order_, order_ + n_chains_, [&](int64_t a, int64_t b) {
        return call_.n_leapfrog[temperature[a]] < call_.n_leapfrog[temperature[b]];
      });
    }
    for (int64_t i = 0; i < n_chains_; ++i) {
      const int64_t k = temperature[order_[i]];
      stream_chain_[i] = call_.noise.accept.chain[order_[i]];
      beta_[i] = call_.beta[k];
      step_size_[i] = call_.step_size[k];
      n_leapfrog_[i] = call_.n_leapfrog[k];
    }
    return true;
  }

  void step(int64_t number) {
    noise_.set_step(number);
    if (fresh_ != nullptr) redraw(number);
    for (int64_t first = 0; first < n_chains_; first += chains_per_job_) {
      transition(number, first, std::min(chains_per_job_, n_chains_ - first));
    }
  }

  // Uniform points for the chains at beta = 0, by the operations of `Sphere.random_point`, all of them at a time.
  void redraw(int64_t number) {
    int64_t n = 0;
    for (int64_t i = 0; i < n_chains_; ++i) {
      if (beta_[i] == 0.0) free_chain_[n++] = stream_chain_[i];
    }
    redraw_.step = static_cast<uint32_t>(number);
    fill_normals(redraw_, 0, n, points_);
    const at::Tensor rows = at::from_blob(points_, {n, n0_}, at::kFloat);
    const auto radius = std::sqrt(static_cast<double>(n0_));
    rows.mul_(at::reciprocal(at::linalg_vector_norm(rows, 2, at::IntArrayRef{-1}, true)).mul_(radius));
    for (int64_t i = 0, j = 0; i < n_chains_; ++i) {
      if (beta_[i] == 0.0) std::memcpy(fresh_ + i * n0_, points_ + n0_ * j++, sizeof(float) * static_cast<size_t>(n0_));
    }
  }

  // Positions and gradients of n chains, number `first` on in order: where they lie, or copied together.
  std::pair<const float*, const float*> starts(int64_t first, int64_t n) const {
    if (call_.is_of_one_length()) return {x() + first * n0_, grad() + first * n0_};
    const size_t bytes = sizeof(float) * static_cast<size_t>(n0_);
    for (int64_t i = 0; i < n; ++i) {
      std::memcpy(from_x_ + i * n0_, x() + order_[first + i] * n0_, bytes);
      std::memcpy(from_grad_ + i * n0_, grad() + order_[first + i] * n0_, bytes);
    }
    return {from_x_, from_grad_};
  }

  MlpChains chains_from(int64_t first, const float* from_x, const float* from_grad) {
    MlpChains chains{};
    chains.x = from_x;
    chains.p = rows_.noise;
    chains.grad = from_grad;
    chains.fresh = fresh_ == nullptr ? nullptr : fresh_ + first * n0_;
    chains.beta = beta_ + first;
    chains.step_size = rows_.step_size;
    chains.n_leapfrog = n_leapfrog_ + first;
    chains.reproject_every = call_.reproject_every;
    chains.x_out = x_;
    chains.grad_out = grad_;
    chains.energy_out = energy_;
    chains.kinetic_change_out = rows_.kinetic_change;
    if (call_.hands_over()) {
      chains.layers_out = proposed_.values;
      chains.weighted_out = proposed_.weighted;
      chains.derivatives_out = proposed_.derivatives;
    }
    return chains;
  }

  // One transition of n chains, number `first` on in order.
  void transition(int64_t number, int64_t first, int64_t n) {
    const auto [from_x, from_grad] = starts(first, n);
    rows_.draw(noise_, first, n, n0_, from_x, step_size_ + first);
    call_.networks.kernels.run(call_.networks.plain, chains_from(first, from_x, from_grad), MlpJob{network_, 0, n}, scratch_);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t chain = order_[first + i], at = first_chain() + chain;
      const double beta = beta_[first + i];
      double statistics[4];
      bool is_nonfinite = false;
      const bool is_accepted = rows_.decide(i, beta, call_.energy[at], energy_[i], statistics, is_nonfinite);
      for (int j = 0; j < 4; ++j) call_.statistics[4 * at + j] += statistics[j];
      if (is_nonfinite && call_.nonfinite_step[at] < 0) {
        call_.nonfinite_step[at] = number;
        call_.nonfinite_beta[at] = beta;
      }
      if (is_accepted) take(chain, i);
    }
  }

  void take(int64_t chain, int64_t i) {
    const size_t bytes = sizeof(float) * static_cast<size_t>(n0_);
    std::memcpy(x() + chain * n0_, x_ + i * n0_, bytes);
    std::memcpy(grad() + chain * n0_, grad_ + i * n0_, bytes);
    energy()[chain] = energy_[i];
    if (call_.hands_over()) kept_.copy_row(call_.in_float32.plain, chain, proposed_, i);
  }

  bool count_and_swap(int64_t sweep) {
    const int64_t parity = sweep % 2;
    const ExchangeCall& exchange = call_.exchange[parity];
    if (!count_statistics(exchange, call_.statistics, network_, network_ + 1, call_.in_order, call_.sums)) return false;
    if (!call_.is_exchanging || exchange.ladders.n_pairs(parity) == 0) return true;
    swap_.step = static_cast<uint32_t>(sweep);
    swap_.n = exchange.ladders.n_pairs(parity);
    return swap_networks(exchange, swap_, parity, network_, network_ + 1, call_.uniforms[parity]);
  }

  void show_all() {
    show_layers(call_.in_float32, network_, x(), n_chains_, call_.ladders().n_replicas > 1, kept_,
                {chains_per_job_, energy_, float32_scratch_});
  }

  void draw(int64_t number) {
    const auto& [d, k, r] = call_.ladders();
    const int64_t depth = call_.networks.plain.depth, n_layers = depth + 1, n_pairs = r * (r - 1) / 2;
    if (call_.with_overlaps && !call_.hands_over()) show_all();
    for (int64_t i = 0; i < k; ++i) {
      const int64_t ladder = (number * d + network_) * k + i;
      for (int64_t s = 0; s < r; ++s) {
        ladder_[s] = call_.arrays().slot_of_temp[(network_ * k + i) * r + s] * r + s;
        call_.draws.energy[ladder * r + s] = energy()[ladder_[s]];
      }
      if (!call_.with_overlaps) continue;
      products_.multiply(x(), kept_, ladder_.data(),
                         {call_.draws.between + ladder * n_pairs * n_layers, call_.draws.within + ladder * r * n_layers,
                          call_.draws.excess + ladder * depth, call_.draws.response + ladder * depth});
    }
  }

  const SweepsCall& call_;
  int64_t n0_, n_chains_, chains_per_job_, network_ = 0;
  TransitionNoise noise_;
  StreamAddress redraw_, swap_;
  TransitionRows rows_;
  int64_t *order_, *stream_chain_;  // chains in the order in which they move, and their ids in the streams; in this order:
  double* beta_;
  float* step_size_;
  int64_t* n_leapfrog_;
  int64_t* free_chain_;                      // ids of those at beta = 0
  float *fresh_, *points_;                   // (C, N_0), and the same of those at beta = 0 alone
  float *from_x_, *from_grad_, *x_, *grad_;  // (chains_per_job, N_0): where chains of a job start, and their proposals
  double* energy_;             // of the proposals
  Layers kept_, proposed_;
  Products products_;
  std::vector<int64_t> ladder_;
  void *scratch_, *float32_scratch_;
};

}  // namespace mlp_gibbs
