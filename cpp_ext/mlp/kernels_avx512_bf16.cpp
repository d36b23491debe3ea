// The fused kernels for AVX-512 with AVX512_BF16: 2 x 16 chains a tile, or 16, forces in float32 or bfloat16.
#include "kernels.h"

#if MLP_GIBBS_FUSED
#include <immintrin.h>
#include <string.h>
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined_*
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512bf16,avx2,fma")

// clang-format off: in this order
#include "vector_avx512.h"
#include "ceiling.h"
#include "vector_math.h"
#include "activation.h"
#include "product_fma.h"
#include "bfloat16.h"
#include "product_bf16.h"
#include "tile.h"
#include "network.h"
#include "trajectory.h"
// clang-format on

namespace mlp_gibbs {
namespace {
using Float = FmaEngine<Avx512>;
using Coarse = FmaEngine<Avx512, 2, Bfloat16Pairs>;
using HalfFloat = FmaEngine<Avx512, 1>;
using HalfCoarse = FmaEngine<Avx512, 1, Bfloat16Pairs>;

size_t packed_bytes(int64_t rows, int64_t cols, int64_t parts) {
  return parts == Coarse::PARTS ? Coarse::packed_bytes(rows, cols, parts) : Float::packed_bytes(rows, cols, parts);
}

void pack(const float* matrix, int64_t rows, int64_t cols, bool transposed, int64_t parts, void* packed) {
  (parts == Coarse::PARTS ? Coarse::pack : Float::pack)(matrix, rows, cols, transposed, parts, packed);
}

void run(const MlpWeights& weights, const MlpChains& chains, const MlpJob& job, void* scratch) {
  const bool is_coarse = weights.force_parts == Coarse::PARTS;
  (is_coarse ? run_with_half_tiles<Coarse, Float, HalfCoarse, HalfFloat> : run_with_half_tiles<Float, Float, HalfFloat, HalfFloat>)(
      weights, chains, job, scratch);
}

size_t scratch_bytes(const MlpWeights& weights, int64_t n_tiles) {
  return (weights.force_parts == Coarse::PARTS ? scratch_of<Coarse, Float> : scratch_of<Float, Float>)(weights, n_tiles);
}
}  // namespace

const MlpKernels MLP_KERNELS_AVX512_BF16{"avx512_bf16", Float::CHAINS, packed_bytes, pack, scratch_bytes, run, fma_loop<Avx512>};
}  // namespace mlp_gibbs
#endif
