// Argument checks shared by the CPU and CUDA implementations: what was expected, what was found.
#pragma once

#include <torch/library.h>
#include <ATen/ATen.h>

#include <initializer_list>

#include "../core/exchange.h"
#include "../core/streams.h"

namespace mlp_gibbs {

inline void check_dtype(const at::Tensor& t, const char* name, at::ScalarType dtype) {
  TORCH_CHECK_VALUE(t.scalar_type() == dtype, name, " must be ", dtype, ", found ", t.scalar_type());
  TORCH_CHECK_VALUE(reinterpret_cast<uintptr_t>(t.const_data_ptr()) % t.element_size() == 0, name,
                    " must lie at a multiple of the size of its numbers; pass ", name, ".clone()");
}

inline void check_shape(const at::Tensor& t, const char* name, at::IntArrayRef shape) {
  TORCH_CHECK_VALUE(t.sizes() == shape, name, " must have shape ", shape, ", found ", t.sizes());
}

inline void check_device(const at::Tensor& t, const char* name, const at::Tensor& like, const char* like_name) {
  TORCH_CHECK_VALUE(t.device() == like.device(), name, " must be on the device of ", like_name, " (", like.device(),
                    "), found ", t.device());
}

// A tensor that is written to in place.
inline void check_written(const at::Tensor& t, const char* name) {
  TORCH_CHECK_VALUE(t.is_contiguous(), name, " is written in place and must be contiguous, found shape ", t.sizes(),
                    " with strides ", t.strides(), "; pass ", name, ".contiguous() and copy back");
}

// Memory of an argument.
struct Memory {
  const char* name;
  const char* first;
  size_t bytes;
  bool is_written;
};

inline Memory read(const at::Tensor& t, const char* name) {
  return {name, static_cast<const char*>(t.const_data_ptr()), t.nbytes(), false};
}

inline Memory written(const at::Tensor& t, const char* name) {
  return {name, static_cast<const char*>(t.const_data_ptr()), t.nbytes(), true};
}

// What is written in place shares no memory with another argument; all contiguous.
void check_apart(std::initializer_list<Memory> arguments);

// The numbers of a contiguous tensor that is only read.
template <class T>
const T* checked_numbers(const at::Tensor& t, const char* name, at::ScalarType dtype, at::IntArrayRef shape) {
  check_dtype(t, name, dtype);
  check_shape(t, name, shape);
  TORCH_CHECK_VALUE(t.is_contiguous(), name, " must be contiguous, found strides ", t.strides());
  return t.const_data_ptr<T>();
}

// The numbers of a tensor that is written in place.
template <class T>
T* checked_output(at::Tensor& t, const char* name, at::ScalarType dtype, at::IntArrayRef shape) {
  check_dtype(t, name, dtype);
  check_shape(t, name, shape);
  check_written(t, name);
  return t.mutable_data_ptr<T>();
}

struct StreamCall {
  at::Tensor network, chain;  // kept alive: the address points into them
  StreamAddress address;
};

// The ids themselves are checked by the CPU alone: on a device that would wait for it. Streams.of checks them once.
StreamCall checked_stream(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                          int64_t n, int64_t per_block);

// A step that is read where it lies: one int64 beside the ids.
void check_step(const at::Tensor& step, const at::Tensor& network);

void check_normal_dtype(at::ScalarType dtype);

void check_philox(const at::Tensor& counter, const at::Tensor& key);

struct ExchangeCall {
  at::Tensor u, energy, beta;  // kept alive: the arrays point into them
  ExchangeArrays arrays;
  Ladders ladders;
};

ExchangeCall checked_exchange(const at::Tensor& u, const at::Tensor& energy, const at::Tensor& beta, int64_t parity,
                              at::Tensor& slot_of_temp, at::Tensor& temp_of_slot, at::Tensor& accept_sum,
                              at::Tensor& swap_count, at::Tensor& direction, at::Tensor& round_trips);

void check_overlap(const at::Tensor& overlap, double lower, double upper, const at::Tensor& histogram,
                   const at::Tensor& moment_sum);

}  // namespace mlp_gibbs
