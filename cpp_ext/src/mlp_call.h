// What the operators on random MLPs share: checked weights, scratch memory, jobs cut from the chains and shared out.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "../mlp/kernels.h"
#include "checks.h"

// The arguments of NETWORKS in the schemas, and their names.
#define MLP_GIBBS_NETWORK_PARAMETERS                                                                                    \
  at::IntArrayRef widths, at::TensorList forward, at::TensorList backward, at::TensorList for_energy,                   \
      const c10::List<std::optional<at::Tensor>>&biases, const at::Tensor &readout, c10::string_view activation,        \
      c10::ArrayRef<double> parameters, c10::string_view forces, c10::string_view engine
#define MLP_GIBBS_NETWORK_ARGUMENTS \
  widths, forward, backward, for_energy, biases, readout, activation, parameters, forces, engine

namespace mlp_gibbs {

constexpr int64_t MAX_WIDTH = 1 << 24;  // of a layer; every size made of two of them fits 64 bits

const MlpKernels& kernels_named(c10::string_view name);

// The weights as the kernels want them, with what keeps them alive.
struct Networks {
  const MlpKernels& kernels;
  MlpWeights plain{};
  int64_t n_networks = 0;
  std::vector<at::Tensor> alive;
};

Networks checked_networks(MLP_GIBBS_NETWORK_PARAMETERS);

// (D, C, N_0) float32, contiguous.
at::Tensor checked_positions(const at::Tensor& x, const Networks& networks);

// (D, C) int64, contiguous, numbers of steps.
const int64_t* checked_n_leapfrog(const at::Tensor& n_leapfrog, int64_t d, int64_t c);

// Memory that a thread keeps, aligned to large pages: fresh pages from the system would cost more than a short trajectory.
void* scratch(size_t bytes);

// Cuts memory into pieces aligned to 64 bytes; without memory it only counts.
class Pieces {
 public:
  explicit Pieces(void* memory = nullptr) : start_(static_cast<char*>(memory)) {}

  template <class T>
  T* take(int64_t n) {
    char* piece = start_ == nullptr ? nullptr : start_ + used_;
    used_ += (sizeof(T) * static_cast<size_t>(n) + 63) / 64 * 64;
    return reinterpret_cast<T*>(piece);
  }

  size_t used() const { return used_; }

 private:
  char* start_;
  size_t used_ = 0;
};

// Tiles that a job takes: networks whose weights leave the cache are read once for several, as long as every thread has
// work.
int64_t tiles_per_job(const Networks& networks, int64_t n_chains);

// body(job) for all chains in jobs of n_tiles tiles, on all threads; a thread that is done takes the next job.
template <class Body>
void for_each_job(const Networks& networks, int64_t n_chains, int64_t n_tiles, Body body) {
  const int64_t chains_per_job = n_tiles * networks.kernels.chains_per_tile;
  const int64_t per_network = (n_chains + chains_per_job - 1) / chains_per_job;
  const int64_t n_jobs = networks.n_networks * per_network;
  const int64_t n_workers = std::min<int64_t>(n_jobs, at::get_num_threads());
  std::atomic<int64_t> next{0};
  at::parallel_for(0, n_workers, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      for (int64_t job = next++; job < n_jobs; job = next++) {
        const int64_t network = job / per_network, first = job % per_network * chains_per_job;
        body(MlpJob{network, network * n_chains + first, std::min(chains_per_job, n_chains - first)});
      }
    }
  });
}

// All chains, by the kernels.
void run(const Networks& networks, const MlpChains& chains, int64_t n_chains);

}  // namespace mlp_gibbs
