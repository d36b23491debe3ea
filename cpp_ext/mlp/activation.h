// phi and its derivative on float32 lanes, the same functions as mcmc/systems/mlp/activations.py.
#pragma once

namespace mlp_gibbs {
namespace {

// linear, relu, leaky_relu, shaped_relu: slopes below and above 0; at the kink, the derivative from the left
template <class V>
struct Piecewise {
  typename V::F negative, positive;
  explicit Piecewise(const float* slopes) : negative(V::set(slopes[0])), positive(V::set(slopes[1])) {}
  MLP_GIBBS_INLINE typename V::F derivative(typename V::F h) const { return V::select_greater(h, V::set(0.0f), positive, negative); }
  MLP_GIBBS_INLINE void both(typename V::F h, typename V::F& a, typename V::F& d) const {
    d = derivative(h);
    a = V::mul(d, h);
  }
};

// s tanh(h/s)
template <class V>
struct Tanh {
  typename V::F scale, inverse_scale;
  explicit Tanh(const float* s) : scale(V::set(s[0])), inverse_scale(V::set(1.0f / s[0])) {}
  MLP_GIBBS_INLINE typename V::F derivative(typename V::F h) const {
    const auto t = tanh<V>(V::mul(h, inverse_scale));
    return V::fnma(t, t, V::set(1.0f));
  }
  MLP_GIBBS_INLINE void both(typename V::F h, typename V::F& a, typename V::F& d) const {
    const auto t = tanh<V>(V::mul(h, inverse_scale));
    a = V::mul(scale, t);
    d = V::fnma(t, t, V::set(1.0f));
  }
};

template <class V>
struct Sin {
  explicit Sin(const float*) {}
  MLP_GIBBS_INLINE typename V::F derivative(typename V::F h) const { return cos<V>(h); }
  MLP_GIBBS_INLINE void both(typename V::F h, typename V::F& a, typename V::F& d) const {
    a = sin<V>(h);
    d = cos<V>(h);
  }
};

template <class V>
struct Erf {
  explicit Erf(const float*) {}
  MLP_GIBBS_INLINE typename V::F derivative(typename V::F h) const { return V::mul(V::set(0x1.20dd76p+0f), exp_minus_square<V>(h)); }
  MLP_GIBBS_INLINE void both(typename V::F h, typename V::F& a, typename V::F& d) const {  // 2/sqrt(pi) exp(-h^2)
    const auto e = exp_minus_square<V>(h);
    a = erf<V>(h, e);
    d = V::mul(V::set(0x1.20dd76p+0f), e);
  }
};

}  // namespace
}  // namespace mlp_gibbs
