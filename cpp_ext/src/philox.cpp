// Philox streams on the CPU.
#include <ATen/Parallel.h>

#include <algorithm>

#include "blocks.h"
#include "checks.h"

namespace mlp_gibbs {
namespace {

constexpr int64_t WORD = int64_t{1} << 32;

uint32_t checked_word(int64_t value, const char* name, int64_t index) {
  TORCH_CHECK_VALUE(value >= 0 && value < WORD, name, "[", index, "] must be in [0, 2^32), found ", value);
  return static_cast<uint32_t>(value);
}

at::Tensor philox4x32(const at::Tensor& counter, const at::Tensor& key) {
  check_philox(counter, key);
  const at::Tensor c = counter.contiguous(), k = key.contiguous();
  at::Tensor out = at::empty_like(c);
  const int64_t* cs = c.const_data_ptr<int64_t>();
  const int64_t* ks = k.const_data_ptr<int64_t>();
  int64_t* os = out.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < c.size(0); ++i) {
    PhiloxWords w = {checked_word(cs[4 * i], "counter", i), checked_word(cs[4 * i + 1], "counter", i),
                     checked_word(cs[4 * i + 2], "counter", i), checked_word(cs[4 * i + 3], "counter", i)};
    w = philox4x32_10(w, {checked_word(ks[2 * i], "key", i), checked_word(ks[2 * i + 1], "key", i)});
    os[4 * i] = w.w0;
    os[4 * i + 1] = w.w1;
    os[4 * i + 2] = w.w2;
    os[4 * i + 3] = w.w3;
  }
  return out;
}

// Fills out (D, C, n). The blocks of all rows form one list, cut into chunks; a row's last block may be used in part.
template <int PER_BLOCK, typename Number, typename Fill>
void fill_stream(const StreamAddress& address, Number* out, Fill fill) {
  const int64_t blocks_per_row = (address.n + PER_BLOCK - 1) / PER_BLOCK;
  const int64_t n_blocks = address.n_networks * address.n_chains * blocks_per_row;
  const int64_t n_chunks = (n_blocks + CHUNK - 1) / CHUNK;
  const int64_t* network = address.network.const_data_ptr<int64_t>();
  const int64_t* chain = address.chain.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < address.n_networks; ++i) checked_word(network[i], "network", i);
  for (int64_t i = 0; i < address.n_chains; ++i) checked_word(chain[i], "chain", i);
  const BlockKernels& kernels = block_kernels();

  at::parallel_for(0, n_chunks, 8, [&](int64_t begin, int64_t end) {
    Counters counters;
    Words words;
    alignas(64) double numbers[PER_BLOCK * CHUNK];
    counters.step = address.step;
    std::fill_n(counters.block, CHUNK, 0u);
    std::fill_n(counters.chain, CHUNK, 0u);
    std::fill_n(counters.network, CHUNK, 0u);
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t first = chunk * CHUNK;
      const int64_t last = std::min(first + CHUNK, n_blocks);
      // runs: stretches of consecutive blocks of one row
      for (int64_t at = first; at < last;) {
        const int64_t row = at / blocks_per_row, block = at % blocks_per_row;
        const int64_t run = std::min(last - at, blocks_per_row - block);
        const auto c = static_cast<uint32_t>(chain[row % address.n_chains]);
        const auto d = static_cast<uint32_t>(network[row / address.n_chains]);
        for (int64_t i = 0; i < run; ++i) {
          counters.block[at - first + i] = static_cast<uint32_t>(block + i);
          counters.chain[at - first + i] = c;
          counters.network[at - first + i] = d;
        }
        at += run;
      }
      kernels.words(counters, address.key, words);
      fill(kernels, words, numbers);
      for (int64_t at = first; at < last;) {
        const int64_t row = at / blocks_per_row, block = at % blocks_per_row;
        const int64_t run = std::min(last - at, blocks_per_row - block);
        const int64_t n = std::min(run * PER_BLOCK, address.n - block * PER_BLOCK);
        const double* from = numbers + (at - first) * PER_BLOCK;
        Number* to = out + row * address.n + block * PER_BLOCK;
        for (int64_t i = 0; i < n; ++i) to[i] = static_cast<Number>(from[i]);
        at += run;
      }
    }
  });
}

at::Tensor philox_uniform(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                          int64_t n) {
  const StreamAddress address = checked_stream(seed, purpose, network, chain, step, n, 2);
  at::Tensor out = at::empty({address.n_networks, address.n_chains, n}, network.options().dtype(at::kDouble));
  fill_stream<2>(address, out.mutable_data_ptr<double>(),
                 [](const BlockKernels& k, const Words& words, double* numbers) { k.uniforms(words, numbers); });
  return out;
}

at::Tensor philox_normal(int64_t seed, int64_t purpose, const at::Tensor& network, const at::Tensor& chain, int64_t step,
                         int64_t n, at::ScalarType dtype) {
  TORCH_CHECK_VALUE(dtype == at::kDouble || dtype == at::kFloat, "dtype must be Double or Float, found ", dtype);
  const StreamAddress address = checked_stream(seed, purpose, network, chain, step, n, 4);
  at::Tensor out = at::empty({address.n_networks, address.n_chains, n}, network.options().dtype(dtype));
  const auto fill = [](const BlockKernels& k, const Words& words, double* numbers) { k.normals(words, numbers); };
  if (dtype == at::kDouble) {
    fill_stream<4>(address, out.mutable_data_ptr<double>(), fill);
  } else {
    fill_stream<4>(address, out.mutable_data_ptr<float>(), fill);
  }
  return out;
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) {
  m.impl("philox4x32", &philox4x32);
  m.impl("philox_uniform", &philox_uniform);
  m.impl("philox_normal", &philox_normal);
}

}  // namespace
}  // namespace mlp_gibbs
