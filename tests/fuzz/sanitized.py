"""The build of the extension with AddressSanitizer and UndefinedBehaviorSanitizer, and processes that load it.

As a plugin of pytest (`-p tests.fuzz.sanitized`) it puts that build in the place of the package's own.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # nothing of the package is imported here: it would load its own build
BUILD = ROOT / "build/sanitized"


def library() -> Path | None:
    """The shared library, None if it was not built."""
    return next(iter(sorted((BUILD / "mcmc").glob("_C*.so"))), None)


def build() -> Path:
    """Builds it, where its sources are newer: minutes."""
    environment = {**os.environ, "MLP_GIBBS_SANITIZE": "1", "MLP_GIBBS_CUDA": "0"}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(BUILD)]
    subprocess.run([*command, "--build-temp", str(BUILD) + "-objects"], cwd=ROOT, env=environment, check=True)
    found = library()
    assert found is not None
    return found


def environment(*, leaks: bool = False) -> dict[str, str]:
    """Of a process that loads it: the sanitizer first of all libraries, and that of C++ beside it for exceptions."""
    compiler = os.environ.get("CXX", "c++").split()[0]
    paths = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    # Python and torch keep much until the end: leaks are looked for where they are asked for
    options = f"detect_leaks={int(leaks)}:allocator_may_return_null=1:max_allocation_size_mb=4096"
    more = {"ASAN_OPTIONS": options, "UBSAN_OPTIONS": "print_stacktrace=1", "LSAN_OPTIONS": "max_leaks=1"}
    return {**os.environ, **more, "LD_PRELOAD": ":".join(paths), "OMP_NUM_THREADS": "2"}


def pytest_load_initial_conftests() -> None:
    """Loads it before anything imports the package."""
    from tests.fuzz.call_operators import load

    load(str(library()))
