// Replica exchange and overlap sums on a CUDA device: arguments checked, device guarded, on the current stream.
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "../cuda/launch.h"
#include "checks.h"

namespace mlp_gibbs {
namespace {

void deo_swap_(const at::Tensor& u, const at::Tensor& energy, const at::Tensor& beta, int64_t parity,
               at::Tensor& slot_of_temp, at::Tensor& temp_of_slot, at::Tensor& accept_sum, at::Tensor& swap_count,
               at::Tensor& direction, at::Tensor& round_trips) {
  const c10::cuda::CUDAGuard guard(energy.device());
  const ExchangeCall call = checked_exchange(u, energy, beta, parity, slot_of_temp, temp_of_slot, accept_sum, swap_count,
                                             direction, round_trips);
  C10_CUDA_CHECK(cuda::deo_swap(call.arrays, call.ladders, parity, c10::cuda::getCurrentCUDAStream()));
}

void overlap_accumulate_(const at::Tensor& overlap, double lower, double upper, at::Tensor& histogram,
                         at::Tensor& moment_sum) {
  check_overlap(overlap, lower, upper, histogram, moment_sum);
  const c10::cuda::CUDAGuard guard(overlap.device());
  const at::Tensor q = overlap.contiguous();
  C10_CUDA_CHECK(cuda::overlap_accumulate(q.const_data_ptr<double>(), q.size(0) * q.size(1), q.size(2), lower, upper,
                                          histogram.size(2) - 2, histogram.mutable_data_ptr<int64_t>(),
                                          moment_sum.mutable_data_ptr<double>(), c10::cuda::getCurrentCUDAStream()));
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CUDA, m) {
  m.impl("deo_swap_", &deo_swap_);
  m.impl("overlap_accumulate_", &overlap_accumulate_);
}

}  // namespace
}  // namespace mlp_gibbs
