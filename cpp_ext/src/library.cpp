// The operators' schemas, and the Python module `mcmc._C` whose import registers them.
#include <Python.h>
#include <torch/library.h>

#include "../mlp/kernels.h"
#include "blocks.h"

TORCH_LIBRARY(mlp_gibbs, m) {
  m.def("philox4x32(Tensor counter, Tensor key) -> Tensor");
  m.def("philox_uniform(int seed, int purpose, Tensor network, Tensor chain, int step, int n) -> Tensor");
  m.def(
      "philox_normal(int seed, int purpose, Tensor network, Tensor chain, int step, int n, ScalarType dtype) -> Tensor");
  m.def("philox_uniform_at(int seed, int purpose, Tensor network, Tensor chain, Tensor step, int n) -> Tensor");
  m.def(
      "philox_normal_at(int seed, int purpose, Tensor network, Tensor chain, Tensor step, int n, ScalarType dtype) -> "
      "Tensor");
  m.def(
      "deo_swap_(Tensor u, Tensor energy, Tensor beta, int parity, Tensor(a!) slot_of_temp, Tensor(b!) temp_of_slot, "
      "Tensor(c!) accept_sum, Tensor(d!) swap_count, Tensor(e!) direction, Tensor(f!) round_trips) -> ()");
  m.def(
      "count_and_swap_(Tensor statistics, Tensor energy, Tensor beta, int seed, int purpose, Tensor network, "
      "Tensor replica, int step, int parity, Tensor(a!) slot_of_temp, Tensor(b!) temp_of_slot, Tensor(c!) accept_sum, "
      "Tensor(d!) swap_count, Tensor(e!) direction, Tensor(f!) round_trips, Tensor(g!) sums) -> Tensor");
  m.def(
      "overlap_accumulate_(Tensor overlap, float lower, float upper, Tensor(a!) histogram, Tensor(b!) moment_sum) -> ()");
#define MLP_GIBBS_NETWORKS                                                                                             \
  "int[] widths, Tensor[] forward, Tensor[] backward, Tensor[] for_energy, Tensor?[] biases, Tensor readout, "        \
  "str activation, float[] parameters, str forces, str engine"
  m.def("energy_error(Tensor beta, Tensor energy, Tensor proposed, Tensor kinetic_change) -> Tensor");
  m.def("metropolis(Tensor u, Tensor energy_error) -> (Tensor statistics, Tensor is_accepted, Tensor is_nonfinite)");
  m.def("kinetic_energy(Tensor p) -> Tensor");
  m.def("project_tangent(Tensor x, Tensor v) -> Tensor");
  m.def("keep_rows_(Tensor(a!) proposal, Tensor present, Tensor is_taken) -> ()");
  m.def("fma_loop(int iterations, str engine) -> float");
  m.def("pack_mlp(Tensor weight, bool transposed, int parts, str engine) -> Tensor");
  m.def("energy_and_grad_mlp(Tensor x, bool with_grad, " MLP_GIBBS_NETWORKS ") -> (Tensor energy, Tensor grad)");
  m.def("overlaps_mlp(Tensor x, float[] variances, " MLP_GIBBS_NETWORKS
        ") -> (Tensor between, Tensor within, Tensor excess, Tensor response)");
  m.def("leapfrog_mlp(Tensor x, Tensor p, Tensor grad, Tensor? fresh, Tensor beta, Tensor step_size, Tensor n_leapfrog, "
        "int reproject_every, " MLP_GIBBS_NETWORKS
        ") -> (Tensor x, Tensor p, Tensor grad, Tensor energy, Tensor kinetic_change)");
  m.def("hmc_mlp(Tensor x, Tensor energy, Tensor grad, Tensor? fresh, Tensor beta, Tensor step_size, Tensor n_leapfrog, "
        "int reproject_every, float jitter, int seed, int[] purposes, Tensor network, Tensor chain, int step, "
        MLP_GIBBS_NETWORKS
        ") -> (Tensor x, Tensor energy, Tensor grad, Tensor statistics, Tensor is_accepted, Tensor is_nonfinite)");
  m.def("sweeps_mlp_(Tensor(a!) x, Tensor(b!) energy, Tensor(c!) grad, Tensor beta, Tensor step_size, Tensor n_leapfrog, "
        "int reproject_every, float jitter, int seed, int[] purposes, Tensor network, Tensor chain, Tensor replica, "
        "int first_sweep, int n_sweeps, int steps_per_sweep, bool is_exchanging, Tensor(d!) slot_of_temp, "
        "Tensor(e!) temp_of_slot, Tensor(f!) accept_sum, Tensor(g!) swap_count, Tensor(h!) direction, "
        "Tensor(i!) round_trips, Tensor(j!) sums, Tensor(k!) nonfinite_step, Tensor(l!) nonfinite_beta, int until_draw, "
        "int draw_every, bool with_overlaps, float[] variances, Tensor[] backward_float32, " MLP_GIBBS_NETWORKS
        ") -> (Tensor statistics, Tensor energy_drawn, Tensor between, Tensor within, Tensor excess, Tensor response)");
}

namespace {

// Torch (2.13) passes a negated or conjugated view to an operator as a copy, and fails where that is written to and not
// returned: with an assertion of its own, which can end the process.
void refuse_view(const c10::OperatorHandle& op, torch::jit::Stack*) {
  TORCH_CHECK_VALUE(false, op.schema().name(), " writes in place and takes no negated or conjugated view; pass the "
                    "tensors after resolve_neg() and resolve_conj()");
}

void refuse_views(torch::Library& m) {
  for (const char* name : {"deo_swap_", "count_and_swap_", "overlap_accumulate_", "keep_rows_", "sweeps_mlp_"}) {
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&refuse_view>());
  }
}

TORCH_LIBRARY_IMPL(mlp_gibbs, Negative, m) { refuse_views(m); }
TORCH_LIBRARY_IMPL(mlp_gibbs, Conjugate, m) { refuse_views(m); }

PyObject* simd(PyObject*, PyObject*) { return PyUnicode_FromString(mlp_gibbs::block_kernels().name); }

PyObject* engines(PyObject*, PyObject*) {
  int n = 0;
  while (mlp_gibbs::mlp_kernels(n) != nullptr) ++n;
  PyObject* names = PyTuple_New(n);
  for (int i = 0; names != nullptr && i < n; ++i) {
    PyTuple_SET_ITEM(names, i, PyUnicode_FromString(mlp_gibbs::mlp_kernels(i)->name));
  }
  return names;
}

PyMethodDef METHODS[] = {
    {"engines", engines, METH_NOARGS, "The fused kernels that this processor runs, best first."},
    {"simd", simd, METH_NOARGS, "The instruction set that the CPU streams use: avx512, avx2 or portable."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_C", "Operators of torch.ops.mlp_gibbs.", -1, METHODS, nullptr, nullptr,
                      nullptr, nullptr};

}  // namespace

// Raised with every change of a schema; mcmc/native.py compares it, so that an old build is told from a broken one.
constexpr int INTERFACE = 8;

PyMODINIT_FUNC PyInit__C() {
  PyObject* module = PyModule_Create(&MODULE);
  if (module == nullptr) return nullptr;
#ifdef MLP_GIBBS_CUDA
  const int has_cuda = 1;
#else
  const int has_cuda = 0;
#endif
  if (PyModule_AddIntConstant(module, "has_cuda", has_cuda) < 0 ||
      PyModule_AddIntConstant(module, "interface", INTERFACE) < 0) {
    Py_DECREF(module);
    return nullptr;
  }
  return module;
}
