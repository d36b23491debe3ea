// The working set of one tile of chains, and the maps of a trajectory that need no network: kick, great circle, norms.
//
// Arrays are (site, chain), the chain being the lane of the vectors, so that nothing here mixes chains; sums over sites
// run in order. Sites come in pairs: where n0 is odd there is one more, all zeros.
#pragma once

namespace mlp_gibbs {
namespace {

template <class V, int VECTORS>
struct Tile {
  using F = typename V::F;
  static constexpr int64_t W = V::WIDTH, CHAINS = VECTORS * W;

  // One number a chain.
  struct alignas(64) Lanes {
    float step_size[CHAINS], half_kick[CHAINS], full_kick[CHAINS];  // eps, -eps beta / 2, -eps beta
    float time[CHAINS], impulse[CHAINS];                            // of the next drift, of the kick before it
    float xx[CHAINS], xp[CHAINS], xg[CHAINS], pp[CHAINS];           // products such as x . g
    float moves[CHAINS];
    double energy[CHAINS], beta[CHAINS], kinetic[CHAINS];
    int32_t n_leapfrog[CHAINS];
  };

  int64_t n0, sites;        // sites, the same rounded up to even
  int64_t first, n_chains;  // rows first to first + n_chains - 1 of the (D x C, n0) arrays; other lanes copy the last
  float *x, *p, *g;         // (sites, CHAINS)
  Lanes* lanes;

  int64_t row_of(int64_t lane) const { return first + (lane < n_chains ? lane : n_chains - 1); }

  void read(const float* from, float* to) const {
    for (int64_t lane = 0; lane < CHAINS; lane += W) {
      for (int64_t site = 0; site < n0; site += W) {
        F block[W];
        for (int64_t c = 0; c < W; ++c) block[c] = V::load_some(from + row_of(lane + c) * n0 + site, n0 - site);
        V::transpose(block);
        for (int64_t i = 0; i < W && site + i < sites; ++i) V::store(to + (site + i) * CHAINS + lane, block[i]);
      }
    }
  }

  // Rows of n numbers from (n, CHAINS).
  void write(const float* from, float* to, int64_t n) const { write_sites(from, to, n, 0, n); }

  // Numbers begin to end - 1 (n at most) of rows of n, from (end - begin, CHAINS).
  __attribute__((noinline)) void write_sites(const float* from, float* to, int64_t n, int64_t begin, int64_t end) const {
    end = end < n ? end : n;
    for (int64_t lane = 0; lane < n_chains; lane += W) {
      for (int64_t site = begin; site < end; site += W) {
        F block[W];
        for (int64_t i = 0; i < W; ++i) {
          block[i] = site + i < end ? V::load(from + (site - begin + i) * CHAINS + lane) : V::set(0.0f);
        }
        V::transpose(block);
        for (int64_t c = 0; c < W && lane + c < n_chains; ++c) {
          V::store_some(to + (first + lane + c) * n + site, block[c], end - site);
        }
      }
    }
  }

  // u . v
  void dot(const float* u, const float* v, float* out) const {
    F sum[VECTORS];
    for (int64_t h = 0; h < VECTORS; ++h) sum[h] = V::set(0.0f);
    for (int64_t i = 0; i < sites * CHAINS; i += CHAINS) {
      for (int64_t h = 0; h < VECTORS; ++h) sum[h] = V::fma(V::load(u + i + h * W), V::load(v + i + h * W), sum[h]);
    }
    for (int64_t h = 0; h < VECTORS; ++h) V::store(out + h * W, sum[h]);
  }

  // A kick p += impulse (g - x (x.g)/n0) comes in two halves, because x.g is known only at the end of the gradient:
  // `push` wherever the gradient of some sites is at hand, then `straighten`, which the great circle does on its way.
  struct Push {
    F impulse[VECTORS], xg[VECTORS], pp[VECTORS];
  };

  Push push_start() const {
    Push push;
    for (int64_t h = 0; h < VECTORS; ++h) {
      push.impulse[h] = V::load(lanes->impulse + h * W);
      push.xg[h] = V::load(lanes->xg + h * W);
      push.pp[h] = V::load(lanes->pp + h * W);
    }
    return push;
  }

  // p += impulse g at the numbers x, p of one site and one vector of chains; x.g and p.p are summed.
  static MLP_GIBBS_INLINE void push_site(Push& push, int64_t h, F g, const float* x, float* p) {
    const F pushed = V::fma(push.impulse[h], g, V::load(p));
    V::store(p, pushed);
    push.xg[h] = V::fma(V::load(x), g, push.xg[h]);
    push.pp[h] = V::fma(pushed, pushed, push.pp[h]);
  }

  void push_end(const Push& push) const {
    for (int64_t h = 0; h < VECTORS; ++h) {
      V::store(lanes->xg + h * W, push.xg[h]);
      V::store(lanes->pp + h * W, push.pp[h]);
    }
  }

  void forget_products() const {
    for (int64_t c = 0; c < CHAINS; ++c) lanes->xg[c] = lanes->pp[c] = 0.0f;
  }

  // The push by the gradient in g.
  void push() const {
    forget_products();
    Push push = push_start();
    for (int64_t i = 0; i < sites * CHAINS; i += CHAINS) {
      for (int64_t h = 0; h < VECTORS; ++h) push_site(push, h, V::load(g + i + h * W), x + i + h * W, p + i + h * W);
    }
    push_end(push);
  }

  // impulse (x.g)/n0: what the projection on the tangent space takes off along x
  F normal_impulse(int64_t lane) const {
    const F along = V::mul(V::load(lanes->xg + lane), V::set(1.0f / static_cast<float>(n0)));
    return V::mul(V::load(lanes->impulse + lane), along);
  }

  // p -= impulse x (x.g)/n0
  void straighten() const {
    for (int64_t lane = 0; lane < CHAINS; lane += W) {
      const F normal = normal_impulse(lane);
      for (int64_t i = lane; i < sites * CHAINS; i += CHAINS) {
        V::store(p + i, V::fnma(normal, V::load(x + i), V::load(p + i)));
      }
    }
  }

  // |p|^2 / 2 in float64
  void kinetic_energy(double* out) const {
    typename V::DoubleSum sum[VECTORS];
    for (int64_t i = 0; i < sites * CHAINS; i += CHAINS) {
      for (int64_t h = 0; h < VECTORS; ++h) {
        const F a = V::load(p + i + h * W);
        sum[h].add(a, a);
      }
    }
    for (int64_t h = 0; h < VECTORS; ++h) sum[h].store(out + h * W);
    for (int64_t c = 0; c < CHAINS; ++c) out[c] *= 0.5;
  }

  struct Rotation {
    F normal, cosine, sine_over_frequency, sine_times_frequency;
  };

  // The great circle after a push, whose second half is still to come: that takes impulse^2 (x.g)^2/n0 off p.p, because
  // p.x = 0 before the push.
  Rotation rotation(int64_t lane) const {
    const F normal = normal_impulse(lane);
    const F off = V::mul(normal, V::mul(V::load(lanes->impulse + lane), V::load(lanes->xg + lane)));
    const F square = V::max(V::set(0.0f), V::sub(V::load(lanes->pp + lane), off));
    const F radius = V::set(static_cast<float>(__builtin_sqrt(static_cast<double>(n0))));
    const F frequency = V::div(V::sqrt(square), radius);
    const F time = V::load(lanes->time + lane);
    F sine, cosine;
    sin_cos<V>(V::mul(frequency, time), sine, cosine);
    // t for a walker at rest
    const F over = V::select_greater(V::set(1e-30f), frequency, time, V::div(sine, frequency));
    return {normal, cosine, over, V::mul(frequency, sine)};
  }

  // x(t) = x cos(w t) + (p/w) sin(w t),  p(t) = p cos(w t) - w x sin(w t),  w = |p| / sqrt(n0), after straightening.
  // Nothing moves for impulse = 0 and t = 0. take(site, x at site, x at site + 1) sees the new positions.
  template <class Take>
  void flow(Take take) const {
    Rotation rotations[VECTORS];
    for (int64_t h = 0; h < VECTORS; ++h) rotations[h] = rotation(h * W);
    float *const to_x = x, *const to_p = p;  // copies: the stores below may alias the members as far as the compiler knows
    const int64_t n_sites = sites;
    for (int64_t site = 0; site < n_sites; site += 2) {
      F moved[2][VECTORS];
      for (int64_t r = 0; r < 2; ++r) {
        for (int64_t h = 0; h < VECTORS; ++h) {
          const Rotation& by = rotations[h];
          const int64_t i = (site + r) * CHAINS + h * W;
          const F old = V::load(to_x + i);
          const F kicked = V::fnma(by.normal, old, V::load(to_p + i));
          moved[r][h] = V::fma(kicked, by.sine_over_frequency, V::mul(old, by.cosine));
          V::store(to_x + i, moved[r][h]);
          V::store(to_p + i, V::fnma(by.sine_times_frequency, old, V::mul(kicked, by.cosine)));
        }
      }
      take(site, moved[0], moved[1]);
    }
  }

  // Rounding errors taken off where lanes->moves is 1, nothing where it is 0: |x| = sqrt(n0), then p tangent at x.
  void reproject() const {
    dot(x, x, lanes->xx);
    const float size = static_cast<float>(n0);
    for (int64_t lane = 0; lane < CHAINS; lane += W) {
      const F moves = V::load(lanes->moves + lane);
      const F scale = V::sqrt(V::div(V::set(size), V::load(lanes->xx + lane)));
      const F factor = V::select_greater(moves, V::set(0.0f), scale, V::set(1.0f));
      for (int64_t i = lane; i < sites * CHAINS; i += CHAINS) V::store(x + i, V::mul(V::load(x + i), factor));
    }
    dot(x, p, lanes->xp);
    for (int64_t lane = 0; lane < CHAINS; lane += W) {
      const F along = V::div(V::mul(V::load(lanes->moves + lane), V::load(lanes->xp + lane)), V::set(size));
      for (int64_t i = lane; i < sites * CHAINS; i += CHAINS) {
        V::store(p + i, V::fnma(along, V::load(x + i), V::load(p + i)));
      }
    }
  }
};

}  // namespace
}  // namespace mlp_gibbs
