// Sixteen float32 lanes (AVX-512F). Included after the target pragma of a kernels_*.cpp.
#pragma once

namespace mlp_gibbs {
namespace {

struct Avx512 {
  using F = __m512;
  static constexpr int WIDTH = 16;

  static MLP_GIBBS_INLINE F load(const float* p) { return _mm512_load_ps(p); }
  static MLP_GIBBS_INLINE void store(float* p, F a) { _mm512_store_ps(p, a); }
  static MLP_GIBBS_INLINE F set(float a) { return _mm512_set1_ps(a); }
  static MLP_GIBBS_INLINE F add(F a, F b) { return _mm512_add_ps(a, b); }
  static MLP_GIBBS_INLINE F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static MLP_GIBBS_INLINE F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static MLP_GIBBS_INLINE F div(F a, F b) { return _mm512_div_ps(a, b); }
  static MLP_GIBBS_INLINE F sqrt(F a) { return _mm512_sqrt_ps(a); }
  static MLP_GIBBS_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }    // a b + c
  static MLP_GIBBS_INLINE F fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a b
  static MLP_GIBBS_INLINE F min(F a, F b) { return _mm512_min_ps(a, b); }              // b where a is NaN
  static MLP_GIBBS_INLINE F max(F a, F b) { return _mm512_max_ps(a, b); }
  static MLP_GIBBS_INLINE F abs(F a) { return _mm512_abs_ps(a); }
  // y where a > b, else n
  static MLP_GIBBS_INLINE F select_greater(F a, F b, F y, F n) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), n, y); }
  static MLP_GIBBS_INLINE F copy_sign(F magnitude, F sign) {
    const __m512i mask = _mm512_set1_epi32(static_cast<int>(0x80000000u));
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(mask, _mm512_castps_si512(sign), _mm512_castps_si512(magnitude), 0xCA));
  }
  // a with its sign turned where bit 0 of `parity` is set
  static MLP_GIBBS_INLINE F flip(F a, __m512i parity) {
    return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_slli_epi32(parity, 31)));
  }
  using I = __m512i;
  static MLP_GIBBS_INLINE I bits(F a) { return _mm512_castps_si512(a); }
  static MLP_GIBBS_INLINE I shift_right_one(I a) { return _mm512_srli_epi32(a, 1); }
  static MLP_GIBBS_INLINE I add_one(I a) { return _mm512_add_epi32(a, _mm512_set1_epi32(1)); }
  // y where bit 0 of a is set, else n
  static MLP_GIBBS_INLINE F select_odd(I a, F y, F n) { return _mm512_mask_blend_ps(_mm512_test_epi32_mask(a, _mm512_set1_epi32(1)), n, y); }
  static MLP_GIBBS_INLINE F times_power_of_two(F a, F n) { return _mm512_scalef_ps(a, n); }
  // 1/a within 2^-23 of itself: 14 bits and one Newton step
  static MLP_GIBBS_INLINE F reciprocal(F a) {
    const F r = _mm512_rcp14_ps(a);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(a, r, _mm512_set1_ps(1.0f)), r, r);
  }
  // the first n lanes, zeros behind
  static MLP_GIBBS_INLINE F load_some(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static MLP_GIBBS_INLINE void store_some(float* p, F a, int64_t n) { _mm512_mask_storeu_ps(p, first(n), a); }
  static MLP_GIBBS_INLINE __mmask16 first(int64_t n) { return static_cast<__mmask16>(n >= WIDTH ? 0xffffu : (1u << n) - 1u); }

  static MLP_GIBBS_INLINE void transpose(F (&r)[16]) {
    F t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
      r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
      r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
      r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {  // 4 x 4 blocks of 128 bits
      const F a = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88), b = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
      const F c = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd), d = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
      t[i] = _mm512_shuffle_f32x4(a, b, 0x88);
      t[i + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
      t[i + 4] = _mm512_shuffle_f32x4(c, d, 0x88);
      t[i + 12] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) r[i] = t[i];
  }

  // Sums of products in float64.
  struct DoubleSum {
    __m512d low, high;
    MLP_GIBBS_INLINE DoubleSum() : low(_mm512_setzero_pd()), high(_mm512_setzero_pd()) {}
    static MLP_GIBBS_INLINE __m512d lower(F a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
    static MLP_GIBBS_INLINE __m512d upper(F a) {
      return _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1)));
    }
    MLP_GIBBS_INLINE void load(const double* p) {
      low = _mm512_load_pd(p);
      high = _mm512_load_pd(p + 8);
    }
    MLP_GIBBS_INLINE void store(double* p) const {
      _mm512_store_pd(p, low);
      _mm512_store_pd(p + 8, high);
    }
    MLP_GIBBS_INLINE void add(F a, F b) {
      low = _mm512_fmadd_pd(lower(a), lower(b), low);
      high = _mm512_fmadd_pd(upper(a), upper(b), high);
    }
  };
};

}  // namespace
}  // namespace mlp_gibbs
