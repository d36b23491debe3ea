// Philox blocks by the chunk: structure-of-arrays loops in three widths, the widest that the processor has being taken.
#pragma once

#include "../core/philox.h"

namespace mlp_gibbs {

constexpr int CHUNK = 256;  // blocks at a time: counters, words and normals of a chunk stay in the first-level cache

struct Counters {
  alignas(64) uint32_t block[CHUNK], chain[CHUNK], network[CHUNK];
  uint32_t step;
};

struct Words {
  alignas(64) uint32_t w[4][CHUNK];
};

// A chunk is always computed whole; what lies past the end of the last one is thrown away by the caller.
struct BlockKernels {
  const char* name;
  void (*words)(const Counters& counters, PhiloxKey key, Words& words);
  void (*normals)(const Words& words, double* out);   // out[4 i + j] is number j of block i
  void (*uniforms)(const Words& words, double* out);  // out[2 i + j] is number j of block i
};

// "avx512", "avx2" or "portable"; MLP_GIBBS_SIMD in the environment narrows it (all give the same bits; for tests).
const BlockKernels& block_kernels();

}  // namespace mlp_gibbs
