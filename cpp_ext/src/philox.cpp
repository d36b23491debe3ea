// Philox streams on the CPU.
#include <ATen/Parallel.h>

#include <algorithm>
#include <type_traits>

#include "blocks.h"
#include "checks.h"
#include "streams.h"

namespace mlp_gibbs {
namespace {

void check_words(const at::Tensor& contiguous, const char* name) {
  const int64_t* values = contiguous.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < contiguous.numel(); ++i) {
    TORCH_CHECK_VALUE(values[i] >= 0 && values[i] < (int64_t{1} << 32), name, " must be in [0, 2^32), found ", values[i],
                      " at position ", i);
  }
}

at::Tensor philox4x32(const at::Tensor& counter, const at::Tensor& key) {
  check_philox(counter, key);
  const at::Tensor c = counter.contiguous(), k = key.contiguous();
  check_words(c, "counter");
  check_words(k, "key");
  at::Tensor out = at::empty_like(c);
  const int64_t *cs = c.const_data_ptr<int64_t>(), *ks = k.const_data_ptr<int64_t>();
  int64_t* os = out.mutable_data_ptr<int64_t>();
  at::parallel_for(0, c.size(0), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) write_words(cs, ks, i, os);
  });
  return out;
}

// Calls body(offset, row, block, length) for each stretch of consecutive blocks of one row within [first, last).
template <typename Body>
void for_each_run(int64_t first, int64_t last, int64_t blocks_per_row, Body body) {
  for (int64_t at = first; at < last;) {
    const int64_t row = at / blocks_per_row, block = at % blocks_per_row;
    const int64_t length = std::min(last - at, blocks_per_row - block);
    body(at - first, row, block, length);
    at += length;
  }
}

// How the numbers of a stream come out of its blocks.
template <int64_t BLOCK, typename T>
struct Numbers {
  static constexpr int64_t PER_BLOCK = BLOCK;
  using Number = T;
  NumbersFn of_words;                                     // of a chunk of blocks, vector-wise
  void (*write)(const StreamAddress&, int64_t at, T*);    // of one block
};

template <typename T>
Numbers<NORMALS_PER_BLOCK, T> normals() {
  return {block_kernels().normals, write_normals<T>};
}

Numbers<UNIFORMS_PER_BLOCK, double> uniforms() { return {block_kernels().uniforms, write_uniforms}; }

// Blocks first to last - 1 of the list of all rows' blocks, vector-wise, to their places in `out`, where row `origin` is
// the first.
template <class Kind>
void fill_blocks(const StreamAddress& s, Kind kind, int64_t first, int64_t last, int64_t origin, typename Kind::Number* out) {
  using Number = typename Kind::Number;
  constexpr int64_t PER_BLOCK = Kind::PER_BLOCK;
  const int64_t blocks_per_row = s.blocks_per_row(PER_BLOCK);
  Counters counters{};
  Words words;
  alignas(64) double numbers[PER_BLOCK * CHUNK];
  counters.step = s.step;
  for (int64_t begin = first; begin < last; begin += CHUNK) {
    const int64_t end = std::min(begin + CHUNK, last);
    for_each_run(begin, end, blocks_per_row, [&](int64_t offset, int64_t row, int64_t block, int64_t length) {
      const auto chain = static_cast<uint32_t>(s.chain[row % s.n_chains]);
      const auto network = static_cast<uint32_t>(s.network[row / s.n_chains]);
      for (int64_t i = 0; i < length; ++i) {
        counters.block[offset + i] = static_cast<uint32_t>(block + i);
        counters.chain[offset + i] = chain;
        counters.network[offset + i] = network;
      }
    });
    block_kernels().words(counters, s.key, words);
    if constexpr (std::is_same_v<Number, double>) {
      if (s.n % PER_BLOCK == 0 && end - begin == CHUNK) {  // no block used in part: straight to its place
        kind.of_words(words, out + (begin - origin * blocks_per_row) * PER_BLOCK);
        continue;
      }
    }
    kind.of_words(words, numbers);
    for_each_run(begin, end, blocks_per_row, [&](int64_t offset, int64_t row, int64_t block, int64_t length) {
      const int64_t n = std::min(length * PER_BLOCK, s.n - block * PER_BLOCK);
      const double* from = numbers + offset * PER_BLOCK;
      Number* to = out + (row - origin) * s.n + block * PER_BLOCK;
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<Number>(from[i]);
    });
  }
}

// All rows, on all threads.
template <class Kind>
void fill(const StreamAddress& s, Kind kind, typename Kind::Number* out) {
  const int64_t n_blocks = s.n_blocks(Kind::PER_BLOCK);
  if (kind.of_words == nullptr) {  // the path of a CUDA thread, taken with MLP_GIBBS_SIMD=scalar
    at::parallel_for(0, n_blocks, 2048, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) kind.write(s, at, out);
    });
    return;
  }
  at::parallel_for(0, (n_blocks + CHUNK - 1) / CHUNK, 8, [&](int64_t begin, int64_t end) {
    fill_blocks(s, kind, begin * CHUNK, std::min(end * CHUNK, n_blocks), 0, out);
  });
}

// Some rows, on this thread.
template <class Kind>
void fill_rows(const StreamAddress& s, Kind kind, int64_t first, int64_t last, typename Kind::Number* out) {
  const int64_t blocks_per_row = s.blocks_per_row(Kind::PER_BLOCK);
  if (kind.of_words == nullptr) {
    typename Kind::Number* const row_zero = out - first * s.n;
    for (int64_t at = first * blocks_per_row; at < last * blocks_per_row; ++at) kind.write(s, at, row_zero);
    return;
  }
  fill_blocks(s, kind, first * blocks_per_row, last * blocks_per_row, first, out);
}

}  // namespace

void fill_normals(const StreamAddress& stream, int64_t first, int64_t last, float* out) {
  fill_rows(stream, normals<float>(), first, last, out);
}

void fill_uniforms(const StreamAddress& stream, int64_t first, int64_t last, double* out) {
  fill_rows(stream, uniforms(), first, last, out);
}

StreamCall checked_cpu_stream(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain,
                              int64_t step, int64_t n, int64_t per_block) {
  StreamCall call = checked_stream(seed, purpose, network, chain, step, n, per_block);
  check_words(call.network, "network");
  check_words(call.chain, "chain");
  return call;
}

namespace {

at::Tensor philox_uniform(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                          int64_t n) {
  const StreamCall call = checked_cpu_stream(seed, purpose, network, chain, step, n, UNIFORMS_PER_BLOCK);
  const StreamAddress& s = call.address;
  at::Tensor out = at::empty({s.n_networks, s.n_chains, n}, network.options().dtype(at::kDouble));
  fill(s, uniforms(), out.mutable_data_ptr<double>());
  return out;
}

at::Tensor philox_normal(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                         int64_t n, at::ScalarType dtype) {
  check_normal_dtype(dtype);
  const StreamCall call = checked_cpu_stream(seed, purpose, network, chain, step, n, NORMALS_PER_BLOCK);
  at::Tensor out =
      at::empty({call.address.n_networks, call.address.n_chains, n}, network.options().dtype(dtype));
  if (dtype == at::kDouble) {
    fill(call.address, normals<double>(), out.mutable_data_ptr<double>());
  } else {
    fill(call.address, normals<float>(), out.mutable_data_ptr<float>());
  }
  return out;
}

at::Tensor philox_uniform_at(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain,
                             const at::Tensor& step, int64_t n) {
  check_step(step, network);
  return philox_uniform(seed, purpose, network, chain, *step.const_data_ptr<int64_t>(), n);
}

at::Tensor philox_normal_at(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain,
                            const at::Tensor& step, int64_t n, at::ScalarType dtype) {
  check_step(step, network);
  return philox_normal(seed, purpose, network, chain, *step.const_data_ptr<int64_t>(), n, dtype);
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) {
  m.impl("philox4x32", &philox4x32);
  m.impl("philox_uniform", &philox_uniform);
  m.impl("philox_normal", &philox_normal);
  m.impl("philox_uniform_at", &philox_uniform_at);
  m.impl("philox_normal_at", &philox_normal_at);
}

}  // namespace
}  // namespace mlp_gibbs
