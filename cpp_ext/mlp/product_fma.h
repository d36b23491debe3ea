// Matrix products with fused multiply-adds: (rows, cols) weights times (cols, chains) activations, sums in float32.
//
// The weights lie in panels of up to MAX_ROWS rows, column by column; a panel times a tile of one or two vectors of chains
// stays in registers for the whole sum. Every sum runs over the columns in order, so a chain's result depends on nothing else.
// A `Format` says what 32 bits of a factor hold: one float32, or two columns in bfloat16 (product_bf16.h).
#pragma once

namespace mlp_gibbs {
namespace {

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// One float32 a word.
template <class V>
struct Floats {
  using F = typename V::F;
  static constexpr int64_t COLS = 1;               // columns in a word
  static constexpr bool SEPARATE_OPERAND = false;  // a product reads plain float rows
  static float word(const float (&cols)[1]) { return cols[0]; }
  static MLP_GIBBS_INLINE F multiply_add(F w, F a, F sum) { return V::fma(w, a, sum); }
  template <int64_t CHAINS>
  static MLP_GIBBS_INLINE void put(float* to, F even, F odd) {
    V::store(to, even);
    V::store(to + CHAINS, odd);
  }
};

template <class Vector, int N_VECTORS = 2, template <class> class FormatOf = Floats>
struct FmaEngine {
  using V = Vector;
  using F = typename V::F;
  using Format = FormatOf<V>;
  static constexpr int VECTORS = N_VECTORS;                    // of chains in a tile
  static constexpr int64_t CHAINS = VECTORS * V::WIDTH;
  static constexpr int64_t PAD = 2;                            // widths are padded with zeros to a multiple of this
  static constexpr int64_t MAX_ROWS = V::WIDTH == 16 ? 14 : 4;  // accumulators: up to 28 of 32 registers, or 8 of 16
  static constexpr bool SEPARATE_OPERAND = Format::SEPARATE_OPERAND;
  static constexpr int64_t COLS = Format::COLS;

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

  static constexpr int64_t PARTS = COLS == 1 ? 3 : 1;  // of bfloat16, that a number has: a float32 is not split

  static size_t packed_bytes(int64_t rows, int64_t cols, int64_t) {
    return sizeof(float) * static_cast<size_t>(round_up(rows, PAD) * round_up(cols, PAD) / COLS);
  }

  static void pack(const float* matrix, int64_t rows, int64_t cols, bool transposed, int64_t, void* packed) {
    float* out = static_cast<float*>(packed);
    const int64_t n_rows = transposed ? cols : rows, n_cols = transposed ? rows : cols;
    const Panels panels(n_rows);
    for (int64_t panel = 0; panel < panels.count; ++panel) {
      for (int64_t k = 0; k < round_up(n_cols, PAD); k += COLS) {
        for (int64_t i = 0; i < panels.height(panel); ++i) {
          const int64_t row = panels.first(panel) + i;
          float of_cols[COLS];
          for (int64_t c = 0; c < COLS; ++c) {
            const bool inside = row < n_rows && k + c < n_cols;
            of_cols[c] = inside ? matrix[transposed ? (k + c) * cols + row : row * cols + k + c] : 0.0f;
          }
          *out++ = Format::word(of_cols);
        }
      }
    }
  }

  // The activations that a product reads: (cols / COLS, CHAINS) words.
  struct Operand {
    float* rows;
  };
  static size_t operand_bytes(int64_t width) { return sizeof(float) * CHAINS * round_up(width, PAD) / COLS; }
  static Operand operand(void* memory, int64_t) { return {static_cast<float*>(memory)}; }
  static MLP_GIBBS_INLINE void put(const Operand& o, int64_t row, const F (&even)[VECTORS], const F (&odd)[VECTORS]) {
    for (int v = 0; v < VECTORS; ++v) Format::template put<CHAINS>(o.rows + row / COLS * CHAINS + v * V::WIDTH, even[v], odd[v]);
  }

  template <int ROWS>
  static __attribute__((noinline)) void block(const float* w, const float* a, int64_t words, float* out) {
    F sum[ROWS][VECTORS];
#pragma GCC unroll 14
    for (int i = 0; i < ROWS; ++i) {
      for (int v = 0; v < VECTORS; ++v) sum[i][v] = V::set(0.0f);
    }
    for (int64_t k = 0; k < words; ++k) {
      F chains[VECTORS];
      for (int v = 0; v < VECTORS; ++v) chains[v] = V::load(a + v * V::WIDTH);
      __builtin_prefetch(w + 24 * ROWS);  // N = 1024 on AVX-512: 0.65 to 0.77 of the peak; below 512 no difference
#pragma GCC unroll 14
      for (int i = 0; i < ROWS; ++i) {
        const F wi = V::set(w[i]);
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; ++v) sum[i][v] = Format::multiply_add(wi, chains[v], sum[i][v]);
      }
      w += ROWS;
      a += CHAINS;
    }
#pragma GCC unroll 14
    for (int i = 0; i < ROWS; ++i) {
      for (int v = 0; v < VECTORS; ++v) V::store(out + i * CHAINS + v * V::WIDTH, sum[i][v]);
    }
  }

  static void block(int64_t rows, const float* w, const float* a, int64_t words, float* out) {
    switch (rows) {
      case 2: return block<2>(w, a, words, out);
      case 4: return block<4>(w, a, words, out);
      default: break;
    }
    if constexpr (MAX_ROWS > 4) {
      switch (rows) {
        case 6: return block<6>(w, a, words, out);
        case 8: return block<8>(w, a, words, out);
        case 10: return block<10>(w, a, words, out);
        case 12: return block<12>(w, a, words, out);
        default: return block<14>(w, a, words, out);
      }
    }
  }

  // packed times operand(tile) for every tile; finish(tile, first row, rows, out) takes each block of rows (rows, CHAINS).
  template <class OperandOf, class Finish>
  static void product(const void* packed, int64_t rows, int64_t cols, int64_t n_tiles, OperandOf operand_of, Finish finish) {
    alignas(64) float out[MAX_ROWS * CHAINS];
    const float* w = static_cast<const float*>(packed);
    const int64_t words = round_up(cols, PAD) / COLS;
    const Panels panels(rows);
    for (int64_t panel = 0; panel < panels.count; ++panel) {
      const int64_t height = panels.height(panel);
      for (int64_t tile = 0; tile < n_tiles; ++tile) {
        block(height, w, operand_of(tile).rows, words, out);
        finish(tile, panels.first(panel), height, out);
      }
      w += height * words;
    }
  }

  struct Session {};  // nothing to set up on the processor
};

}  // namespace
}  // namespace mlp_gibbs
