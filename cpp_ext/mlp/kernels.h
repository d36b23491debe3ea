// What the operators know of the fused kernels: plain data in, plain data out, one table of functions an instruction set.
//
// No torch here and nothing inline: each kernels_*.cpp is compiled for its own instruction set, and a function shared
// between them would be linked from whichever object came first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlp_gibbs {

constexpr int MAX_DEPTH = 64;  // layers; the arrays below have this length

enum class Act : int { PIECEWISE, TANH, SIN, ERF };

// D networks of the same shape, their weights packed by `pack`.
struct MlpWeights {
  int depth;                          // L
  int64_t widths[MAX_DEPTH + 1];      // N_0 ... N_L
  const void* forward[MAX_DEPTH];     // packed W^l, and
  const void* backward[MAX_DEPTH];    // packed transposes, in force_parts parts
  const void* for_energy[MAX_DEPTH];  // packed W^l in 3 parts
  const float* bias[MAX_DEPTH];       // (D, N_l) or null
  const float* readout;               // (D, N_L)
  Act activation;
  float parameters[2];  // PIECEWISE: slopes below and above 0.  TANH: s of s tanh(h/s)
  int force_parts;      // bfloat16 parts of a number in the products of the force: 3 (as float32), 2 or 1
};

// Arrays over all D x C chains, n0 floats a row. A trajectory is asked for by x_out, with the layers at its end if they
// are, else energy (and gradient, or the layers) at x.
struct MlpChains {
  const float *x, *p, *grad;  // (D, C, n0)
  const float* fresh;         // (D, C, n0) or null
  const double* beta;         // (D, C)
  const float* step_size;     // (D, C)
  const int64_t* n_leapfrog;  // (D, C)
  int64_t reproject_every;
  float *x_out, *p_out, *grad_out;  // (D, C, n0); p_out may be null, and grad_out when only energies are asked for
  double* energy_out;               // (D, C)
  double* kinetic_change_out;       // (D, C), |p|^2/2 at the end minus at the start
  // Layers l = 1 to L of the network, each (D, C, N_l), to entry l - 1; or null. All three, or at x layers_out alone.
  float* const* layers_out;       // a^l
  float* const* weighted_out;     // W^l a^(l-1): h^l without the bias
  float* const* derivatives_out;  // dH/dh^l; forces must have 3 parts
};

// Chains of one network: rows `row` to row + n_chains - 1 of the arrays.
struct MlpJob {
  int64_t network, row, n_chains;
};

struct MlpKernels {
  const char* name;
  int64_t chains_per_tile;
  // Bytes of one packed (rows, cols) matrix, and packing of it, or of its transpose. Parts are those of bfloat16.
  size_t (*packed_bytes)(int64_t rows, int64_t cols, int64_t parts);
  void (*pack)(const float* matrix, int64_t rows, int64_t cols, bool transposed, int64_t parts, void* packed);
  // Bytes of scratch memory of a job of up to n_tiles tiles.
  size_t (*scratch_bytes)(const MlpWeights& weights, int64_t n_tiles);
  // Runs a job in scratch memory that is aligned to 64 bytes.
  void (*run)(const MlpWeights& weights, const MlpChains& chains, const MlpJob& job, void* scratch);
  // Fused multiply-adds as fast as they go; returns the floating-point operations done.
  double (*fma_loop)(int64_t iterations, float* sink);
};

// Constants, so that asking for them runs no instruction that the processor may lack.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define MLP_GIBBS_FUSED 1
#define MLP_GIBBS_INLINE __attribute__((always_inline)) inline  // a call would spill every vector register
extern const MlpKernels MLP_KERNELS_AVX2, MLP_KERNELS_AVX512, MLP_KERNELS_AVX512_BF16, MLP_KERNELS_AMX;
#else
#define MLP_GIBBS_FUSED 0
#endif

// Number i of those that this processor runs, best first; null past the end.
const MlpKernels* mlp_kernels(int i);

}  // namespace mlp_gibbs
