// The operators' schemas, and the Python module `mcmc._C` whose import registers them.
#include <Python.h>
#include <torch/library.h>

#include "blocks.h"

TORCH_LIBRARY(mlp_gibbs, m) {
  m.def("philox4x32(Tensor counter, Tensor key) -> Tensor");
  m.def("philox_uniform(int seed, int purpose, Tensor network, Tensor chain, int step, int n) -> Tensor");
  m.def(
      "philox_normal(int seed, int purpose, Tensor network, Tensor chain, int step, int n, ScalarType dtype) -> Tensor");
  m.def(
      "deo_swap_(Tensor u, Tensor energy, Tensor beta, int parity, Tensor(a!) slot_of_temp, Tensor(b!) temp_of_slot, "
      "Tensor(c!) accept_sum, Tensor(d!) swap_count, Tensor(e!) direction, Tensor(f!) round_trips) -> ()");
  m.def(
      "overlap_accumulate_(Tensor overlap, float lower, float upper, Tensor(a!) histogram, Tensor(b!) moment_sum) -> ()");
}

namespace {

PyObject* simd(PyObject*, PyObject*) { return PyUnicode_FromString(mlp_gibbs::block_kernels().name); }

PyMethodDef METHODS[] = {
    {"simd", simd, METH_NOARGS, "The instruction set that the CPU streams use: avx512, avx2 or portable."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_C", "Operators of torch.ops.mlp_gibbs.", -1, METHODS, nullptr, nullptr,
                      nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__C() {
  PyObject* module = PyModule_Create(&MODULE);
  if (module == nullptr) return nullptr;
#ifdef MLP_GIBBS_CUDA
  const int has_cuda = 1;
#else
  const int has_cuda = 0;
#endif
  if (PyModule_AddIntConstant(module, "has_cuda", has_cuda) < 0) {
    Py_DECREF(module);
    return nullptr;
  }
  return module;
}
