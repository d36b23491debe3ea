"""The extension under AddressSanitizer and UndefinedBehaviorSanitizer.

Its build takes minutes, so `make fuzz` alone does this; the short form calls the operators of the ordinary build.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from mcmc import native
from tests.fuzz import sanitized
from tests.fuzz.conftest import IS_FULL
from tests.fuzz.test_operators import call_all
from tests.support.runs import ROOT

pytestmark = [
    pytest.mark.skipif(native.BACKEND == "reference", reason=f"no operators here: {native.extension_error}"),
    pytest.mark.skipif(not IS_FULL, reason="needs a build of minutes: make fuzz"),
]
N_CASES = 10_000
FAULTS = {  # operator, its arguments, what is said of it
    "read_past_the_end": ("(torch.zeros(4, dtype=torch.float64))", "heap-buffer-overflow"),
    "write_before_the_beginning": ("(torch.zeros(4, dtype=torch.float64))", "heap-buffer-overflow"),
    "leak": ("(200_000_000)", "LeakSanitizer: detected memory leaks"),
    "shift": ("(70)", "shift exponent 70 is too large"),
}


@pytest.fixture(scope="module")
def library():
    return str(sanitized.build())


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """The faulty operators, with the flags of the build."""
    import torch.utils.cpp_extension as extension

    path = tmp_path_factory.mktemp("leaky") / "leaky.so"
    includes = [f"-I{include}" for include in extension.include_paths()]
    flags = ["-O1", "-g1", "-fPIC", "-shared", "-std=c++20", "-fsanitize=address,undefined", "-fno-sanitize=vptr"]
    flags += ["-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
    libraries = [f"-L{folder}" for folder in extension.library_paths()] + ["-lc10", "-ltorch_cpu", "-ltorch"]
    source = Path(__file__).with_name("leaky.cpp")
    subprocess.run(["c++", *flags, *includes, str(source), *libraries, "-o", str(path)], check=True)
    return path


def test_any_arguments(tally, seed, library, tmp_path):
    counts = call_all(tmp_path, library, seed, N_CASES, **sanitized.environment())
    for outcome, count in counts.items():
        for _ in range(count):
            tally("arguments of an operator, sanitized", lambda outcome=outcome: outcome)


def test_tests_of_the_operators(library):
    arguments = ["-m", "pytest", "-q", "-p", "tests.fuzz.sanitized", "-p", "no:cacheprovider", "tests/cpp_ext"]
    # those that compile or start processes of their own say nothing about this build
    leave_out = ["test_build.py", "test_cuda_compiles.py", "test_cuda_on_host.py", "test_cuda_device.py"]
    arguments += [f"--ignore=tests/cpp_ext/{name}" for name in leave_out]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**sanitized.environment(), "MLP_GIBBS_FUZZ": "short"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_operator_is_caught(tally, leaky, name):
    arguments, words = FAULTS[name]
    code = f"import torch; torch.ops.load_library({str(leaky)!r}); torch.ops.mlp_gibbs_leaky.{name}{arguments}"
    environment = sanitized.environment(leaks=name == "leak")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert words in done.stderr
    if name == "leak":
        assert "leaky.cpp" in done.stderr  # the largest of all, not one of those of Python and torch
    tally("faulty operator", lambda: "caught")
