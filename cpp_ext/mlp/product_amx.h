// Matrix products on the AMX tile unit, whose inputs are bfloat16 and whose sums are float32.
//
// A float32 is the sum of three bfloat16 numbers, a = a_0 + a_1 + a_2 with 8 bits each, so with PARTS = 3
//
//     w a = w_0 a_0 + (w_0 a_1 + w_1 a_0 + w_1 a_1 + w_0 a_2 + w_2 a_0) + terms below 2^-23 |w a| of either sign
//
// which is float32 accuracy at six tile products. The bracket is summed first, over all columns, while the sum is small;
// only w_0 a_0 is rounded at full size. PARTS = 2 keeps w_0 a_0 + w_0 a_1 + w_1 a_0, within 2^-15, and PARTS = 1 the first
// alone, within 2^-7: what torch.set_float32_matmul_precision calls high and medium. The order of every sum is fixed.
#pragma once

namespace mlp_gibbs {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {};
  uint8_t rows[16] = {};
};

template <int N_PARTS>
struct AmxEngine {
  static constexpr int64_t PARTS = N_PARTS;
  using V = Avx512;
  using F = __m512;
  static constexpr int VECTORS = 2;
  static constexpr int64_t CHAINS = 32;
  static constexpr int64_t PAD = 32;
  static constexpr bool SEPARATE_OPERAND = true;
  static constexpr int64_t GROUPS = PARTS * (PARTS + 1) / 2;  // products of parts that are kept
  static constexpr int64_t TILE = 512;  // bfloat16 numbers in a tile of 16 rows and 64 bytes

  // (row block of 32, column block of 32, part, half of the row block) tiles of 16 rows of 32 columns, as they are read
  static size_t packed_bytes(int64_t rows, int64_t cols, int64_t parts) {
    return sizeof(uint16_t) * static_cast<size_t>(parts * round_up(rows, PAD) * round_up(cols, PAD));
  }

  static float widened(uint16_t h) {
    const uint32_t b = static_cast<uint32_t>(h) << 16;
    float x;
    memcpy(&x, &b, sizeof x);
    return x;
  }

  static void pack(const float* matrix, int64_t rows, int64_t cols, bool transposed, int64_t parts, void* packed) {
    uint16_t* out = static_cast<uint16_t*>(packed);
    const int64_t n_rows = transposed ? cols : rows, n_cols = transposed ? rows : cols;
    const int64_t blocks = round_up(n_cols, PAD) / 32;
    for (int64_t r = 0; r < round_up(n_rows, PAD); ++r) {
      for (int64_t k = 0; k < 32 * blocks; ++k) {
        float rest = r < n_rows && k < n_cols ? matrix[transposed ? k * cols + r : r * cols + k] : 0.0f;
        for (int64_t part = 0; part < parts; ++part) {
          const uint16_t h = nearest_bfloat16(rest);
          const int64_t tile = ((r / 32 * blocks + k / 32) * parts + part) * 2 + r % 32 / 16;
          out[tile * TILE + r % 16 * 32 + k % 32] = h;
          rest -= widened(h);
        }
      }
    }
  }

  // (part, half of the chains) x (pairs of columns, 16 chains, 2): rows of 64 bytes that the tile unit reads directly
  struct Operand {
    uint16_t* base;
    int64_t plane;  // numbers in one (part, half)
  };
  static size_t operand_bytes(int64_t width) { return sizeof(uint16_t) * PARTS * CHAINS * round_up(width, PAD); }
  static Operand operand(void* memory, int64_t width) {
    return {static_cast<uint16_t*>(memory), CHAINS / 2 * round_up(width, PAD)};
  }

  // Truncation splits exactly: what is left after 8 bits and 8 more fits in the last 8. With fewer parts the last is
  // rounded to nearest.
  static MLP_GIBBS_INLINE void put(const Operand& o, int64_t row, const F (&even)[2], const F (&odd)[2]) {
    const __m512i top = _mm512_set1_epi32(static_cast<int>(0xffff0000u)), bias = _mm512_set1_epi32(0x8000);
    for (int half = 0; half < 2; ++half) {
      F e = even[half], d = odd[half];
      uint16_t* to = o.base + half * o.plane + row * 16;
#pragma GCC unroll 3
      for (int part = 0; part < PARTS; ++part) {
        __m512i eb = _mm512_castps_si512(e), db = _mm512_castps_si512(d);
        if (PARTS < 3 && part + 1 == PARTS) {
          eb = _mm512_add_epi32(eb, bias);
          db = _mm512_add_epi32(db, bias);
        }
        // low half: column `row`, high half: column `row + 1`
        _mm512_store_si512(to + part * 2 * o.plane, _mm512_ternarylogic_epi32(top, db, _mm512_srli_epi32(eb, 16), 0xCA));
        if (part + 1 < PARTS) {
          e = _mm512_sub_ps(e, _mm512_castsi512_ps(_mm512_and_si512(eb, top)));
          d = _mm512_sub_ps(d, _mm512_castsi512_ps(_mm512_and_si512(db, top)));
        }
      }
    }
  }

  // One block of 32 columns: tiles 0 to 3 are the sums (half of the rows, half of the chains), 4 and 5 weights, 6 and 7
  // activations.
  static MLP_GIBBS_INLINE void multiply(const uint16_t* w, const uint16_t* a, int64_t plane) {
    _tile_loadd(4, w, 64);
    _tile_loadd(6, a, 64);
    _tile_loadd(7, a + plane, 64);
    _tile_loadd(5, w + TILE, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }

  // between() is called after each group of four tile products: what it computes runs beside the tile unit.
  template <class Between>
  static MLP_GIBBS_INLINE void block(const uint16_t* w, const Operand& a, int64_t blocks, float* out, Between between) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    constexpr int64_t ORDER[5][2] = {{0, 1}, {1, 0}, {1, 1}, {2, 0}, {0, 2}};  // parts of weights and activations
    for (int64_t k = 0; k < blocks && PARTS > 1; ++k) {
      for (int64_t i = 0; i < GROUPS - 1; ++i) {
        multiply(w + (k * PARTS + ORDER[i][0]) * 2 * TILE, a.base + 2 * ORDER[i][1] * a.plane + k * TILE, a.plane);
        between();
      }
    }
    for (int64_t k = blocks - 1; k >= 0; --k) {  // backwards: the last columns are still in the first-level cache
      multiply(w + k * PARTS * 2 * TILE, a.base + k * TILE, a.plane);
      between();
    }
    _tile_stored(0, out, 4 * CHAINS);
    _tile_stored(1, out + 16, 4 * CHAINS);
    _tile_stored(2, out + 16 * CHAINS, 4 * CHAINS);
    _tile_stored(3, out + 16 * CHAINS + 16, 4 * CHAINS);
  }

  // As FmaEngine::product; a block is finished piece by piece while the tile unit works on the next.
  template <class OperandOf, class Finish>
  static void product(const void* packed, int64_t rows, int64_t cols, int64_t n_tiles, OperandOf operand_of, Finish finish) {
    alignas(64) float out[2][32 * CHAINS];
    const uint16_t* w = static_cast<const uint16_t*>(packed);
    const int64_t blocks = round_up(cols, PAD) / 32;
    const int64_t groups = blocks * GROUPS, wait = (groups + 2) / 4;  // a block is finished in the last 3/4 of the next:
    struct {  // its sums are not there before
      int64_t tile = 0, row = 0, rows = 0, done = 0, due = 0;
      const float* values = nullptr;
    } last;
    const auto finish_pair = [&]() __attribute__((always_inline)) {
      finish(last.tile, last.row + last.done, 2, last.values + last.done * CHAINS);
      last.done += 2;
    };
    const auto between = [&]() __attribute__((always_inline)) {
      for (last.due += 16; last.due >= groups - wait; last.due -= groups - wait) {
        if (last.done < last.rows) finish_pair();
      }
    };
    asm volatile("" : : : "memory");  // the tile loads do not tell the compiler that they read the operand
    int which = 0;
    for (int64_t row = 0; row < rows; row += 32) {
      const int64_t left = round_up(rows, 2) - row;
      for (int64_t tile = 0; tile < n_tiles; ++tile) {
        block(w, operand_of(tile), blocks, out[which], between);
        while (last.done < last.rows) finish_pair();
        last = {tile, row, left < 32 ? left : 32, 0, -16 * wait, out[which]};
        which = 1 - which;
      }
      w += PARTS * blocks * 2 * TILE;
    }
    while (last.done < last.rows) finish_pair();
  }

  struct Session {
    Session() {
      TileConfig config;
      for (int i = 0; i < 8; ++i) {
        config.rows[i] = 16;
        config.bytes_per_row[i] = 64;
      }
      // the intrinsic tells the compiler of the first bytes only
      asm volatile("" : : "r"(&config) : "memory");
      _tile_loadconfig(&config);
    }
    ~Session() { _tile_release(); }
  };
};

}  // namespace
}  // namespace mlp_gibbs
