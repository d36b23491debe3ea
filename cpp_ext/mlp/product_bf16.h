// Factors in bfloat16 for the products of product_fma.h: AVX512_BF16 multiplies the pairs of two columns in one operation.
#pragma once

namespace mlp_gibbs {
namespace {

// Two columns a word, the first in the low half.
template <class V>
struct Bfloat16Pairs {
  using F = __m512;
  static constexpr int64_t COLS = 2;
  static constexpr bool SEPARATE_OPERAND = true;

  static float word(const float (&cols)[2]) {
    const uint32_t both = nearest_bfloat16(cols[0]) | static_cast<uint32_t>(nearest_bfloat16(cols[1])) << 16;
    float packed;
    memcpy(&packed, &both, sizeof packed);
    return packed;
  }

  static MLP_GIBBS_INLINE F multiply_add(F w, F a, F sum) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(w), reinterpret_cast<__m512bh>(a));
  }

  template <int64_t>
  static MLP_GIBBS_INLINE void put(float* to, F even, F odd) {
    const __m512i apart = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));  // 16 of even, then 16 of odd
    const __m512i in_turn = _mm512_set_epi32(0x1f000f, 0x1e000e, 0x1d000d, 0x1c000c, 0x1b000b, 0x1a000a, 0x190009,  //
                                             0x180008, 0x170007, 0x160006, 0x150005, 0x140004, 0x130003, 0x120002,  //
                                             0x110001, 0x100000);
    _mm512_store_si512(to, _mm512_permutexvar_epi16(in_turn, apart));
  }
};

}  // namespace
}  // namespace mlp_gibbs
