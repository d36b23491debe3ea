"""The compiled part: there, announced once when not, and the same numbers whatever instructions it uses."""

import hashlib
import os
import subprocess
import sys
import time

import pytest
import torch

from mcmc import native
from mcmc.rng import Purpose, Streams

DIGEST = """
import hashlib, torch
from mcmc.rng import Purpose, Streams
from mcmc import native
s = Streams.of(99, range(3), range(70))
numbers = [s.normal(Purpose.TEST, 5, n) for n in (1, 3, 4, 101, 256)]
numbers += [s.uniform(Purpose.TEST, 5, n) for n in (1, 2, 33)]
digest = hashlib.sha256(b"".join(t.numpy().tobytes() for t in numbers)).hexdigest()
print(native.description()["backend"], native.description()["simd"], digest)
"""
WITHOUT_EXTENSION = "import sys; sys.modules['mcmc._C'] = None\n"


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Runs code in a fresh interpreter, one thread, warnings shown."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_extension_is_built():
    """The test environment builds it; a run without it is legitimate, an untested extension is not."""
    assert native.BACKEND == "extension", f"{native.extension_error}; run `make setup`"
    assert native.extension_error is None


def test_importing_the_package_does_not_import_torch():
    assert python("import mcmc, sys; print('torch' in sys.modules)").stdout.strip() == "False"


def test_missing_extension_is_announced_once_and_changes_no_number():
    twice = "import mcmc.native, mcmc.rng, mcmc.exchange.ops, mcmc.native\n"
    done = python(WITHOUT_EXTENSION + twice + DIGEST)
    assert done.stderr.count("RuntimeWarning") == 1
    assert "make setup" in done.stderr
    backend, simd, digest = done.stdout.split()
    assert (backend, simd) == ("reference", "None")
    assert digest == python(DIGEST).stdout.split()[2]


def test_extension_of_other_sources_is_told_from_a_broken_one():
    stale = "import sys, types; sys.modules['mcmc._C'] = types.ModuleType('mcmc._C')\n"
    done = python(stale + "from mcmc import native; print(native.BACKEND)")
    assert done.stdout.split() == ["reference"]
    assert f"built from other sources: its interface is number 1, expected {native.INTERFACE}" in done.stderr
    assert "Run `make setup`" in done.stderr


@pytest.mark.skipif(native.BACKEND == "reference", reason="no extension")
def test_interface_number_changes_with_the_schemas():
    """When this fails, raise INTERFACE in mcmc/native.py and in cpp_ext/src/library.cpp, and write both here."""
    ours = [s for s in torch._C._jit_get_all_schemas() if s.name.startswith("mlp_gibbs::")]
    digest = hashlib.sha256("\n".join(sorted(map(str, ours))).encode()).hexdigest()[:16]
    assert (native.INTERFACE, digest) == (8, "a10087700575cae4")


@pytest.mark.skipif(native.BACKEND == "reference", reason="no extension")
def test_every_instruction_set_gives_the_same_bits():
    """Also "scalar", one block at a time: the path of a CUDA thread."""
    outcomes = {
        asked: python(DIGEST, MLP_GIBBS_SIMD=asked).stdout.split() for asked in ("avx512", "avx2", "portable", "scalar")
    }
    used = {asked: simd for asked, (_, simd, _) in outcomes.items()}
    assert used["portable"] == "portable"
    assert used["scalar"] == "scalar"
    assert len({digest for _, _, digest in outcomes.values()}) == 1, outcomes


@pytest.mark.skipif(native.BACKEND == "reference" or not torch.backends.openmp.is_available(), reason="no threads")
def test_threads_are_used():
    """An extension built without OpenMP runs on one thread and says nothing: the work of the others must show."""
    streams, before = Streams.of(1, range(64), range(256)), torch.get_num_threads()
    shares = {}
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            streams.normal(Purpose.TEST, 0, 256)
            process, thread = time.process_time(), time.thread_time()
            for step in range(5):
                streams.normal(Purpose.TEST, step, 256)
            shares[n_threads] = (time.thread_time() - thread) / (time.process_time() - process)
    finally:
        torch.set_num_threads(before)
    assert shares[1] > 0.95
    assert shares[2] < 0.7


def test_description_is_what_a_run_file_needs():
    assert set(native.description()) == {
        *("backend", "cuda_kernels", "simd", "engine", "products", "extension_error"),
    }


def test_device_without_kernels_is_announced_once(monkeypatch):
    monkeypatch.setattr(native, "_has_cuda", False)
    monkeypatch.setattr(native, "BACKEND", "extension")
    monkeypatch.setattr(native, "_announced_devices", set())
    with pytest.warns(RuntimeWarning, match="without kernels for 'cuda'"):
        assert native.backend_for(torch.device("cuda:0")) == "reference"
    assert native.backend_for(torch.device("cuda:1")) == "reference"  # pytest would fail on a second warning
    assert native.backend_for(torch.device("cpu")) == "extension"
