// The fused kernels for AVX2 and FMA: 2 x 8 chains a tile.
#include "kernels.h"

#if MLP_GIBBS_FUSED
#include <immintrin.h>
#include <string.h>
#pragma GCC target("avx2,fma")

// clang-format off: in this order
#include "vector_avx2.h"
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
using Engine = FmaEngine<Avx2>;
}  // namespace

const MlpKernels MLP_KERNELS_AVX2{"avx2", Engine::CHAINS, Engine::packed_bytes, Engine::pack, scratch_of<Engine, Engine>,
                                    run_any<Engine, Engine>, fma_loop<Avx2>};
}  // namespace mlp_gibbs
#endif
