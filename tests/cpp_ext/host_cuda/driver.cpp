// The launchers of cpp_ext/cuda as C functions on host pointers, for ctypes.
#include "../../../cpp_ext/cuda/exchange.cu"
#include "../../../cpp_ext/cuda/philox.cu"

using namespace mlp_gibbs;

namespace {
StreamAddress address(uint64_t seed, uint32_t purpose, const int64_t* network, int64_t d, const int64_t* chain, int64_t c,
                      uint32_t step, int64_t n) {
  return {stream_key(seed, purpose), step, network, chain, d, c, n, nullptr};
}
}  // namespace

extern "C" {

int host_words(const int64_t* counter, const int64_t* key, int64_t n, int64_t* out) {
  return cuda::philox4x32(counter, key, n, out, nullptr);
}

int host_uniforms(uint64_t seed, uint32_t purpose, const int64_t* network, int64_t d, const int64_t* chain, int64_t c,
                  uint32_t step, int64_t n, double* out) {
  return cuda::uniforms(address(seed, purpose, network, d, chain, c, step, n), out, nullptr);
}

int host_normals(uint64_t seed, uint32_t purpose, const int64_t* network, int64_t d, const int64_t* chain, int64_t c,
                 uint32_t step, int64_t n, double* out) {
  return cuda::normals(address(seed, purpose, network, d, chain, c, step, n), out, nullptr);
}

int host_normals_float(uint64_t seed, uint32_t purpose, const int64_t* network, int64_t d, const int64_t* chain, int64_t c,
                       uint32_t step, int64_t n, float* out) {
  return cuda::normals(address(seed, purpose, network, d, chain, c, step, n), out, nullptr);
}

// As `host_normals`, with the step read where it lies.
int host_normals_at(uint64_t seed, uint32_t purpose, const int64_t* network, int64_t d, const int64_t* chain, int64_t c,
                    const int64_t* step, int64_t n, double* out) {
  StreamAddress at = address(seed, purpose, network, d, chain, c, 0, n);
  at.step_at = step;
  return cuda::normals(at, out, nullptr);
}

int host_deo_swap(const double* u, const double* energy, const double* beta, int64_t parity, int64_t* slot_of_temp,
                  int64_t* temp_of_slot, double* accept_sum, int64_t* swap_count, int8_t* direction, int64_t* round_trips,
                  int64_t d, int64_t k, int64_t r) {
  return cuda::deo_swap({u, energy, beta, slot_of_temp, temp_of_slot, accept_sum, swap_count, direction, round_trips},
                        {d, k, r}, parity, nullptr);
}

int host_overlaps(const double* overlap, int64_t n_rows, int64_t n_pairs, double lower, double upper, int64_t n_bins,
                  int64_t* histogram, double* moment_sum) {
  return cuda::overlap_accumulate(overlap, n_rows, n_pairs, lower, upper, n_bins, histogram, moment_sum, nullptr);
}
}
