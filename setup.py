"""Builds the extension `mcmc._C` from `cpp_ext/`; everything else about the package is in setup.cfg.

The build runs against the torch that is installed: `pip install --no-build-isolation .` (`make setup` does that).
CUDA kernels are built when torch was built for CUDA and nvcc is there; MLP_GIBBS_CUDA=0 or 1 overrides that.
MLP_GIBBS_SANITIZE=1 builds with AddressSanitizer and UndefinedBehaviorSanitizer, as `make fuzz` does, with AMX tiles in
plain C++, whose reads and writes they see
"""

import os
import shutil
import sys
from pathlib import Path

from setuptools import setup

try:
    import torch
    from torch.utils.cpp_extension import CUDA_HOME, BuildExtension, CppExtension, CUDAExtension
except ImportError as error:
    raise SystemExit(
        "mlp-gibbs compiles against the installed torch, and none is importable here. Install torch >= 2.11 first, "
        "then run `pip install --no-build-isolation .`"
    ) from error

# -ffp-contract=off and -fmad=false: a fused multiply-add rounds once where the reference rounds twice, and the
# decisions of the samplers must be the same bits on every machine. -g0: Python's own flags ask for debug symbols.
CXX_FLAGS = ["-O3", "-g0", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
# without it at::parallel_for runs on one thread and says nothing; torch's own libgomp is the one that is loaded
OPENMP_FLAGS = ["-fopenmp"] if sys.platform == "linux" and torch.backends.openmp.is_available() else []
# vptr needs the type information of torch's own classes, which its libraries keep to themselves
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize=vptr", "-fno-sanitize-recover=undefined"]
if os.environ.get("MLP_GIBBS_SANITIZE") == "1":
    CXX_FLAGS = [*CXX_FLAGS, "-O1", "-g1", "-fno-omit-frame-pointer", "-DMLP_GIBBS_EMULATED_TILES", *SANITIZE]
    OPENMP_FLAGS = [*OPENMP_FLAGS, *SANITIZE]
NVCC_FLAGS = ["-O3", "-fmad=false", "-lineinfo"]


def wants_cuda() -> bool:
    """Whether the CUDA kernels are built, from MLP_GIBBS_CUDA or else from what is installed."""
    asked = os.environ.get("MLP_GIBBS_CUDA")
    if asked not in (None, "", "0", "1"):
        raise SystemExit(f"MLP_GIBBS_CUDA must be 0 or 1, found {asked!r}")
    if asked == "1" and torch.version.cuda is None:
        raise SystemExit(f"MLP_GIBBS_CUDA=1, but torch {torch.__version__} has no CUDA: install one that has")
    has_nvcc = CUDA_HOME is not None and shutil.which("nvcc", path=os.path.join(CUDA_HOME, "bin")) is not None
    if asked == "1" and not has_nvcc:
        raise SystemExit("MLP_GIBBS_CUDA=1, but nvcc was not found: put it on PATH, or set CUDA_HOME")
    if asked:
        return asked == "1"
    return torch.version.cuda is not None and has_nvcc


class Build(BuildExtension):
    """BuildExtension that stops with one sentence when there is no C++ compiler, instead of a page of output."""

    def build_extensions(self) -> None:
        compiler = os.environ.get("CXX", "c++").split()[0]
        if shutil.which(compiler) is None:
            raise SystemExit(
                f"mlp-gibbs needs a C++ compiler to build mcmc._C, and {compiler!r} is not on PATH. Install g++ or "
                "clang++ (for example `apt install g++`), or set CXX."
            )
        super().build_extensions()


def extension():
    """The one extension module, with or without its CUDA half."""
    root = Path("cpp_ext")
    # whatever is built here, a source distribution carries all of it
    everything = [str(path) for path in sorted(root.glob("*/*")) if path.suffix in (".h", ".cuh", ".cu", ".cpp")]
    cpu = [
        str(path)
        for pattern in ("src/*.cpp", "mlp/*.cpp")
        for path in sorted(root.glob(pattern))
        if not path.stem.endswith("_cuda")
    ]
    if not wants_cuda():
        return CppExtension(
            "mcmc._C",
            cpu,
            depends=everything,
            extra_compile_args={"cxx": CXX_FLAGS + OPENMP_FLAGS},
            extra_link_args=OPENMP_FLAGS,
        )
    cuda = [str(path) for pattern in ("src/*_cuda.cpp", "cuda/*.cu") for path in sorted(root.glob(pattern))]
    return CUDAExtension(
        "mcmc._C",
        cpu + cuda,
        depends=everything,
        define_macros=[("MLP_GIBBS_CUDA", None)],
        extra_compile_args={"cxx": CXX_FLAGS + OPENMP_FLAGS, "nvcc": NVCC_FLAGS},
        extra_link_args=OPENMP_FLAGS,
    )


setup(ext_modules=[extension()], cmdclass={"build_ext": Build})
