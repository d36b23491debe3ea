// Matrix products in float32 with fused multiply-adds: (rows, cols) weights times (cols, chains) activations.
//
// The weights lie in panels of up to MAX_ROWS rows, column by column; a panel times a tile of two vectors of chains stays
// in registers for the whole sum. Every sum runs over the columns in order, so a chain's result depends on nothing else.
#pragma once

namespace mlp_gibbs {
namespace {

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

template <class Vector>
struct FmaEngine {
  using V = Vector;
  using F = typename V::F;
  static constexpr int64_t CHAINS = 2 * V::WIDTH;              // of a tile
  static constexpr int64_t PAD = 2;                            // widths are padded with zeros to a multiple of this
  static constexpr int64_t MAX_ROWS = V::WIDTH == 16 ? 14 : 4;  // accumulators: 28 of 32 registers, or 8 of 16
  static constexpr bool SEPARATE_OPERAND = false;              // a product reads plain float rows

  struct Panels {  // of even heights that differ by at most 2
    int64_t count, pairs, taller;
    explicit Panels(int64_t rows) {
      const int64_t all = round_up(rows, PAD) / 2;
      count = (all + MAX_ROWS / 2 - 1) / (MAX_ROWS / 2);
      pairs = all / count;
      taller = all % count;
    }
    int64_t first(int64_t panel) const { return 2 * (panel * pairs + (panel < taller ? panel : taller)); }
    int64_t height(int64_t panel) const { return 2 * (pairs + (panel < taller ? 1 : 0)); }
  };

  static constexpr int64_t PARTS = 1;  // a number is one float32

  static size_t packed_bytes(int64_t rows, int64_t cols, int64_t) {
    return sizeof(float) * static_cast<size_t>(round_up(rows, PAD) * round_up(cols, PAD));
  }

  static void pack(const float* matrix, int64_t rows, int64_t cols, bool transposed, int64_t, void* packed) {
    float* out = static_cast<float*>(packed);
    const int64_t n_rows = transposed ? cols : rows, n_cols = transposed ? rows : cols;
    const Panels panels(n_rows);
    for (int64_t panel = 0; panel < panels.count; ++panel) {
      for (int64_t k = 0; k < round_up(n_cols, PAD); ++k) {
        for (int64_t i = 0; i < panels.height(panel); ++i) {
          const int64_t row = panels.first(panel) + i;
          const bool inside = row < n_rows && k < n_cols;
          *out++ = inside ? matrix[transposed ? k * cols + row : row * cols + k] : 0.0f;
        }
      }
    }
  }

  // The activations that a product reads: (cols, CHAINS).
  struct Operand {
    float* rows;
  };
  static size_t operand_bytes(int64_t width) { return sizeof(float) * CHAINS * round_up(width, PAD); }
  static Operand operand(void* memory, int64_t) { return {static_cast<float*>(memory)}; }
  static MLP_GIBBS_INLINE void put(const Operand& o, int64_t row, const F (&even)[2], const F (&odd)[2]) {
    float* to = o.rows + row * CHAINS;
    for (int v = 0; v < 2; ++v) V::store(to + v * V::WIDTH, even[v]);
    for (int v = 0; v < 2; ++v) V::store(to + CHAINS + v * V::WIDTH, odd[v]);
  }

  template <int ROWS>
  static __attribute__((noinline)) void block(const float* w, const float* a, int64_t cols, float* out) {
    F sum[ROWS][2];
#pragma GCC unroll 14
    for (int i = 0; i < ROWS; ++i) sum[i][0] = sum[i][1] = V::set(0.0f);
    for (int64_t k = 0; k < cols; ++k) {
      const F a0 = V::load(a), a1 = V::load(a + V::WIDTH);
#pragma GCC unroll 14
      for (int i = 0; i < ROWS; ++i) {
        const F wi = V::set(w[i]);
        sum[i][0] = V::fma(wi, a0, sum[i][0]);
        sum[i][1] = V::fma(wi, a1, sum[i][1]);
      }
      w += ROWS;
      a += CHAINS;
    }
#pragma GCC unroll 14
    for (int i = 0; i < ROWS; ++i) {
      V::store(out + i * CHAINS, sum[i][0]);
      V::store(out + i * CHAINS + V::WIDTH, sum[i][1]);
    }
  }

  static void block(int64_t rows, const float* w, const float* a, int64_t cols, float* out) {
    switch (rows) {
      case 2: return block<2>(w, a, cols, out);
      case 4: return block<4>(w, a, cols, out);
      default: break;
    }
    if constexpr (MAX_ROWS > 4) {
      switch (rows) {
        case 6: return block<6>(w, a, cols, out);
        case 8: return block<8>(w, a, cols, out);
        case 10: return block<10>(w, a, cols, out);
        case 12: return block<12>(w, a, cols, out);
        default: return block<14>(w, a, cols, out);
      }
    }
  }

  // packed times operand(tile) for every tile; finish(tile, first row, rows, out) takes each block of rows (rows, CHAINS).
  template <class OperandOf, class Finish>
  static void product(const void* packed, int64_t rows, int64_t cols, int64_t n_tiles, OperandOf operand_of, Finish finish) {
    alignas(64) float out[MAX_ROWS * CHAINS];
    const float* w = static_cast<const float*>(packed);
    const int64_t n_cols = round_up(cols, PAD);
    const Panels panels(rows);
    for (int64_t panel = 0; panel < panels.count; ++panel) {
      const int64_t height = panels.height(panel);
      for (int64_t tile = 0; tile < n_tiles; ++tile) {
        block(height, w, operand_of(tile).rows, n_cols, out);
        finish(tile, panels.first(panel), height, out);
      }
      w += height * n_cols;
    }
  }

  struct Session {};  // nothing to set up on the processor
};

}  // namespace
}  // namespace mlp_gibbs
