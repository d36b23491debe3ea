// The AMX tile unit in plain C++, for builds under sanitizers: they do not see what a tile instruction reads and writes,
// and the kernels can be tried where there is no such unit. Never in a build for use. After <immintrin.h>.
#pragma once

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#undef _tile_loadconfig
#undef _tile_release

namespace mlp_gibbs {
namespace {

// Eight tiles of 16 rows of 64 bytes, of this thread.
struct EmulatedTiles {
  unsigned char rows[8][16][64];

  static EmulatedTiles& mine() {
    static thread_local EmulatedTiles tiles;
    return tiles;
  }

  void load(int tile, const void* from, int64_t stride) {
    for (int r = 0; r < 16; ++r) memcpy(rows[tile][r], static_cast<const char*>(from) + r * stride, 64);
  }
  void store(int tile, void* to, int64_t stride) const {
    for (int r = 0; r < 16; ++r) memcpy(static_cast<char*>(to) + r * stride, rows[tile][r], 64);
  }
  void zero(int tile) { memset(rows[tile], 0, sizeof rows[tile]); }

  // sums[m][n] += sum_k a[m][2k] b[k][2n] + sum_k a[m][2k + 1] b[k][2n + 1], each sum from zero, as TDPBF16PS does. It stays
  // within the tiles: nothing to watch.
  __attribute__((no_sanitize("address", "undefined"))) void multiply_add(int sums, int a, int b) {
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    for (int m = 0; m < 16; ++m) {
      __m512 of_even = _mm512_setzero_ps(), of_odd = of_even;
      for (int k = 0; k < 16; ++k) {
        uint32_t pair;  // the even number in the low half
        memcpy(&pair, rows[a][m] + 4 * k, 4);
        const __m512i w = _mm512_set1_epi32(static_cast<int>(pair)), x = _mm512_loadu_si512(rows[b][k]);
        const __m512 odd_w = _mm512_castsi512_ps(_mm512_and_si512(w, high)), odd_x = _mm512_castsi512_ps(_mm512_and_si512(x, high));
        of_even = _mm512_fmadd_ps(even(w), even(x), of_even);
        of_odd = _mm512_fmadd_ps(odd_w, odd_x, of_odd);
      }
      _mm512_storeu_ps(rows[sums][m], _mm512_add_ps(_mm512_loadu_ps(rows[sums][m]), _mm512_add_ps(of_even, of_odd)));
    }
  }

  __attribute__((no_sanitize("address", "undefined"))) static __m512 even(__m512i pairs) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  }
};

}  // namespace
}  // namespace mlp_gibbs

#define _tile_loadd(tile, from, stride) ::mlp_gibbs::EmulatedTiles::mine().load(tile, from, stride)
#define _tile_stored(tile, to, stride) ::mlp_gibbs::EmulatedTiles::mine().store(tile, to, stride)
#define _tile_zero(tile) ::mlp_gibbs::EmulatedTiles::mine().zero(tile)
#define _tile_dpbf16ps(sums, a, b) ::mlp_gibbs::EmulatedTiles::mine().multiply_add(sums, a, b)
#define _tile_loadconfig(config) static_cast<void>(config)
#define _tile_release() static_cast<void>(0)
