// What an HMC transition of some chains takes beside its trajectory: noise before it, the Metropolis test after it.
#pragma once

#include <cmath>

#include "metropolis.h"
#include "mlp_call.h"
#include "rows.h"
#include "streams.h"

namespace mlp_gibbs {

struct TransitionNoise {
  StreamAddress accept, momentum;  // two uniforms and n0 normals a chain
  double jitter;

  void set_step(int64_t step) { accept.step = momentum.step = static_cast<uint32_t>(step); }
};

// Noise, step sizes and changes of the kinetic energy of the chains of a job.
struct TransitionRows {
  float *noise, *step_size;
  double *uniforms, *kinetic_change;

  TransitionRows(Pieces& pieces, int64_t n_chains, int64_t n0)
      : noise(pieces.take<float>(n_chains * n0)),
        step_size(pieces.take<float>(n_chains)),
        uniforms(pieces.take<double>(2 * n_chains)),
        kinetic_change(pieces.take<double>(n_chains)) {}

  // Tangent momenta and jittered step sizes of n chains at x, which are rows `first` on of the streams.
  void draw(const TransitionNoise& of, int64_t first, int64_t n, int64_t n0, const float* x, const float* steps) const {
    const RowKernels& row = row_kernels();
    fill_uniforms(of.accept, first, first + n, uniforms);
    fill_normals(of.momentum, first, first + n, noise);
    for (int64_t i = 0; i < n; ++i) {
      row.project(x + i * n0, noise + i * n0, n0, noise + i * n0);
      const double factor = 1.0 + of.jitter * (2.0 * uniforms[2 * i + 1] - 1.0);
      step_size[i] = steps[i] * static_cast<float>(factor);
    }
  }

  // Whether chain i takes its proposal; writes its four statistics, and whether an energy is NaN or infinite.
  bool decide(int64_t i, double beta, double energy, double proposed, double* statistics, bool& is_nonfinite) const {
    const double error = energy_error_of(beta, energy, proposed, kinetic_change[i]);
    is_nonfinite = !std::isfinite(error);
    return metropolis_of(uniforms[2 * i], error, statistics);
  }
};

}  // namespace mlp_gibbs
