// Which of the fused kernels this processor runs.
#include "kernels.h"

#if MLP_GIBBS_FUSED
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace mlp_gibbs {
namespace {

struct Usable {
  const MlpKernels* kernels[4] = {};
  int n = 0;
};

#if MLP_GIBBS_FUSED
#ifdef MLP_GIBBS_EMULATED_TILES
bool has_tiles() { return true; }
#else
// Linux hands out the tile registers on request only.
bool has_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  const unsigned bfloat16 = 1u << 22, tile = 1u << 24;
  if ((d & bfloat16) == 0 || (d & tile) == 0) return false;
  constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif

Usable find() {
  Usable found;
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
  if (avx512 && has_tiles()) found.kernels[found.n++] = &MLP_KERNELS_AMX;
  const bool bfloat16 = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
  if (avx512 && bfloat16) found.kernels[found.n++] = &MLP_KERNELS_AVX512_BF16;
  if (avx512) found.kernels[found.n++] = &MLP_KERNELS_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.kernels[found.n++] = &MLP_KERNELS_AVX2;
  return found;
}
#else
Usable find() { return {}; }
#endif

}  // namespace

const MlpKernels* mlp_kernels(int i) {
  static const Usable usable = find();
  return i >= 0 && i < usable.n ? usable.kernels[i] : nullptr;
}

}  // namespace mlp_gibbs
