// The fused kernels for AVX-512: 2 x 16 chains a tile.
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
}  // namespace

const MlpKernels MLP_KERNELS_AVX512{"avx512", Engine::CHAINS, Engine::packed_bytes, Engine::pack, scratch_of<Engine, Engine>,
                                    run_any<Engine, Engine>, fma_loop<Avx512>};
}  // namespace mlp_gibbs
#endif
