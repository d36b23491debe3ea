#include "grid.cuh"
#include "launch.h"

namespace mlp_gibbs::cuda {
namespace {

struct Words {
  const int64_t *counter, *key;
  int64_t* out;
  __device__ void operator()(int64_t i) const { write_words(counter, key, i, out); }
};

struct Uniforms {
  StreamAddress address;
  double* out;
  __device__ void operator()(int64_t i) const { write_uniforms(address, i, out); }
};

template <typename Number>
struct Normals {
  StreamAddress address;
  Number* out;
  __device__ void operator()(int64_t i) const { write_normals(address, i, out); }
};

}  // namespace

cudaError_t philox4x32(const int64_t* counter, const int64_t* key, int64_t n, int64_t* out, cudaStream_t stream) {
  return for_each(n, Words{counter, key, out}, stream);
}

cudaError_t uniforms(const StreamAddress& address, double* out, cudaStream_t stream) {
  return for_each(address.n_blocks(UNIFORMS_PER_BLOCK), Uniforms{address, out}, stream);
}

cudaError_t normals(const StreamAddress& address, double* out, cudaStream_t stream) {
  return for_each(address.n_blocks(NORMALS_PER_BLOCK), Normals<double>{address, out}, stream);
}

cudaError_t normals(const StreamAddress& address, float* out, cudaStream_t stream) {
  return for_each(address.n_blocks(NORMALS_PER_BLOCK), Normals<float>{address, out}, stream);
}

}  // namespace mlp_gibbs::cuda
