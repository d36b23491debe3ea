// The AMX tile unit in plain C++, for builds under sanitizers: they do not see what a tile instruction reads and writes,
// and the kernels can be tried where there is no such unit. Slow; never in a build for use. After <immintrin.h>.
#pragma once

#include <math.h>

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

  float bfloat16(int tile, int row, int column) const {
    uint16_t half;
    memcpy(&half, rows[tile][row] + 2 * column, 2);
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float number;
    memcpy(&number, &bits, 4);
    return number;
  }

  // sum[m][n] += a[m][2k] b[k][2n] + a[m][2k + 1] b[k][2n + 1], as TDPBF16PS does
  void multiply_add(int sums, int a, int b) {
    for (int m = 0; m < 16; ++m) {
      for (int n = 0; n < 16; ++n) {
        float sum;
        memcpy(&sum, rows[sums][m] + 4 * n, 4);
        for (int k = 0; k < 32; ++k) sum = fmaf(bfloat16(a, m, k), bfloat16(b, k / 2, 2 * n + k % 2), sum);
        memcpy(rows[sums][m] + 4 * n, &sum, 4);
      }
    }
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
