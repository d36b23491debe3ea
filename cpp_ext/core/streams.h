// One block of a stream, from its place in the list of all blocks to its numbers in memory.
#pragma once

#include "philox.h"

namespace mlp_gibbs {

// The (D, C, n) numbers of networks x chains at one step and purpose.
struct StreamAddress {
  PhiloxKey key;
  uint32_t step;
  const int64_t* network;  // (D,) ids in [0, 2^32)
  const int64_t* chain;    // (C,)
  int64_t n_networks, n_chains, n;
  const int64_t* step_at = nullptr;  // where the step is read instead, if not null: a captured graph counts it there

  MLP_GIBBS_HD int64_t blocks_per_row(int64_t per_block) const { return (n + per_block - 1) / per_block; }
  MLP_GIBBS_HD int64_t n_blocks(int64_t per_block) const { return n_networks * n_chains * blocks_per_row(per_block); }
};

constexpr int64_t UNIFORMS_PER_BLOCK = 2, NORMALS_PER_BLOCK = 4;

template <typename Number>
MLP_GIBBS_HD void write_block(const StreamAddress& s, int64_t per_block, int64_t at, const double* numbers, Number* out) {
  const int64_t row = at / s.blocks_per_row(per_block);
  const int64_t first = (at % s.blocks_per_row(per_block)) * per_block;
  for (int64_t j = 0; j < per_block && first + j < s.n; ++j) {  // the last block of a row may be used in part
    out[row * s.n + first + j] = static_cast<Number>(numbers[j]);
  }
}

MLP_GIBBS_HD PhiloxWords block_words(const StreamAddress& s, int64_t per_block, int64_t at) {
  const int64_t row = at / s.blocks_per_row(per_block);
  return philox4x32_10({static_cast<uint32_t>(at % s.blocks_per_row(per_block)),
                        s.step_at != nullptr ? static_cast<uint32_t>(*s.step_at) : s.step,
                        static_cast<uint32_t>(s.chain[row % s.n_chains]),
                        static_cast<uint32_t>(s.network[row / s.n_chains])},
                       s.key);
}

MLP_GIBBS_HD void write_uniforms(const StreamAddress& s, int64_t at, double* out) {
  const PhiloxWords w = block_words(s, UNIFORMS_PER_BLOCK, at);
  const double numbers[] = {uniform_of(w.w0, w.w1), uniform_of(w.w2, w.w3)};
  write_block(s, UNIFORMS_PER_BLOCK, at, numbers, out);
}

template <typename Number>
MLP_GIBBS_HD void write_normals(const StreamAddress& s, int64_t at, Number* out) {
  const PhiloxWords w = block_words(s, NORMALS_PER_BLOCK, at);
  const NormalPair a = normal_pair(w.w0, w.w1), b = normal_pair(w.w2, w.w3);
  const double numbers[] = {a.cosine, a.sine, b.cosine, b.sine};
  write_block(s, NORMALS_PER_BLOCK, at, numbers, out);
}

// Row i of counter (n, 4) and key (n, 2) to row i of out (n, 4); int64 that hold unsigned 32-bit words.
MLP_GIBBS_HD void write_words(const int64_t* counter, const int64_t* key, int64_t i, int64_t* out) {
  const int64_t* c = counter + 4 * i;
  const PhiloxWords w = philox4x32_10({static_cast<uint32_t>(c[0]), static_cast<uint32_t>(c[1]),
                                       static_cast<uint32_t>(c[2]), static_cast<uint32_t>(c[3])},
                                      {static_cast<uint32_t>(key[2 * i]), static_cast<uint32_t>(key[2 * i + 1])});
  out[4 * i] = w.w0;
  out[4 * i + 1] = w.w1;
  out[4 * i + 2] = w.w2;
  out[4 * i + 3] = w.w3;
}

}  // namespace mlp_gibbs
