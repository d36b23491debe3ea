// Logarithm, sine, cosine and exponential from IEEE-754 operations alone.
//
// Only +, -, *, /, sqrt and integer operations are used, each of which rounds to nearest by the standard. The same text
// therefore gives the same bits on every CPU, every vector width and every GPU, and in plain torch (mcmc/philox.py and
// mcmc/exchange/reference.py hold the twins, operation by operation). A libm may not be used here: its last bit is its
// own business. Fused multiply-add must stay off (-ffp-contract=off, nvcc -fmad=false), because it rounds once, not twice.
//
// The coefficients interpolate at the Chebyshev nodes of the interval named beside them, in 60 digits, and are rounded
// to double at the end; cpp_ext/coefficients.py prints them again with their errors.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "hd.h"

namespace mlp_gibbs {

MLP_GIBBS_HD uint64_t bits_of(double x) {
  uint64_t b;
  std::memcpy(&b, &x, sizeof b);
  return b;
}

MLP_GIBBS_HD double double_of(uint64_t b) {
  double x;
  std::memcpy(&x, &b, sizeof x);
  return x;
}

// The integer n < 2^52 as a double. 2^52 + n is exact, and vectorises where a 64-bit conversion does not (AVX2).
MLP_GIBBS_HD double exact_double(uint64_t n) { return double_of(n | 0x4330000000000000ULL) - 0x1p52; }

// ln 2 = LN2_HI + LN2_LO; LN2_HI has 32 bits, so that n * LN2_HI is exact for |n| <= 2^21.
#define MLP_GIBBS_LN2_HI 0x1.62e42fee00000p-1
#define MLP_GIBBS_LN2_LO 0x1.a39ef35793c76p-33

// log(x) of a normal positive x <= 1; relative error below 2.3e-16.
//   x = 2^e m with m in [sqrt(1/2), sqrt(2)), f = m - 1, s = f / (2 + f):  log m = 2 atanh(s) = f - s (f - s^2 P(s^2)).
MLP_GIBBS_HD double log_unit(double x) {
  const uint64_t sqrt_half = 0x3fe6a09e667f3bcdULL;  // the double just above sqrt(1/2)
  // floor((bits - sqrt_half) / 2^52), kept unsigned by adding 1024: there is no 64-bit arithmetic shift before AVX-512
  const uint64_t biased = (bits_of(x) - sqrt_half + (1024ULL << 52)) >> 52;
  const double m = double_of(bits_of(x) - ((biased - 1024ULL) << 52));
  const double e = exact_double(biased) - 1024.0;
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 0x1.2b584aae78a57p-3;  // (2 atanh(s)/s - 2)/s^2 on s^2 in [0, (3 - 2 sqrt 2)^2]; error 4.7e-18
  p = p * z + 0x1.39fe606542ddep-3;
  p = p * z + 0x1.7462b4ab2ef6bp-3;
  p = p * z + 0x1.c71c62e5800a1p-3;
  p = p * z + 0x1.2492492df148dp-2;
  p = p * z + 0x1.99999999952e2p-2;
  p = p * z + 0x1.5555555555558p-1;
  return e * MLP_GIBBS_LN2_HI + (f + (e * MLP_GIBBS_LN2_LO - s * (f - z * p)));
}

// sin(2 pi r) for |r| <= 1/8.
MLP_GIBBS_HD double sin_turn(double r) {
  const double z = r * r;
  double p = 0x1.e4a9d9166f052p+1;  // (sin(2 pi r)/r - 2 pi)/r^2 on r^2 in [0, 1/64]; error 1.3e-17
  p = p * z + -0x1.e3027dea82bd7p+3;
  p = p * z + 0x1.50783208843ebp+5;
  p = p * z + -0x1.32d2cce500387p+6;
  p = p * z + 0x1.466bc6775a476p+6;
  p = p * z + -0x1.4abbce625be52p+5;
  return r * (0x1.921fb54442d18p+2 + z * p);
}

// cos(2 pi r) for |r| <= 1/8.
MLP_GIBBS_HD double cos_turn(double r) {
  const double z = r * r;
  double p = -0x1.b2f3eb054afcdp+0;  // (cos(2 pi r) - 1)/r^2 on r^2 in [0, 1/64]; error 2.6e-17
  p = p * z + 0x1.f9ce245cada0bp+2;
  p = p * z + -0x1.a6d1eef479be1p+4;
  p = p * z + 0x1.e1f5068688d5bp+5;
  p = p * z + -0x1.55d3c7e3cb241p+6;
  p = p * z + 0x1.03c1f081b5ac0p+6;
  p = p * z + -0x1.3bd3cc9be45dep+4;
  return 1.0 + z * p;
}

// exp(min(0, x)): 1 for x >= 0, 0 below -708 (where the double would stop being normal), NaN for NaN.
//   n = round(x / ln 2), r = x - n ln 2:  exp(x) = 2^n (1 + r + r^2 P(r)).
MLP_GIBBS_HD double exp_nonpositive(double x) {
  if (x >= 0.0) return 1.0;
  if (x < -708.0) return 0.0;
  if (x != x) return x;
  const double shifted = x * 0x1.71547652b82fep+0 + 0x1.8p52;  // the sum rounds x / ln 2 to the nearest even integer
  const double n = shifted - 0x1.8p52;
  const double r = (x - n * MLP_GIBBS_LN2_HI) - n * MLP_GIBBS_LN2_LO;
  double p = 0x1.af389ecfc4b9cp-26;  // (exp(r) - 1 - r)/r^2 on |r| <= ln(2)/2; error 1.3e-17
  p = p * r + 0x1.28917c89a43a7p-22;
  p = p * r + 0x1.71de0db2f6b19p-19;
  p = p * r + 0x1.a019b9149a41cp-16;
  p = p * r + 0x1.a01a01a7c2efep-13;
  p = p * r + 0x1.6c16c17889ef1p-10;
  p = p * r + 0x1.11111111109b5p-7;
  p = p * r + 0x1.5555555553d68p-5;
  p = p * r + 0x1.5555555555556p-3;
  p = p * r + 0x1.0000000000001p-1;
  const double scale = double_of(static_cast<uint64_t>(static_cast<int64_t>(n) + 1023) << 52);
  return (1.0 + (r + (r * r) * p)) * scale;
}

}  // namespace mlp_gibbs
