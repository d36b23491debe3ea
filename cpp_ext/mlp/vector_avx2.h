// Eight float32 lanes (AVX2 and FMA). Included after the target pragma of a kernels_*.cpp.
#pragma once

namespace mlp_gibbs {
namespace {

struct Avx2 {
  using F = __m256;
  using I = __m256i;
  static constexpr int WIDTH = 8;

  static MLP_GIBBS_INLINE F load(const float* p) { return _mm256_load_ps(p); }
  static MLP_GIBBS_INLINE void store(float* p, F a) { _mm256_store_ps(p, a); }
  static MLP_GIBBS_INLINE F set(float a) { return _mm256_set1_ps(a); }
  static MLP_GIBBS_INLINE F add(F a, F b) { return _mm256_add_ps(a, b); }
  static MLP_GIBBS_INLINE F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static MLP_GIBBS_INLINE F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static MLP_GIBBS_INLINE F div(F a, F b) { return _mm256_div_ps(a, b); }
  static MLP_GIBBS_INLINE F sqrt(F a) { return _mm256_sqrt_ps(a); }
  static MLP_GIBBS_INLINE F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static MLP_GIBBS_INLINE F fnma(F a, F b, F c) { return _mm256_fnmadd_ps(a, b, c); }
  static MLP_GIBBS_INLINE F min(F a, F b) { return _mm256_min_ps(a, b); }
  static MLP_GIBBS_INLINE F max(F a, F b) { return _mm256_max_ps(a, b); }
  static MLP_GIBBS_INLINE F abs(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static MLP_GIBBS_INLINE F select_greater(F a, F b, F y, F n) { return _mm256_blendv_ps(n, y, _mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
  static MLP_GIBBS_INLINE F copy_sign(F magnitude, F sign) {
    const F mask = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(mask, magnitude), _mm256_and_ps(mask, sign));
  }
  static MLP_GIBBS_INLINE F flip(F a, I parity) {
    return _mm256_castsi256_ps(_mm256_xor_si256(_mm256_castps_si256(a), _mm256_slli_epi32(parity, 31)));
  }
  static MLP_GIBBS_INLINE I bits(F a) { return _mm256_castps_si256(a); }
  static MLP_GIBBS_INLINE I shift_right_one(I a) { return _mm256_srli_epi32(a, 1); }
  static MLP_GIBBS_INLINE I add_one(I a) { return _mm256_add_epi32(a, _mm256_set1_epi32(1)); }
  static MLP_GIBBS_INLINE F select_odd(I a, F y, F n) { return _mm256_blendv_ps(n, y, _mm256_castsi256_ps(_mm256_slli_epi32(a, 31))); }
  static MLP_GIBBS_INLINE F times_power_of_two(F a, F n) {  // 0 below 2^-126
    const I e = _mm256_max_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), _mm256_setzero_si256());
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(e, 23)));
  }
  static MLP_GIBBS_INLINE F reciprocal(F a) { return _mm256_div_ps(_mm256_set1_ps(1.0f), a); }
  static MLP_GIBBS_INLINE F load_some(const float* p, int64_t n) { return n >= WIDTH ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, first(n)); }
  static MLP_GIBBS_INLINE void store_some(float* p, F a, int64_t n) {
    if (n >= WIDTH) {
      _mm256_storeu_ps(p, a);
    } else {
      _mm256_maskstore_ps(p, first(n), a);
    }
  }
  static MLP_GIBBS_INLINE I first(int64_t n) {
    const I lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
  }

  static MLP_GIBBS_INLINE void transpose(F (&r)[8]) {
    F t[8];
    for (int i = 0; i < 8; i += 2) {
      t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
      r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
      r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; ++i) {
      t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
      t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < 8; ++i) r[i] = t[i];
  }

  // Sums of products in float64.
  struct DoubleSum {
    __m256d low, high;
    MLP_GIBBS_INLINE DoubleSum() : low(_mm256_setzero_pd()), high(_mm256_setzero_pd()) {}
    static MLP_GIBBS_INLINE __m256d lower(F a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
    static MLP_GIBBS_INLINE __m256d upper(F a) {
      return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1));
    }
    MLP_GIBBS_INLINE void load(const double* p) {
      low = _mm256_load_pd(p);
      high = _mm256_load_pd(p + 4);
    }
    MLP_GIBBS_INLINE void store(double* p) const {
      _mm256_store_pd(p, low);
      _mm256_store_pd(p + 4, high);
    }
    MLP_GIBBS_INLINE void add(F a, F b) {
      low = _mm256_fmadd_pd(lower(a), lower(b), low);
      high = _mm256_fmadd_pd(upper(a), upper(b), high);
    }
  };
};

}  // namespace
}  // namespace mlp_gibbs
