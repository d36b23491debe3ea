#include "checks.h"

#include <cmath>
#include <tuple>
#include <vector>

namespace mlp_gibbs {

void check_apart(std::initializer_list<Memory> arguments) {
  for (const Memory& a : arguments) {
    if (!a.is_written) continue;
    for (const Memory& b : arguments) {
      if (&a == &b || a.bytes == 0 || b.bytes == 0) continue;
      TORCH_CHECK_VALUE(a.first + a.bytes <= b.first || b.first + b.bytes <= a.first, a.name,
                        " is written in place and must not share memory with ", b.name, "; pass a clone of one of them");
    }
  }
}

StreamCall checked_stream(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                          int64_t n, int64_t per_block) {
  constexpr int64_t word = int64_t{1} << 32;
  TORCH_CHECK_VALUE(seed >= 0 && seed < (int64_t{1} << 56), "seed must be in [0, 2^56), found ", seed);
  TORCH_CHECK_VALUE(purpose >= 0 && purpose < 256, "purpose must be in [0, 256), found ", purpose);
  TORCH_CHECK_VALUE(step >= 0 && step < word, "step must be in [0, 2^32), found ", step);
  TORCH_CHECK_VALUE(n >= 0 && n <= per_block * word, "n must be in [0, ", per_block, " * 2^32], found ", n);
  check_dtype(network, "network", at::kLong);
  check_dtype(chain, "chain", at::kLong);
  TORCH_CHECK_VALUE(network.dim() == 1, "network must have shape (D,), found ", network.sizes());
  TORCH_CHECK_VALUE(chain.dim() == 1, "chain must have shape (C,), found ", chain.sizes());
  check_device(chain, "chain", network, "network");
  StreamCall call{network.contiguous(), chain.contiguous(), {}};
  call.address = {stream_key(static_cast<uint64_t>(seed), static_cast<uint32_t>(purpose)),
                  static_cast<uint32_t>(step),
                  call.network.const_data_ptr<int64_t>(),
                  call.chain.const_data_ptr<int64_t>(),
                  call.network.size(0),
                  call.chain.size(0),
                  n};
  return call;
}

void check_step(const at::Tensor& step, const at::Tensor& network) {
  check_dtype(step, "step", at::kLong);
  TORCH_CHECK_VALUE(step.numel() == 1, "step must be one number, found shape ", step.sizes());
  check_device(step, "step", network, "network");
}

void check_normal_dtype(at::ScalarType dtype) {
  TORCH_CHECK_VALUE(dtype == at::kDouble || dtype == at::kFloat, "dtype must be Double or Float, found ", dtype);
}

void check_philox(const at::Tensor& counter, const at::Tensor& key) {
  check_dtype(counter, "counter", at::kLong);
  check_dtype(key, "key", at::kLong);
  TORCH_CHECK_VALUE(counter.dim() == 2 && counter.size(1) == 4, "counter must have shape (n, 4), found ", counter.sizes());
  check_shape(key, "key", {counter.size(0), 2});
  check_device(key, "key", counter, "counter");
}

ExchangeCall checked_exchange(const at::Tensor& u, const at::Tensor& energy, const at::Tensor& beta, int64_t parity,
                              at::Tensor& slot_of_temp, at::Tensor& temp_of_slot, at::Tensor& accept_sum,
                              at::Tensor& swap_count, at::Tensor& direction, at::Tensor& round_trips) {
  TORCH_CHECK_VALUE(parity == 0 || parity == 1, "parity must be 0 or 1, found ", parity);
  TORCH_CHECK_VALUE(energy.dim() == 3, "energy must have shape (D, K, R), found ", energy.sizes());
  const int64_t d = energy.size(0), k = energy.size(1), r = energy.size(2);
  TORCH_CHECK_VALUE(k >= 1, "energy must have at least one temperature, found shape ", energy.sizes());
  const Ladders ladders{d, k, r};
  const std::tuple<const at::Tensor*, const char*, at::ScalarType, std::vector<int64_t>> expected[] = {
      {&energy, "energy", at::kDouble, {d, k, r}},
      {&u, "u", at::kDouble, {d, ladders.n_pairs(parity), r}},
      {&beta, "beta", at::kDouble, {k}},
      {&slot_of_temp, "slot_of_temp", at::kLong, {d, k, r}},
      {&temp_of_slot, "temp_of_slot", at::kLong, {d, k, r}},
      {&accept_sum, "accept_sum", at::kDouble, {d, k - 1, r}},
      {&swap_count, "swap_count", at::kLong, {d, k - 1, r}},
      {&direction, "direction", at::kChar, {d, k, r}},
      {&round_trips, "round_trips", at::kLong, {d, k, r}},
  };
  int position = 0;
  for (const auto& [tensor, name, dtype, shape] : expected) {
    check_dtype(*tensor, name, dtype);
    check_shape(*tensor, name, shape);
    check_device(*tensor, name, energy, "energy");
    if (position++ >= 3) check_written(*tensor, name);
  }
  ExchangeCall call{u.contiguous(), energy.contiguous(), beta.contiguous(), {}, ladders};
  check_apart({read(call.u, "u"), read(call.energy, "energy"), read(call.beta, "beta"),
               written(slot_of_temp, "slot_of_temp"), written(temp_of_slot, "temp_of_slot"),
               written(accept_sum, "accept_sum"), written(swap_count, "swap_count"), written(direction, "direction"),
               written(round_trips, "round_trips")});
  call.arrays = {call.u.const_data_ptr<double>(),
                 call.energy.const_data_ptr<double>(),
                 call.beta.const_data_ptr<double>(),
                 slot_of_temp.mutable_data_ptr<int64_t>(),
                 temp_of_slot.mutable_data_ptr<int64_t>(),
                 accept_sum.mutable_data_ptr<double>(),
                 swap_count.mutable_data_ptr<int64_t>(),
                 direction.mutable_data_ptr<int8_t>(),
                 round_trips.mutable_data_ptr<int64_t>()};
  return call;
}

void check_overlap(const at::Tensor& overlap, double lower, double upper, const at::Tensor& histogram,
                   const at::Tensor& moment_sum) {
  TORCH_CHECK_VALUE(std::isfinite(upper - lower) && lower < upper,
                    "lower must be below upper and both finite, found lower = ", lower, " and upper = ", upper);
  TORCH_CHECK_VALUE(overlap.dim() == 3, "overlap must have shape (D, K, P), found ", overlap.sizes());
  TORCH_CHECK_VALUE(histogram.dim() == 3 && histogram.size(2) >= 3, "histogram must have shape (D, K, B + 2) with B >= 1, found ",
                    histogram.sizes());
  TORCH_CHECK_VALUE(std::isfinite(static_cast<double>(histogram.size(2) - 2) / (upper - lower)),
                    "upper - lower must be large enough to divide into bins, found ", upper - lower);
  check_dtype(overlap, "overlap", at::kDouble);
  check_dtype(histogram, "histogram", at::kLong);
  check_dtype(moment_sum, "moment_sum", at::kDouble);
  check_shape(histogram, "histogram", {overlap.size(0), overlap.size(1), histogram.size(2)});
  check_shape(moment_sum, "moment_sum", {overlap.size(0), overlap.size(1), 4});
  check_device(histogram, "histogram", overlap, "overlap");
  check_device(moment_sum, "moment_sum", overlap, "overlap");
  check_written(histogram, "histogram");
  check_written(moment_sum, "moment_sum");
}

}  // namespace mlp_gibbs
