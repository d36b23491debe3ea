// The energy of the tiles of one network, and its gradient: forward and backward through the layers, fused with phi.
//
//     h^l = W^l a^(l-1) + b^l,  a^l = phi(h^l),  H = readout . a^L
//     delta^L = readout phi'(h^L),  delta^l = (W^(l+1)T delta^(l+1)) phi'(h^l),  dH/dx = W^1T delta^1
//
// Each block of rows that leaves a matrix product is finished while it is in the first-level cache.
#pragma once

namespace mlp_gibbs {
namespace {

constexpr int64_t MAX_TILES = 8;  // of a job

// Cuts memory into aligned pieces; with a null start it only counts.
struct Arena {
  char* start;
  size_t used = 0;
  template <class T>
  T* take(size_t bytes) {
    char* piece = start == nullptr ? nullptr : start + used;
    used += (bytes + 63) / 64 * 64;
    return reinterpret_cast<T*>(piece);
  }
};

template <class Engine, template <class> class Activation>
struct Network {
  using EngineType = Engine;
  using V = typename Engine::V;
  using F = typename Engine::F;
  static constexpr int VECTORS = Engine::VECTORS;
  using Chains = Tile<V, VECTORS>;
  static constexpr int64_t CHAINS = Engine::CHAINS;

  const MlpWeights& weights;
  const void* const* products;  // packed W^l, those of `weights` that this engine reads
  const Activation<V> phi;
  int64_t id = 0;
  int64_t n_tiles = 0;
  Chains* tiles;
  // what one tile keeps while its network is evaluated
  struct Layers {
    void *input, *ping, *pong;   // operands
    float* derivative[MAX_DEPTH];  // phi'(h^l) (N_l, CHAINS), l = 1..L-1 at [l - 1]
    float *values, *weighted, *slope;  // some rows of a^l, W^l a^(l-1), dH/dh^l on their way out (CHAINS, CHAINS)
  } layers[MAX_TILES];

  Network(const MlpWeights& w, const void* const* packed, Chains* t) : weights(w), products(packed), phi(w.parameters), tiles(t) {}

  // What a caller wants of the layers (`MlpChains`), as rows.
  struct LayersOut {
    float *const *values, *const *weighted, *const *derivatives;
  };

  void allocate(Arena& arena, bool with_gradient, bool with_layers) {
    int64_t widest = 0;
    for (int l = 0; l <= weights.depth; ++l) widest = weights.widths[l] > widest ? weights.widths[l] : widest;
    for (int64_t t = 0; t < n_tiles; ++t) {
      layers[t].input = Engine::SEPARATE_OPERAND ? arena.take<void>(Engine::operand_bytes(weights.widths[0])) : tiles[t].x;
      layers[t].ping = arena.take<void>(Engine::operand_bytes(widest));
      layers[t].pong = arena.take<void>(Engine::operand_bytes(widest));
      if (with_layers) {
        layers[t].values = arena.take<float>(sizeof(float) * CHAINS * CHAINS);
        layers[t].weighted = arena.take<float>(sizeof(float) * CHAINS * CHAINS);
        layers[t].slope = arena.take<float>(sizeof(float) * CHAINS * CHAINS);
      }
      for (int l = 1; l < weights.depth && with_gradient; ++l) {
        layers[t].derivative[l - 1] = arena.take<float>(sizeof(float) * CHAINS * round_up(weights.widths[l], 2));
      }
    }
  }

  // Where the first product of a tile reads the positions; a copy in a format of the engine's own, or nothing to do.
  struct Input {
    typename Engine::Operand operand;
    MLP_GIBBS_INLINE void take(int64_t site, const F (&even)[VECTORS], const F (&odd)[VECTORS]) const {
      if constexpr (Engine::SEPARATE_OPERAND) Engine::put(operand, site, even, odd);
    }
  };
  Input input_of(int64_t t) const { return {Engine::operand(layers[t].input, weights.widths[0])}; }

  void take_positions(int64_t t) const {
    const Input input = input_of(t);
    for (int64_t site = 0; site < tiles[t].sites && Engine::SEPARATE_OPERAND; site += 2) {
      F x[2][VECTORS];
      load_pair(tiles[t].x + site * CHAINS, x);
      input.take(site, x[0], x[1]);
    }
  }

  const void* packed(const void* of_all, int64_t rows, int64_t cols) const {
    return static_cast<const char*>(of_all) + static_cast<size_t>(id) * Engine::packed_bytes(rows, cols, Engine::PARTS);
  }

  // Entries `row` and `row + 1` of a vector of length n, the second 0 when it is past the end.
  static MLP_GIBBS_INLINE void pair_of(const float* v, int64_t row, int64_t n, F (&out)[2]) {
    out[0] = V::set(v[row]);
    out[1] = V::set(row + 1 < n ? v[row + 1] : 0.0f);
  }

  // Two rows of numbers, one a chain.
  static MLP_GIBBS_INLINE void load_pair(const float* at, F (&pair)[2][VECTORS]) {
    for (int r = 0; r < 2; ++r) {
      for (int v = 0; v < VECTORS; ++v) pair[r][v] = V::load(at + r * CHAINS + v * V::WIDTH);
    }
  }

  // body(row, values[2 rows][VECTORS]) for each pair of rows of a block, with the bias of the layer added
  template <class Body>
  static MLP_GIBBS_INLINE void for_each_pair(int64_t first, int64_t rows, const float* block, const float* bias, int64_t n, Body body) {
    for (int64_t i = 0; i < rows; i += 2) {
      const float* at = block + i * CHAINS;
      F h[2][VECTORS];
      load_pair(at, h);
      if (bias != nullptr) {
        F b[2];
        pair_of(bias, first + i, n, b);
        for (int r = 0; r < 2; ++r) {
          for (int v = 0; v < VECTORS; ++v) h[r][v] = V::add(h[r][v], b[r]);
        }
      }
      body(first + i, h);
    }
  }

  static MLP_GIBBS_INLINE void keep(float* to, int64_t row, const F (&pair)[2][VECTORS]) {
    for (int r = 0; r < 2; ++r) {
      for (int v = 0; v < VECTORS; ++v) V::store(to + (row + r) * CHAINS + v * V::WIDTH, pair[r][v]);
    }
  }

  // A pair of rows of a layer of n units to the rows `out` of a caller, by way of `some`: a block of them is turned over
  // as soon as it is full, in the first-level cache.
  static MLP_GIBBS_INLINE void give(const Chains& tile, float* some, int64_t row, const F (&pair)[2][VECTORS], float* out, int64_t n) {
    keep(some, row % CHAINS, pair);
    if (row % CHAINS == CHAINS - 2 || row + 2 >= n) tile.write_sites(some, out, n, row / CHAINS * CHAINS, row + 2);
  }

  // The same of a block that left a product.
  static MLP_GIBBS_INLINE void give_block(const Chains& tile, float* some, int64_t first, int64_t rows, const float* block,
                                          float* out, int64_t n) {
    for_each_pair(first, rows, block, nullptr, n, [&](int64_t row, F(&h)[2][VECTORS]) __attribute__((always_inline)) {
      give(tile, some, row, h, out, n);
    });
  }

  // Forward: hidden layers, then the readout into tiles[t].lanes->energy (WITH_ENERGY) and the operand delta^L
  // (WITH_GRADIENT). Returns whether that operand is in `ping`. The layers go to the rows of `out` (WITH_LAYERS).
  template <bool WITH_ENERGY, bool WITH_GRADIENT, bool WITH_LAYERS = false>
  bool forward(const LayersOut& out = {}) {
    return forward_to<WITH_ENERGY, WITH_GRADIENT, WITH_LAYERS>(*this, out);
  }

  // The same with delta^L and phi'(h^l) left in another network, whose engine takes them backward; in its `ping`.
  template <bool WITH_ENERGY, bool WITH_GRADIENT, bool WITH_LAYERS, class Back>
  bool forward_to(Back& back, const LayersOut& out) {
    constexpr bool IS_BACK_SAME = __is_same(Back, Network);
    const int depth = weights.depth;
    if (WITH_ENERGY) {
      for (int64_t t = 0; t < n_tiles; ++t) {
        for (int64_t c = 0; c < CHAINS; ++c) tiles[t].lanes->energy[c] = 0.0;
      }
    }
    bool to_ping = true;
    for (int l = 1; l <= depth; ++l) {
      const int64_t n = weights.widths[l], cols = weights.widths[l - 1];
      const float* bias = weights.bias[l - 1] == nullptr ? nullptr : weights.bias[l - 1] + id * n;
      const auto input = [&](int64_t t) {
        return Engine::operand(l == 1 ? layers[t].input : to_ping ? layers[t].pong : layers[t].ping, cols);
      };
      const auto output = [&](int64_t t) { return Engine::operand(to_ping ? layers[t].ping : layers[t].pong, n); };
      const void* w = packed(products[l - 1], n, cols);
      if (l < depth) {
        Engine::product(w, n, cols, n_tiles, input, [&](int64_t t, int64_t first, int64_t rows, const float* block) __attribute__((always_inline)) {
          const auto to = output(t);
          float* derivative = back.layers[t].derivative[l - 1];
          if (WITH_LAYERS && WITH_GRADIENT) give_block(tiles[t], layers[t].weighted, first, rows, block, out.weighted[l - 1], n);
          for_each_pair(first, rows, block, bias, n, [&](int64_t row, F(&h)[2][VECTORS]) __attribute__((always_inline)) {
            F a[2][VECTORS], d[2][VECTORS];
            for (int r = 0; r < 2; ++r) {
              for (int v = 0; v < VECTORS; ++v) phi.both(h[r][v], a[r][v], d[r][v]);
            }
            if (WITH_GRADIENT) keep(derivative, row, d);
            if (WITH_LAYERS) give(tiles[t], layers[t].values, row, a, out.values[l - 1], n);
            Engine::put(to, row, a[0], a[1]);
          });
        });
      } else {
        const float* readout = weights.readout + id * n;
        Engine::product(w, n, cols, n_tiles, input,
                        [&](int64_t t, int64_t first, int64_t rows, const float* block) __attribute__((always_inline)) {
          const auto to = Back::EngineType::operand(IS_BACK_SAME && !to_ping ? back.layers[t].pong : back.layers[t].ping, n);
          double* energy = tiles[t].lanes->energy;
          if (WITH_LAYERS && WITH_GRADIENT) give_block(tiles[t], layers[t].weighted, first, rows, block, out.weighted[l - 1], n);
          typename V::DoubleSum sum[VECTORS];
          for (int v = 0; WITH_ENERGY && v < VECTORS; ++v) sum[v].load(energy + v * V::WIDTH);
          for_each_pair(first, rows, block, bias, n, [&](int64_t row, F(&h)[2][VECTORS]) __attribute__((always_inline)) {
            F v_pair[2], a[2][VECTORS], d[2][VECTORS];
            pair_of(readout, row, n, v_pair);
            for (int r = 0; r < 2; ++r) {
              for (int v = 0; v < VECTORS; ++v) {
                if (WITH_ENERGY) {
                  phi.both(h[r][v], a[r][v], d[r][v]);
                  sum[v].add(a[r][v], v_pair[r]);
                } else {
                  d[r][v] = phi.derivative(h[r][v]);
                }
                d[r][v] = V::mul(d[r][v], v_pair[r]);
              }
            }
            if (WITH_LAYERS) give(tiles[t], layers[t].values, row, a, out.values[l - 1], n);
            if (WITH_LAYERS && WITH_GRADIENT) give(tiles[t], layers[t].slope, row, d, out.derivatives[l - 1], n);
            if (WITH_GRADIENT) Back::EngineType::put(to, row, d[0], d[1]);
          });
          for (int v = 0; WITH_ENERGY && v < VECTORS; ++v) sum[v].store(energy + v * V::WIDTH);
        });
      }
      to_ping = !to_ping;
    }
    return !IS_BACK_SAME || !to_ping;
  }

  // dH/dx as it comes: the momenta of all tiles are pushed by it (`Tile::push_site`), and it is kept in g if it is the
  // last of a trajectory or all that is wanted. dH/dh^l of the hidden layers below the last go to the rows of `out`
  // (WITH_LAYERS).
  template <bool IS_KEPT, bool WITH_LAYERS = false>
  void backward(bool delta_in_ping, const LayersOut& out = {}) {
    const int depth = weights.depth;
    bool in_ping = delta_in_ping;
    for (int l = depth - 1; l >= (WITH_LAYERS && !IS_KEPT); --l) {  // W^(l+1)T
      const int64_t n = weights.widths[l], cols = weights.widths[l + 1];
      const auto input = [&](int64_t t) { return Engine::operand(in_ping ? layers[t].ping : layers[t].pong, cols); };
      const auto output = [&](int64_t t) { return Engine::operand(in_ping ? layers[t].pong : layers[t].ping, n); };
      const void* w = packed(weights.backward[l], n, cols);
      if (l > 0) {
        Engine::product(w, n, cols, n_tiles, input, [&](int64_t t, int64_t first, int64_t rows, const float* block) __attribute__((always_inline)) {
          const auto to = output(t);
          const float* derivative = layers[t].derivative[l - 1];
          for_each_pair(first, rows, block, nullptr, n, [&](int64_t row, F(&h)[2][VECTORS]) __attribute__((always_inline)) {
            for (int r = 0; r < 2; ++r) {
              for (int v = 0; v < VECTORS; ++v) {
                h[r][v] = V::mul(h[r][v], V::load(derivative + (row + r) * CHAINS + v * V::WIDTH));
              }
            }
            if (WITH_LAYERS) give(tiles[t], layers[t].slope, row, h, out.derivatives[l - 1], n);
            Engine::put(to, row, h[0], h[1]);
          });
        });
      } else if constexpr (IS_KEPT || !WITH_LAYERS) {
        for (int64_t t = 0; t < n_tiles; ++t) tiles[t].forget_products();
        Engine::product(w, n, cols, n_tiles, input,
                        [&](int64_t t, int64_t first, int64_t rows, const float* block) __attribute__((always_inline)) {
          const float* x = tiles[t].x;
          float *p = tiles[t].p, *g = tiles[t].g;
          auto push = tiles[t].push_start();
          for_each_pair(first, rows, block, nullptr, n, [&](int64_t row, F(&h)[2][VECTORS]) __attribute__((always_inline)) {
            for (int r = 0; r < 2; ++r) {
              for (int v = 0; v < VECTORS; ++v) {
                const int64_t at = (row + r) * CHAINS + v * V::WIDTH;
                if (IS_KEPT) V::store(g + at, h[r][v]);
                Chains::push_site(push, v, h[r][v], x + at, p + at);
              }
            }
          });
          tiles[t].push_end(push);
        });
      }
      in_ping = !in_ping;
    }
  }
};

}  // namespace
}  // namespace mlp_gibbs
