// tanh, erf, sine, cosine and exponential of float32 lanes, within about two units in the last place.
//
// Coefficients: cpp_ext/coefficients.py prints them again with their errors. tests/cpp_ext/test_leapfrog_op.py measures
// the whole functions through the operators.
#pragma once

namespace mlp_gibbs {
namespace {

// c[0] z^(n-1) + ... + c[n-1]
template <class V, int N>
MLP_GIBBS_INLINE typename V::F polynomial(typename V::F z, const float (&c)[N]) {
  typename V::F p = V::set(c[0]);
#pragma GCC unroll 16
  for (int i = 1; i < N; ++i) p = V::fma(p, z, V::set(c[i]));
  return p;
}

// x P(x^2)/Q(x^2), all coefficients positive, error 2e-8; |x| is cut at 8.7, where tanh rounds to 1 - 2^-24.
template <class V>
MLP_GIBBS_INLINE typename V::F tanh(typename V::F x) {
  constexpr float P[] = {0x1.134536p-35f, 0x1.b41836p-24f, 0x1.538b20p-15f, 0x1.1d534cp-8f, 0x1.1fa12ap-3f, 1.0f};
  constexpr float Q[] = {0x1.66b4aap-29f, 0x1.47bb18p-19f, 0x1.fecb4ep-12f, 0x1.da4146p-6f, 0x1.e525e8p-2f, 1.0f};
  const auto cut = V::max(V::set(-8.7f), V::min(V::set(8.7f), x));  // in this order a NaN stays one
  const auto z = V::mul(cut, cut);
  return V::mul(V::mul(cut, polynomial<V>(z, P)), V::reciprocal(polynomial<V>(z, Q)));
}

// pi = PI_1 + PI_2 + PI_3 to 72 bits; n PI_1 is exact in the first subtraction, so that the rest keeps its digits.
constexpr float PI_1 = 0x1.921fb6p+1f, PI_2 = -0x1.777a5cp-24f, PI_3 = -0x1.ee59dap-49f;
constexpr float ROUND = 0x1.8p23f;  // added to |y| < 2^22, it rounds y to an integer, which is then in the low bits

template <class V>
MLP_GIBBS_INLINE typename V::F minus_multiple_of_pi(typename V::F x, typename V::F n) {
  return V::fnma(n, V::set(PI_3), V::fnma(n, V::set(PI_2), V::fnma(n, V::set(PI_1), x)));
}

// sin(r) on |r| <= pi/2; error 2e-8
template <class V>
MLP_GIBBS_INLINE typename V::F sin_half_turn(typename V::F r) {
  constexpr float C[] = {-0x1.9d87c4p-26f, 0x1.719524p-19f, -0x1.a018fep-13f, 0x1.111110p-7f, -0x1.555556p-3f};
  const auto z = V::mul(r, r);
  return V::fma(V::mul(r, z), polynomial<V>(z, C), r);
}

// Full accuracy for |x| < 2e5; beyond, digits go, and from 1e7 on the result means nothing (it may even overflow).
template <class V>
MLP_GIBBS_INLINE typename V::F sin(typename V::F x) {
  const auto shifted = V::fma(x, V::set(0x1.45f306p-2f), V::set(ROUND));  // x / pi
  return V::flip(sin_half_turn<V>(minus_multiple_of_pi<V>(x, V::sub(shifted, V::set(ROUND)))), V::bits(shifted));
}

// cos(x) = sin(x + pi/2) with the half turn put into n, where it is exact; the same range.
template <class V>
MLP_GIBBS_INLINE typename V::F cos(typename V::F x) {
  const auto turned = V::add(V::fma(x, V::set(0x1.45f306p-2f), V::set(0.5f)), V::set(ROUND));
  const auto n = V::sub(V::sub(turned, V::set(ROUND)), V::set(0.5f));
  return V::flip(sin_half_turn<V>(minus_multiple_of_pi<V>(x, n)), V::bits(turned));
}

// Both at once, exact at 0: (0, 1). For the great circle, |x| < 1e5.
template <class V>
MLP_GIBBS_INLINE void sin_cos(typename V::F x, typename V::F& sine, typename V::F& cosine) {
  constexpr float S[] = {-0x1.9abc24p-13f, 0x1.110c10p-7f, -0x1.555552p-3f};
  constexpr float C[] = {0x1.9bcdbep-16f, -0x1.6c12bep-10f, 0x1.555554p-5f};
  const auto shifted = V::fma(x, V::set(0x1.45f306p-1f), V::set(ROUND));  // quarter turns
  const auto r = minus_multiple_of_pi<V>(x, V::mul(V::set(0.5f), V::sub(shifted, V::set(ROUND))));
  const auto z = V::mul(r, r);
  const auto s = V::fma(V::mul(r, z), polynomial<V>(z, S), r);
  const auto c = V::fma(V::mul(z, z), polynomial<V>(z, C), V::fma(z, V::set(-0.5f), V::set(1.0f)));
  const auto quarter = V::bits(shifted);
  sine = V::flip(V::select_odd(quarter, c, s), V::shift_right_one(quarter));
  cosine = V::flip(V::select_odd(quarter, s, c), V::shift_right_one(V::add_one(quarter)));
}

// exp(-x^2); absolute error below 1e-7, relative error x^2 2^-24 more.
template <class V>
MLP_GIBBS_INLINE typename V::F exp_minus_square(typename V::F x) {
  constexpr float C[] = {0x1.6d10fcp-10f, 0x1.120b62p-7f, 0x1.55551ap-5f, 0x1.5554dep-3f, 0.5f};
  const auto y = V::min(V::set(87.0f), V::mul(x, x));  // 1.6e-38 from there on
  const auto n = V::sub(V::fma(y, V::set(-0x1.715476p+0f), V::set(ROUND)), V::set(ROUND));  // - y / ln 2
  // r = -y - n ln 2; n * 0x1.62e4p-1 is exact
  const auto r = V::fnma(n, V::set(0x1.7f7d1cp-20f), V::fnma(n, V::set(0x1.62e4p-1f), V::sub(V::set(0.0f), y)));
  const auto e = V::fma(V::mul(r, r), polynomial<V>(r, C), V::add(r, V::set(1.0f)));
  return V::times_power_of_two(e, n);
}

// erf(x) given exp(-x^2): a polynomial below 1, 1 - exp(-x^2) R(|x|) above.
template <class V>
MLP_GIBBS_INLINE typename V::F erf(typename V::F x, typename V::F exp_minus_square) {
  constexpr float SMALL[] = {0x1.4a5690p-14f, -0x1.a45088p-11f, 0x1.541270p-8f, -0x1.b7fabap-6f,
                             0x1.ce2d10p-4f,  -0x1.81273ep-2f,  0x1.06eba8p-3f};
  constexpr float TAIL[] = {-0x1.9ce9eep-12f, 0x1.21ccacp-11f, -0x1.a3bbfap-10f, 0x1.6db2bap-8f,
                            -0x1.fb8ea8p-7f,  0x1.562e90p-5f,  -0x1.b573dep-4f,  0x1.058690p-2f};
  const auto size = V::abs(x);
  const auto below = V::fma(x, polynomial<V>(V::mul(x, x), SMALL), x);
  const auto tail = polynomial<V>(V::sub(V::min(V::set(4.0f), size), V::set(2.0f)), TAIL);
  const auto above = V::copy_sign(V::fnma(exp_minus_square, tail, V::set(1.0f)), x);
  return V::select_greater(size, V::set(1.0f), above, below);
}

}  // namespace
}  // namespace mlp_gibbs
