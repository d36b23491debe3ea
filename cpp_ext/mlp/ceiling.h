// The speed limit: independent fused multiply-adds in registers, nothing else. benchmarks/ceiling.py times it.
#pragma once

namespace mlp_gibbs {
namespace {

// Returns the floating-point operations done; `sink` keeps the compiler from leaving them out.
template <class V>
double fma_loop(int64_t iterations, float* sink) {
  constexpr int N = 12;  // sums: more than latency times units of any x86-64 processor, and fits 16 registers
  typename V::F sum[N];
  for (int i = 0; i < N; ++i) sum[i] = V::set(static_cast<float>(i));
  const auto a = V::set(0.999f), b = V::set(1e-3f);
  for (int64_t k = 0; k < iterations; ++k) {
#pragma GCC unroll 12
    for (int i = 0; i < N; ++i) sum[i] = V::fma(sum[i], a, b);
  }
  for (int i = 1; i < N; ++i) sum[0] = V::add(sum[0], sum[i]);
  alignas(64) float lanes[V::WIDTH];
  V::store(lanes, sum[0]);
  *sink = lanes[0];
  return 2.0 * N * V::WIDTH * static_cast<double>(iterations);
}

}  // namespace
}  // namespace mlp_gibbs
