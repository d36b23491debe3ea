"""A copy of the repository in which one text is replaced, and the tests that run in it."""

import compileall
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

from tests.support.runs import ROOT

COPIED = ("mcmc", "tests", "cpp_ext", "docs", "runs", "benchmarks")
LINKED = ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "CHANGELOG.md", "Makefile", "constraints.txt")
TIMEOUT_S = 300.0


class MutantError(Exception):
    """The table does not fit the sources, or tests could not run: never a mutant that was caught."""


@dataclass(frozen=True)
class Failure:
    """A test that failed; `by_assertion` if it judged what it saw, and did not merely crash."""

    test: str
    by_assertion: bool
    message: str


@dataclass(frozen=True)
class Outcome:
    """What a run of tests came to.

    Attributes:
        passed:  number of tests.
        failed:  the first that failed, if any: the run stops there.
        seconds: of the whole run.
    """

    passed: int
    failed: tuple[Failure, ...]
    seconds: float
    timed_out: bool
    log: str = field(repr=False, default="")


class Server:
    """The forking process of `server.py`."""

    def __init__(self, folder: Path):
        self._folder = folder
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with open(folder / "server.err", "w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("server.py"))],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def close(self) -> None:
        """End the process."""
        self._process.kill()  # it keeps nothing
        self._process.wait()

    def run(
        self,
        folder: Path,
        tests: Sequence[str],
        *,
        environment: dict[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
        options: Sequence[str] = ("-x",),
    ) -> Outcome:
        """Run tests, by their node ids, with the packages `mcmc` and `tests` of a folder."""
        result = self._folder / "result.json"
        request: dict[str, Any] = {
            "folder": str(folder),
            "arguments": ["-q", "--no-header", *options, *tests],
            "environment": environment or {},
            "result": str(result),
            "timeout_s": timeout_s,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise MutantError(f"the server of tests ended: {(self._folder / 'server.err').read_text()[-1000:]}")
        found = json.loads(answer)
        log = result.with_suffix(".log").read_text(errors="replace")
        if found["status"] and not (found["timed_out"] or found["failed"]):
            raise MutantError(f"pytest ended with status {found['status']}: {log[-2000:]}")
        failed = tuple(Failure(**failure) for failure in found["failed"])
        return Outcome(found["passed"], failed, found["seconds"], found["timed_out"], log)


class Sandbox:
    """A copy of the packages, without the compiled extension."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__", "*.so", "results")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in LINKED:
            (folder / name).symlink_to(ROOT / name)
        # by hash: a replacement in the same second may keep time and length
        for name in ("mcmc", "tests"):
            compileall.compile_dir(folder / name, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)

    def replace(self, file: str, original: str, replacement: str) -> None:
        """Replace the one place of a file that reads so.

        Raises:
            MutantError: it is not there, or more than once.
        """
        path = self.folder / file
        text = path.read_text()
        if text.count(original) != 1:
            raise MutantError(f"{file} must hold once, found {text.count(original)} times: {original!r}")
        path.write_text(text.replace(original, replacement))

    @contextmanager
    def extension(self, library: Path | None) -> Iterator[None]:
        """The compiled extension for a while, or none."""
        here = self.folder / "mcmc" / (library.name if library else "_C.py")
        if library:
            here.symlink_to(library)
        else:  # a missing module would be looked for in the package that is installed
            here.write_text('raise ImportError("hidden")\n')
        try:
            yield
        finally:
            here.unlink()

    def restore(self, file: str) -> None:
        """The file as it is in the repository."""
        shutil.copyfile(ROOT / file, self.folder / file)
