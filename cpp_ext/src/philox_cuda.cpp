// Philox streams on a CUDA device: arguments checked, device guarded, launched on the current stream.
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "../cuda/launch.h"
#include "checks.h"

namespace mlp_gibbs {
namespace {

at::Tensor philox4x32(const at::Tensor& counter, const at::Tensor& key) {
  check_philox(counter, key);
  const c10::cuda::CUDAGuard guard(counter.device());
  const at::Tensor c = counter.contiguous(), k = key.contiguous();
  at::Tensor out = at::empty_like(c);
  C10_CUDA_CHECK(cuda::philox4x32(c.const_data_ptr<int64_t>(), k.const_data_ptr<int64_t>(), c.size(0),
                                  out.mutable_data_ptr<int64_t>(), c10::cuda::getCurrentCUDAStream()));
  return out;
}

at::Tensor uniforms_of(const StreamCall& call) {
  const StreamAddress& s = call.address;
  at::Tensor out = at::empty({s.n_networks, s.n_chains, s.n}, call.network.options().dtype(at::kDouble));
  C10_CUDA_CHECK(cuda::uniforms(s, out.mutable_data_ptr<double>(), c10::cuda::getCurrentCUDAStream()));
  return out;
}

at::Tensor normals_of(const StreamCall& call, at::ScalarType dtype) {
  const StreamAddress& s = call.address;
  at::Tensor out = at::empty({s.n_networks, s.n_chains, s.n}, call.network.options().dtype(dtype));
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
  if (dtype == at::kDouble) {
    C10_CUDA_CHECK(cuda::normals(s, out.mutable_data_ptr<double>(), stream));
  } else {
    C10_CUDA_CHECK(cuda::normals(s, out.mutable_data_ptr<float>(), stream));
  }
  return out;
}

// The step stays on the device: nothing waits for it, and a captured graph reads it anew at every replay.
StreamCall counted_stream(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain,
                          const at::Tensor& step, int64_t n, int64_t per_block) {
  check_step(step, network);
  StreamCall call = checked_stream(seed, purpose, network, chain, 0, n, per_block);
  call.address.step_at = step.const_data_ptr<int64_t>();
  return call;
}

at::Tensor philox_uniform(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                          int64_t n) {
  const c10::cuda::CUDAGuard guard(network.device());
  return uniforms_of(checked_stream(seed, purpose, network, chain, step, n, UNIFORMS_PER_BLOCK));
}

at::Tensor philox_normal(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                         int64_t n, at::ScalarType dtype) {
  check_normal_dtype(dtype);
  const c10::cuda::CUDAGuard guard(network.device());
  return normals_of(checked_stream(seed, purpose, network, chain, step, n, NORMALS_PER_BLOCK), dtype);
}

at::Tensor philox_uniform_at(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain,
                             const at::Tensor& step, int64_t n) {
  const c10::cuda::CUDAGuard guard(network.device());
  return uniforms_of(counted_stream(seed, purpose, network, chain, step, n, UNIFORMS_PER_BLOCK));
}

at::Tensor philox_normal_at(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain,
                            const at::Tensor& step, int64_t n, at::ScalarType dtype) {
  check_normal_dtype(dtype);
  const c10::cuda::CUDAGuard guard(network.device());
  return normals_of(counted_stream(seed, purpose, network, chain, step, n, NORMALS_PER_BLOCK), dtype);
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CUDA, m) {
  m.impl("philox4x32", &philox4x32);
  m.impl("philox_uniform", &philox_uniform);
  m.impl("philox_normal", &philox_normal);
  m.impl("philox_uniform_at", &philox_uniform_at);
  m.impl("philox_normal_at", &philox_normal_at);
}

}  // namespace
}  // namespace mlp_gibbs
