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

at::Tensor philox_uniform(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                          int64_t n) {
  const c10::cuda::CUDAGuard guard(network.device());
  const StreamCall call = checked_stream(seed, purpose, network, chain, step, n, UNIFORMS_PER_BLOCK);
  at::Tensor out =
      at::empty({call.address.n_networks, call.address.n_chains, n}, network.options().dtype(at::kDouble));
  C10_CUDA_CHECK(cuda::uniforms(call.address, out.mutable_data_ptr<double>(), c10::cuda::getCurrentCUDAStream()));
  return out;
}

at::Tensor philox_normal(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                         int64_t n, at::ScalarType dtype) {
  check_normal_dtype(dtype);
  const c10::cuda::CUDAGuard guard(network.device());
  const StreamCall call = checked_stream(seed, purpose, network, chain, step, n, NORMALS_PER_BLOCK);
  at::Tensor out =
      at::empty({call.address.n_networks, call.address.n_chains, n}, network.options().dtype(dtype));
  const cudaStream_t stream = c10::cuda::getCurrentCUDAStream();
  if (dtype == at::kDouble) {
    C10_CUDA_CHECK(cuda::normals(call.address, out.mutable_data_ptr<double>(), stream));
  } else {
    C10_CUDA_CHECK(cuda::normals(call.address, out.mutable_data_ptr<float>(), stream));
  }
  return out;
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CUDA, m) {
  m.impl("philox4x32", &philox4x32);
  m.impl("philox_uniform", &philox_uniform);
  m.impl("philox_normal", &philox_normal);
}

}  // namespace
}  // namespace mlp_gibbs
