"""The CUDA half without a GPU: it compiles, and keeps every rounding of the definition."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
CUDA_SOURCES = sorted((ROOT / "cpp_ext" / "cuda").glob("*.cu"))
LAUNCHERS = sorted((ROOT / "cpp_ext" / "src").glob("*_cuda.cpp"))
NVCC = shutil.which("nvcc")
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="nvcc is not on PATH: the CUDA kernels were not compiled")


def nvcc_flags() -> list[str]:
    """The flags that setup.py gives nvcc, read from its text: importing it would build."""
    text = (ROOT / "setup.py").read_text()
    return re.findall(r'"([^"]+)"', re.search(r"NVCC_FLAGS = \[(.*?)\]", text, re.S)[1])


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    assert "warning" not in done.stderr, done.stderr


def test_sources_are_found():
    assert {path.name for path in CUDA_SOURCES} == {"philox.cu", "exchange.cu"}
    assert {path.name for path in LAUNCHERS} == {"philox_cuda.cpp", "exchange_cuda.cpp"}


@needs_nvcc
@pytest.mark.parametrize("source", CUDA_SOURCES, ids=lambda path: path.name)
def test_kernels_compile_for_hopper(source, tmp_path):
    target = tmp_path / "kernel.o"
    run([NVCC, "-c", "-arch=sm_90", "-std=c++20", *nvcc_flags(), str(source), "-o", str(target)])
    assert target.stat().st_size > 0


@needs_nvcc
@pytest.mark.parametrize("source", CUDA_SOURCES, ids=lambda path: path.name)
def test_no_rounding_is_fused_away(source, tmp_path):
    """In the PTX: no fused multiply-add, no approximate division, root or function, only IEEE ones."""
    target = tmp_path / "kernel.ptx"
    run([NVCC, "-ptx", "-arch=sm_90", "-std=c++20", *nvcc_flags(), str(source), "-o", str(target)])
    instructions = re.findall(r"^\s+(?:@\S+\s+)?([a-z][a-z0-9._]*)\s", target.read_text(), re.M)
    floating = {name for name in instructions if re.search(r"\.f(32|64)$", name) and "." in name}
    assert any(name == "mul.rn.f64" for name in floating), "the pattern found no arithmetic"
    assert not {name for name in floating if name.startswith(("fma", "mad")) or ".approx" in name}
    allowed = {"add", "sub", "mul", "div", "sqrt", "neg", "selp", "setp", "mov", "ld", "st", "cvt"}
    assert {name.split(".")[0] for name in floating} <= allowed


@pytest.mark.parametrize(
    "source", CUDA_SOURCES + sorted((ROOT / "cpp_ext" / "cuda").glob("*.*h")), ids=lambda p: p.name
)
def test_kernels_know_nothing_of_torch(source):
    includes = re.findall(r"#include\s+[<\"](.+?)[>\"]", source.read_text())
    assert not [name for name in includes if re.match(r"torch|ATen|c10|Python", name)]


@needs_nvcc
def test_launchers_are_valid_against_the_torch_headers(tmp_path):
    """Syntax and types only: a torch without CUDA has the headers but not the libraries."""
    compiler = shutil.which("g++") or shutil.which("c++")
    cuda_include = Path(nvcc_home()) / "include"
    torch_include = Path(torch.__file__).parent / "include"
    if compiler is None or not (cuda_include / "cuda_runtime_api.h").exists():
        pytest.skip(f"no C++ compiler, or no CUDA headers in {cuda_include}")
    both = tmp_path / "launchers.cpp"  # one file, because the torch headers take most of the time
    both.write_text("".join(f'#include "{path}"\n' for path in LAUNCHERS))
    flags = ["-fsyntax-only", "-std=c++20", "-DC10_USING_CUSTOM_GENERATED_MACROS"]
    includes = [torch_include, torch_include / "torch/csrc/api/include", cuda_include]
    run([compiler, *flags, *(f"-isystem{path}" for path in includes), str(both)])


def nvcc_home() -> str:
    """The toolkit that nvcc belongs to, by its own account (nvcc on PATH may be a wrapper)."""
    done = subprocess.run([NVCC, "--dryrun", "-c", "x.cu"], capture_output=True, text=True, check=False)
    match = re.search(r"^#\$ TOP=(.+)$", done.stderr, re.M)
    return str(Path(match[1]).resolve()) if match else ""
