// Philox streams on the CPU.
#include <ATen/Parallel.h>

#include <algorithm>
#include <type_traits>

#include "blocks.h"
#include "checks.h"

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

// Fills out (D, C, n), vector-wise: the blocks of all rows form one list, cut into chunks of CHUNK.
template <int64_t PER_BLOCK, typename Number>
void fill_chunks(const StreamAddress& s, PhiloxFn words_of, NumbersFn numbers_of, Number* out) {
  const int64_t blocks_per_row = s.blocks_per_row(PER_BLOCK), n_blocks = s.n_blocks(PER_BLOCK);
  at::parallel_for(0, (n_blocks + CHUNK - 1) / CHUNK, 8, [&](int64_t begin, int64_t end) {
    Counters counters{};
    Words words;
    alignas(64) double numbers[PER_BLOCK * CHUNK];
    counters.step = s.step;
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t first = chunk * CHUNK, last = std::min(first + CHUNK, n_blocks);
      for_each_run(first, last, blocks_per_row, [&](int64_t offset, int64_t row, int64_t block, int64_t length) {
        const auto chain = static_cast<uint32_t>(s.chain[row % s.n_chains]);
        const auto network = static_cast<uint32_t>(s.network[row / s.n_chains]);
        for (int64_t i = 0; i < length; ++i) {
          counters.block[offset + i] = static_cast<uint32_t>(block + i);
          counters.chain[offset + i] = chain;
          counters.network[offset + i] = network;
        }
      });
      words_of(counters, s.key, words);
      if constexpr (std::is_same_v<Number, double>) {
        if (s.n % PER_BLOCK == 0 && last - first == CHUNK) {  // no block used in part: straight to its place
          numbers_of(words, out + first * PER_BLOCK);
          continue;
        }
      }
      numbers_of(words, numbers);
      for_each_run(first, last, blocks_per_row, [&](int64_t offset, int64_t row, int64_t block, int64_t length) {
        const int64_t n = std::min(length * PER_BLOCK, s.n - block * PER_BLOCK);
        const double* from = numbers + offset * PER_BLOCK;
        Number* to = out + row * s.n + block * PER_BLOCK;
        for (int64_t i = 0; i < n; ++i) to[i] = static_cast<Number>(from[i]);
      });
    }
  });
}

// Runs write(at) for every block: the path of a CUDA thread, taken with MLP_GIBBS_SIMD=scalar.
template <typename Write>
void for_each_block(int64_t n_blocks, Write write) {
  at::parallel_for(0, n_blocks, 2048, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) write(at);
  });
}

template <typename Number>
void fill_normals(const StreamAddress& s, Number* out) {
  const BlockKernels& kernels = block_kernels();
  if (kernels.words == nullptr) {
    for_each_block(s.n_blocks(NORMALS_PER_BLOCK), [&](int64_t at) { write_normals(s, at, out); });
  } else {
    fill_chunks<NORMALS_PER_BLOCK>(s, kernels.words, kernels.normals, out);
  }
}

StreamCall checked_cpu_stream(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain,
                              int64_t step, int64_t n, int64_t per_block) {
  StreamCall call = checked_stream(seed, purpose, network, chain, step, n, per_block);
  check_words(call.network, "network");
  check_words(call.chain, "chain");
  return call;
}

at::Tensor philox_uniform(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                          int64_t n) {
  const StreamCall call = checked_cpu_stream(seed, purpose, network, chain, step, n, UNIFORMS_PER_BLOCK);
  const StreamAddress& s = call.address;
  at::Tensor out = at::empty({s.n_networks, s.n_chains, n}, network.options().dtype(at::kDouble));
  double* to = out.mutable_data_ptr<double>();
  const BlockKernels& kernels = block_kernels();
  if (kernels.words == nullptr) {
    for_each_block(s.n_blocks(UNIFORMS_PER_BLOCK), [&](int64_t at) { write_uniforms(s, at, to); });
  } else {
    fill_chunks<UNIFORMS_PER_BLOCK>(s, kernels.words, kernels.uniforms, to);
  }
  return out;
}

at::Tensor philox_normal(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                         int64_t n, at::ScalarType dtype) {
  check_normal_dtype(dtype);
  const StreamCall call = checked_cpu_stream(seed, purpose, network, chain, step, n, NORMALS_PER_BLOCK);
  at::Tensor out =
      at::empty({call.address.n_networks, call.address.n_chains, n}, network.options().dtype(dtype));
  if (dtype == at::kDouble) {
    fill_normals(call.address, out.mutable_data_ptr<double>());
  } else {
    fill_normals(call.address, out.mutable_data_ptr<float>());
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
