// The Metropolis test of one chain, for the operators that take it.
#pragma once

#include <cmath>

namespace mlp_gibbs {

// Change of beta H + |p|^2/2 along a trajectory. At beta = 0 the end point was drawn afresh and is always accepted, though
// a non-finite energy still shows.
inline double energy_error_of(double beta, double energy, double proposed, double kinetic_change) {
  return beta == 0.0 ? beta * proposed : beta * (proposed - energy) + kinetic_change;
}

// Whether u < p; statistics[4] becomes p = exp(min(0, -d)), d, d^2, exp(-d). A NaN stays NaN, and is not accepted.
inline bool metropolis_of(double u, double d, double* statistics) {
  const double weight = std::exp(-d);
  statistics[0] = d < 0.0 ? 1.0 : weight;
  statistics[1] = d;
  statistics[2] = d * d;
  statistics[3] = weight;
  return u < statistics[0];
}

}  // namespace mlp_gibbs
