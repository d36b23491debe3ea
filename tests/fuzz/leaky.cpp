// Operators with one fault each, built with the flags of the sanitized extension, which must catch them.
#include <torch/library.h>
#include <ATen/ATen.h>

#include <climits>

namespace {

// Reads one number past the end.
double read_past_the_end(const at::Tensor& t) { return t.const_data_ptr<double>()[t.numel()]; }

// Writes one number before the beginning.
void write_before_the_beginning(const at::Tensor& t) { t.mutable_data_ptr<double>()[-1] = 1.0; }

// Forgets memory.
int64_t leak(int64_t n) {
  volatile char* forgotten = new char[static_cast<size_t>(n)];
  forgotten[0] = 1;
  const int64_t first = forgotten[0];
  forgotten = nullptr;
  return first;
}

// Shifts further than a number is wide.
int64_t shift(int64_t by) { return int64_t{1} << by; }

}  // namespace

TORCH_LIBRARY(mlp_gibbs_leaky, m) {
  m.def("read_past_the_end(Tensor t) -> float", &read_past_the_end);
  m.def("write_before_the_beginning(Tensor t) -> ()", &write_before_the_beginning);
  m.def("leak(int n) -> int", &leak);
  m.def("shift(int by) -> int", &shift);
}
