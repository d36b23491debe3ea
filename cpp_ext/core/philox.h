// Philox4x32-10 and the numbers made from its words. Salmon, Moraes, Dror & Shaw, SC'11 (2011), doi:10.1145/2063384.2063405.
//
// A stream is addressed, never advanced: counter = (block, step, chain, network),
// key = (seed mod 2^32, seed div 2^32 + 2^24 purpose). Each field has its own bits, so no two addresses coincide.
#pragma once

#include "ieee_math.h"

namespace mlp_gibbs {

struct PhiloxKey {
  uint32_t k0, k1;
};

struct PhiloxWords {
  uint32_t w0, w1, w2, w3;
};

MLP_GIBBS_HD PhiloxKey stream_key(uint64_t seed, uint32_t purpose) {
  return {static_cast<uint32_t>(seed), (static_cast<uint32_t>(seed >> 32) & 0xffffffu) | (purpose << 24)};
}

constexpr uint32_t PHILOX_M0 = 0xD2511F53u, PHILOX_M1 = 0xCD9E8D57u;

// The Weyl sequence of round keys: golden ratio and sqrt(3) - 1, in units of 2^-32.
MLP_GIBBS_HD PhiloxKey next_key(PhiloxKey key) { return {key.k0 + 0x9E3779B9u, key.k1 + 0xBB67AE85u}; }

MLP_GIBBS_HD PhiloxWords philox4x32_10(PhiloxWords c, PhiloxKey key) {
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = static_cast<uint64_t>(PHILOX_M0) * c.w0;
    const uint64_t b = static_cast<uint64_t>(PHILOX_M1) * c.w2;
    c = {static_cast<uint32_t>(b >> 32) ^ c.w1 ^ key.k0, static_cast<uint32_t>(b),
         static_cast<uint32_t>(a >> 32) ^ c.w3 ^ key.k1, static_cast<uint32_t>(a)};
    key = next_key(key);
  }
  return c;
}

// (k + 1/2) 2^-52 with k the 52 top bits of a pair of words: symmetric about 1/2, strictly inside (0, 1).
MLP_GIBBS_HD double uniform_of(uint32_t high, uint32_t low) {
  const uint64_t k = (static_cast<uint64_t>(high) << 20) | (low >> 12);
  return (exact_double(k) + 0.5) * 0x1p-52;
}

struct NormalPair {
  double cosine, sine;
};

// Box-Muller: sqrt(-2 log u) (cos 2 pi v, sin 2 pi v) with u = (w + 1/2) 2^-32 and v = (t + 1/2) 2^-32.
// The quadrant of v is taken off in integers, so that the rest |r| < 1/8 turn is exact.
MLP_GIBBS_HD NormalPair normal_pair(uint32_t w, uint32_t t) {
  const double u = (exact_double(w) + 0.5) * 0x1p-32;
  const double radius = sqrt(-2.0 * log_unit(u));
  const uint32_t turned = t + 0x20000000u;  // nearest quarter turn, modulo one turn
  const double r = (exact_double(turned & 0x3fffffffu) + (0.5 - 0x1p29)) * 0x1p-32;
  const double s = sin_turn(r);
  const double c = cos_turn(r);
  const uint32_t quadrant = turned >> 30;
  const bool is_odd = (quadrant & 1u) != 0;
  const double x = is_odd ? s : c;
  const double y = is_odd ? c : s;
  // cos: + - - + ; sin: + + - - over the quadrants 0 1 2 3
  const double x_signed = ((quadrant + 1u) & 2u) ? -x : x;
  const double y_signed = (quadrant & 2u) ? -y : y;
  return {radius * x_signed, radius * y_signed};
}

}  // namespace mlp_gibbs
