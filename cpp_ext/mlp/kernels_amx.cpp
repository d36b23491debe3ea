// The fused kernels for AMX: AVX-512 vectors, matrix products on the bfloat16 tile unit.
#include "kernels.h"

#if MLP_GIBBS_FUSED
#include <immintrin.h>
#include <string.h>
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined_*
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512dq,avx2,fma,amx-tile,amx-bf16")
#ifdef MLP_GIBBS_EMULATED_TILES
#include "emulated_tiles.h"
#endif

// clang-format off: in this order
#include "vector_avx512.h"
#include "ceiling.h"
#include "vector_math.h"
#include "activation.h"
#include "product_fma.h"
#include "bfloat16.h"
#include "product_amx.h"
#include "tile.h"
#include "network.h"
#include "trajectory.h"
// clang-format on

namespace mlp_gibbs {
namespace {
using Float = AmxEngine<3>;

void run(const MlpWeights& weights, const MlpChains& chains, const MlpJob& job, void* scratch) {
  switch (weights.force_parts) {
    case 1: return run_any<AmxEngine<1>, Float>(weights, chains, job, scratch);
    case 2: return run_any<AmxEngine<2>, Float>(weights, chains, job, scratch);
    default: return run_any<Float, Float>(weights, chains, job, scratch);
  }
}

size_t scratch_bytes(const MlpWeights& weights, int64_t n_tiles) {
  switch (weights.force_parts) {
    case 1: return scratch_of<AmxEngine<1>, Float>(weights, n_tiles);
    case 2: return scratch_of<AmxEngine<2>, Float>(weights, n_tiles);
    default: return scratch_of<Float, Float>(weights, n_tiles);
  }
}
}  // namespace

const MlpKernels MLP_KERNELS_AMX{"amx", Float::CHAINS, Float::packed_bytes, Float::pack, scratch_bytes, run, fma_loop<Avx512>};
}  // namespace mlp_gibbs
#endif
