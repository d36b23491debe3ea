// What a step does outside its trajectory: kinetic energy, tangent projection, selection of rows; the Metropolis test.
//
// Torch does the same in several passes over memory and some twenty small operators; with 256 chains of N_0 = 128 those
// were a third of a sweep.
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <cmath>
#include <cstring>
#include <tuple>

#include "checks.h"
#include "metropolis.h"
#include "rows.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define MLP_GIBBS_X86 1
#else
#define MLP_GIBBS_X86 0
#endif

namespace mlp_gibbs {
namespace {

constexpr int LANES = 16;  // partial sums: the order of a sum is the same for every vector width

template <class Number>
inline __attribute__((always_inline)) double dot_body(const Number* __restrict a, const Number* __restrict b, int64_t n) {
  double sum[LANES] = {};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int j = 0; j < LANES; ++j) sum[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  }
  for (int j = 0; i + j < n; ++j) sum[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) sum[j] += sum[j + width];
  }
  return sum[0];
}

inline __attribute__((always_inline)) void widen_body(const float* __restrict a, int64_t n, double* __restrict out) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<double>(a[i]);
}

// out = v - along x
inline __attribute__((always_inline)) void subtract_body(const float* v, const float* __restrict x, float along, int64_t n,
                                                         float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = v[i] - along * x[i];
}

// The loops for one instruction set.
#define MLP_GIBBS_ROW_KERNELS(NAME, TARGET)                                                                            \
  struct NAME {                                                                                                        \
    TARGET static double dot(const float* a, const float* b, int64_t n) { return dot_body(a, b, n); }                  \
    TARGET static void widen(const float* a, int64_t n, double* out) { widen_body(a, n, out); }                        \
    TARGET static double dot_wide(const double* a, const double* b, int64_t n) { return dot_body(a, b, n); }           \
    TARGET static void subtract(const float* v, const float* x, float along, int64_t n, float* out) {                  \
      subtract_body(v, x, along, n, out);                                                                              \
    }                                                                                                                  \
  }

MLP_GIBBS_ROW_KERNELS(Portable, );
#if MLP_GIBBS_X86
MLP_GIBBS_ROW_KERNELS(Avx512, __attribute__((target("avx512f"))));
MLP_GIBBS_ROW_KERNELS(Avx2, __attribute__((target("avx2"))));
#endif

template <class Loops>
constexpr RowKernels TABLE{Loops::dot, Loops::widen, Loops::dot_wide, Loops::subtract};

RowKernels choose() {
#if MLP_GIBBS_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return TABLE<Avx512>;
  if (__builtin_cpu_supports("avx2")) return TABLE<Avx2>;
#endif
  return TABLE<Portable>;
}

}  // namespace

const RowKernels& row_kernels() {
  static const RowKernels chosen = choose();
  return chosen;
}

namespace {

// body(row) for every row of n numbers, in parallel where there is enough to do.
template <typename Body>
void for_each_row(int64_t n_rows, int64_t n, Body body) {
  at::parallel_for(0, n_rows, std::max<int64_t>(1, 32768 / std::max<int64_t>(n, 1)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

at::Tensor kinetic_energy(const at::Tensor& p) {
  check_dtype(p, "p", at::kFloat);
  TORCH_CHECK_VALUE(p.dim() == 3, "p must have shape (D, C, n), found ", p.sizes());
  const at::Tensor rows = p.contiguous();
  at::Tensor out = at::empty({p.size(0), p.size(1)}, p.options().dtype(at::kDouble));
  const float* from = rows.const_data_ptr<float>();
  double* to = out.mutable_data_ptr<double>();
  const int64_t n = p.size(2);
  const auto dot = row_kernels().dot;
  for_each_row(out.numel(), n, [&](int64_t row) { to[row] = 0.5 * dot(from + row * n, from + row * n, n); });
  return out;
}

at::Tensor project_tangent(const at::Tensor& x, const at::Tensor& v) {
  check_dtype(x, "x", at::kFloat);
  check_dtype(v, "v", at::kFloat);
  TORCH_CHECK_VALUE(x.dim() >= 1 && x.size(-1) > 0, "x must have shape (..., n) with n >= 1, found ", x.sizes());
  check_shape(v, "v", x.sizes());
  const at::Tensor xs = x.contiguous(), vs = v.contiguous();
  at::Tensor out = at::empty_like(vs);
  const float *from_x = xs.const_data_ptr<float>(), *from_v = vs.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  const int64_t n = x.size(-1);
  const RowKernels& k = row_kernels();
  for_each_row(x.numel() / n, n, [&](int64_t row) { k.project(from_x + row * n, from_v + row * n, n, to + row * n); });
  return out;
}

// Rows of `present` back into `proposal` where it was not taken: most are, so that little is moved.
void keep_rows_(at::Tensor& proposal, const at::Tensor& present, const at::Tensor& is_taken) {
  check_dtype(is_taken, "is_taken", at::kBool);
  TORCH_CHECK_VALUE(proposal.dim() == is_taken.dim() + 1 && proposal.sizes().slice(0, is_taken.dim()) == is_taken.sizes(),
                    "proposal must have the shape of is_taken ", is_taken.sizes(), " and one axis more, found ",
                    proposal.sizes());
  check_written(proposal, "proposal");
  check_dtype(present, "present", proposal.scalar_type());
  check_shape(present, "present", proposal.sizes());
  const at::Tensor mask = is_taken.contiguous(), from = present.contiguous();
  const bool* taken = mask.const_data_ptr<bool>();
  const auto* old = static_cast<const char*>(from.const_data_ptr());
  auto* to = static_cast<char*>(proposal.mutable_data_ptr());
  const int64_t n = proposal.size(-1);
  const auto bytes = static_cast<size_t>(n) * proposal.element_size();
  if (to == old) return;
  check_apart({written(proposal, "proposal"), read(from, "present"), read(mask, "is_taken")});
  for_each_row(mask.numel(), n, [&](int64_t row) {
    if (!taken[row]) std::memcpy(to + row * bytes, old + row * bytes, bytes);
  });
}

const double* numbers(const at::Tensor& t, const char* name, const at::Tensor& like) {
  check_dtype(t, name, at::kDouble);
  check_shape(t, name, like.sizes());
  TORCH_CHECK_VALUE(t.is_contiguous(), name, " must be contiguous");
  return t.const_data_ptr<double>();
}

at::Tensor energy_error(const at::Tensor& beta, const at::Tensor& energy, const at::Tensor& proposed,
                        const at::Tensor& kinetic_change) {
  const at::Tensor b = beta.contiguous(), e = energy.contiguous(), f = proposed.contiguous(), k = kinetic_change.contiguous();
  const double *of_b = numbers(b, "beta", b), *of_e = numbers(e, "energy", b), *of_f = numbers(f, "proposed", b),
               *of_k = numbers(k, "kinetic_change", b);
  at::Tensor out = at::empty_like(b);
  double* to = out.mutable_data_ptr<double>();
  for (int64_t i = 0; i < b.numel(); ++i) {
    to[i] = energy_error_of(of_b[i], of_e[i], of_f[i], of_k[i]);
  }
  return out;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> metropolis(const at::Tensor& u, const at::Tensor& energy_error) {
  const at::Tensor uniform = u.contiguous(), error = energy_error.contiguous();
  const double *from_u = numbers(uniform, "u", uniform), *from = numbers(error, "energy_error", uniform);
  TORCH_CHECK_VALUE(u.dim() == 2, "u must have shape (D, C), found ", u.sizes());
  at::Tensor statistics = at::empty({u.size(0), u.size(1), 4}, u.options());
  at::Tensor accepted = at::empty(u.sizes(), u.options().dtype(at::kBool)), nonfinite = at::empty_like(accepted);
  double* to = statistics.mutable_data_ptr<double>();
  bool *yes = accepted.mutable_data_ptr<bool>(), *bad = nonfinite.mutable_data_ptr<bool>();
  for (int64_t i = 0; i < error.numel(); ++i, to += 4) {
    yes[i] = metropolis_of(from_u[i], from[i], to);
    bad[i] = !std::isfinite(from[i]);
  }
  return {statistics, accepted, nonfinite};
}

TORCH_LIBRARY_IMPL(mlp_gibbs, CPU, m) {
  m.impl("energy_error", &energy_error);
  m.impl("metropolis", &metropolis);
  m.impl("kinetic_energy", &kinetic_energy);
  m.impl("project_tangent", &project_tangent);
  m.impl("keep_rows_", &keep_rows_);
}

}  // namespace
}  // namespace mlp_gibbs
