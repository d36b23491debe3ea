// The fused kernels for AVX-512: 2 x 16 chains a tile, or 16.
#include "kernels.h"

#if MLP_GIBBS_FUSED
#include <immintrin.h>
#include <string.h>
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 warns about its own _mm512_undefined_*
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512dq,avx2,fma")

// clang-format off: in this order
#include "vector_avx512.h"
#include "ceiling.h"
#include "vector_math.h"
#include "activation.h"
#include "product_fma.h"
#include "tile.h"
#include "network.h"
#include "trajectory.h"
// clang-format on

namespace mlp_gibbs {
namespace {
using Engine = FmaEngine<Avx512>;
using Half = FmaEngine<Avx512, 1>;
}  // namespace

const MlpKernels MLP_KERNELS_AVX512{"avx512", Engine::CHAINS, Engine::packed_bytes, Engine::pack, scratch_of<Engine, Engine>,
                                    run_with_half_tiles<Engine, Engine, Half, Half>, fma_loop<Avx512>};
}  // namespace mlp_gibbs
#endif
