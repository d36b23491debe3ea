#include "blocks.h"

#include <cstdlib>
#include <string>

// One build serves every x86-64 machine: each loop is compiled for three instruction sets and chosen when first used.
// None of them gets a fused multiply-add, because the file is compiled with -ffp-contract=off.
#if defined(__x86_64__) && defined(__GNUC__)
#define MLP_GIBBS_X86 1
#define MLP_GIBBS_INLINE inline __attribute__((always_inline))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined_*
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#else
#define MLP_GIBBS_X86 0
#define MLP_GIBBS_INLINE inline
#endif

namespace mlp_gibbs {
namespace {

MLP_GIBBS_INLINE void box_muller(const uint32_t* __restrict w, const uint32_t* __restrict t, double* __restrict x,
                                 double* __restrict y) {
  for (int i = 0; i < CHUNK; ++i) {
    const NormalPair pair = normal_pair(w[i], t[i]);
    x[i] = pair.cosine;
    y[i] = pair.sine;
  }
}

MLP_GIBBS_INLINE void interleave(const double (&x)[4][CHUNK], double* __restrict out) {
  for (int i = 0; i < CHUNK; ++i) {
    out[4 * i] = x[0][i];
    out[4 * i + 1] = x[1][i];
    out[4 * i + 2] = x[2][i];
    out[4 * i + 3] = x[3][i];
  }
}

MLP_GIBBS_INLINE void normals_body(const Words& words, double* __restrict out) {
  alignas(64) double x[4][CHUNK];
  box_muller(words.w[0], words.w[1], x[0], x[1]);
  box_muller(words.w[2], words.w[3], x[2], x[3]);
  interleave(x, out);
}

MLP_GIBBS_INLINE void uniforms_body(const Words& words, double* __restrict out) {
  for (int i = 0; i < CHUNK; ++i) {
    out[2 * i] = uniform_of(words.w[0][i], words.w[1][i]);
    out[2 * i + 1] = uniform_of(words.w[2][i], words.w[3][i]);
  }
}

void words_portable(const Counters& c, PhiloxKey key, Words& words) {
  for (int i = 0; i < CHUNK; ++i) {
    const PhiloxWords w = philox4x32_10({c.block[i], c.step, c.chain[i], c.network[i]}, key);
    words.w[0][i] = w.w0;
    words.w[1][i] = w.w1;
    words.w[2][i] = w.w2;
    words.w[3][i] = w.w3;
  }
}

void normals_portable(const Words& words, double* out) { normals_body(words, out); }
void uniforms_portable(const Words& words, double* out) { uniforms_body(words, out); }
constexpr BlockKernels SCALAR{"scalar", nullptr, nullptr, nullptr};
constexpr BlockKernels PORTABLE{"portable", words_portable, normals_portable, uniforms_portable};

#if MLP_GIBBS_X86
// Philox by hand, because g++ turns the 32 x 32 -> 64 bit product of a vector loop into a full 64 x 64 one, three times
// the work. A 64-bit lane holds one word: the product reads the low halves only, so the high halves may hold anything.
#define MLP_GIBBS_AVX512 __attribute__((target("avx512f")))
#define MLP_GIBBS_AVX2 __attribute__((target("avx2")))

MLP_GIBBS_AVX512 inline __m512i load8(const uint32_t* p) {
  return _mm512_cvtepu32_epi64(_mm256_load_si256(reinterpret_cast<const __m256i*>(p)));
}

MLP_GIBBS_AVX512 inline void store8(uint32_t* p, __m512i v) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi64_epi32(v));
}

MLP_GIBBS_AVX512 inline __m512i xor8(__m512i a, __m512i b, __m512i c) {
  return _mm512_xor_si512(_mm512_xor_si512(a, b), c);
}

MLP_GIBBS_AVX512 void words_avx512(const Counters& c, PhiloxKey key, Words& words) {
  const __m512i m0 = _mm512_set1_epi64(PHILOX_M0), m1 = _mm512_set1_epi64(PHILOX_M1);
  for (int i = 0; i < CHUNK; i += 16) {  // two vectors at a time hide the latency of the product
    __m512i x0 = load8(c.block + i), x1 = _mm512_set1_epi64(c.step), x2 = load8(c.chain + i), x3 = load8(c.network + i);
    __m512i y0 = load8(c.block + i + 8), y1 = x1, y2 = load8(c.chain + i + 8), y3 = load8(c.network + i + 8);
    PhiloxKey k = key;
    for (int round = 0; round < 10; ++round) {
      const __m512i k0 = _mm512_set1_epi64(k.k0), k1 = _mm512_set1_epi64(k.k1);
      const __m512i xa = _mm512_mul_epu32(x0, m0), xb = _mm512_mul_epu32(x2, m1);
      const __m512i ya = _mm512_mul_epu32(y0, m0), yb = _mm512_mul_epu32(y2, m1);
      x0 = xor8(_mm512_srli_epi64(xb, 32), x1, k0);
      y0 = xor8(_mm512_srli_epi64(yb, 32), y1, k0);
      x2 = xor8(_mm512_srli_epi64(xa, 32), x3, k1);
      y2 = xor8(_mm512_srli_epi64(ya, 32), y3, k1);
      x1 = xb;
      y1 = yb;
      x3 = xa;
      y3 = ya;
      k = next_key(k);
    }
    store8(words.w[0] + i, x0);
    store8(words.w[1] + i, x1);
    store8(words.w[2] + i, x2);
    store8(words.w[3] + i, x3);
    store8(words.w[0] + i + 8, y0);
    store8(words.w[1] + i + 8, y1);
    store8(words.w[2] + i + 8, y2);
    store8(words.w[3] + i + 8, y3);
  }
}

MLP_GIBBS_AVX512 void normals_avx512(const Words& words, double* out) { normals_body(words, out); }
MLP_GIBBS_AVX512 void uniforms_avx512(const Words& words, double* out) { uniforms_body(words, out); }
constexpr BlockKernels AVX512{"avx512", words_avx512, normals_avx512, uniforms_avx512};

MLP_GIBBS_AVX2 inline __m256i load4(const uint32_t* p) {
  return _mm256_cvtepu32_epi64(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

MLP_GIBBS_AVX2 inline void store4(uint32_t* p, __m256i v) {
  const __m256i low_words = _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  _mm_store_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(low_words));
}

MLP_GIBBS_AVX2 void words_avx2(const Counters& c, PhiloxKey key, Words& words) {
  const __m256i m0 = _mm256_set1_epi64x(PHILOX_M0), m1 = _mm256_set1_epi64x(PHILOX_M1);
  for (int i = 0; i < CHUNK; i += 4) {
    __m256i x0 = load4(c.block + i), x1 = _mm256_set1_epi64x(c.step), x2 = load4(c.chain + i), x3 = load4(c.network + i);
    PhiloxKey k = key;
    for (int round = 0; round < 10; ++round) {
      const __m256i a = _mm256_mul_epu32(x0, m0), b = _mm256_mul_epu32(x2, m1);
      x0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(b, 32), x1), _mm256_set1_epi64x(k.k0));
      x2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(a, 32), x3), _mm256_set1_epi64x(k.k1));
      x1 = b;
      x3 = a;
      k = next_key(k);
    }
    store4(words.w[0] + i, x0);
    store4(words.w[1] + i, x1);
    store4(words.w[2] + i, x2);
    store4(words.w[3] + i, x3);
  }
}

MLP_GIBBS_AVX2 void normals_avx2(const Words& words, double* out) { normals_body(words, out); }
MLP_GIBBS_AVX2 void uniforms_avx2(const Words& words, double* out) { uniforms_body(words, out); }
constexpr BlockKernels AVX2{"avx2", words_avx2, normals_avx2, uniforms_avx2};
#pragma GCC diagnostic pop
#endif

const BlockKernels& choose() {
  const char* asked = std::getenv("MLP_GIBBS_SIMD");
  const std::string widest = asked == nullptr ? "avx512" : asked;
  if (widest == "scalar") return SCALAR;
#if MLP_GIBBS_X86
  __builtin_cpu_init();
  if ((widest.rfind("avx512", 0) == 0 || widest == "amx") && __builtin_cpu_supports("avx512f")) return AVX512;
  if (widest != "portable" && __builtin_cpu_supports("avx2")) return AVX2;
#endif
  return PORTABLE;
}

}  // namespace

const BlockKernels& block_kernels() {
  static const BlockKernels& chosen = choose();
  return chosen;
}

}  // namespace mlp_gibbs
