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

using PhiloxFn = void (*)(const Counters& counters, PhiloxKey key, Words& words);
using NumbersFn = void (*)(const Words& words, double* out);

// A chunk is always computed whole; what lies past the end of the last one is thrown away by the caller.
struct BlockKernels {
  const char* name;
  PhiloxFn words;      // null: no chunks, one block at a time by the functions that a CUDA thread runs
  NumbersFn normals;   // out[4 i + j] is number j of block i
  NumbersFn uniforms;  // out[2 i + j] is number j of block i
};

// The widest of "avx512", "avx2", "portable" that the processor has. MLP_GIBBS_SIMD in the environment asks for one of
// them or for "scalar": all give the same bits, and the tests say so.
const BlockKernels& block_kernels();

}  // namespace mlp_gibbs
