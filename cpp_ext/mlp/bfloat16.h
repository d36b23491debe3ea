// Rounding to bfloat16, the upper half of a float32.
#pragma once

namespace mlp_gibbs {
namespace {

inline uint16_t nearest_bfloat16(float x) {  // to even
  uint32_t b;
  memcpy(&b, &x, sizeof b);
  return static_cast<uint16_t>((b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
}

}  // namespace
}  // namespace mlp_gibbs
