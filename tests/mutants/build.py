"""The mutants of the compiled operators: one extension with all of them, of which the environment switches one on.

Every expression becomes `(mlp_gibbs_mutant == k ? (mutated) : (original))` in a copy of the sources, so that a single
build, the dear part, serves them all. The sources of the repository hold no such switch.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.sandbox import MutantError
from tests.mutants.table.mutant import Mutant
from tests.support.runs import ROOT

SWITCH = "MLP_GIBBS_MUTANT"
DECLARATION = '#pragma once\nextern __attribute__((visibility("hidden"))) const int mlp_gibbs_mutant;\n'
DEFINITION = f"""#include "mutant.h"
#include <cstdlib>
static int asked() {{
  const char* number = std::getenv("{SWITCH}");
  return number == nullptr ? 0 : std::atoi(number);
}}
const int mlp_gibbs_mutant = asked();
"""


def switched(text: str, mutants: Sequence[tuple[int, Mutant]], header: str) -> str:
    """A source with the numbered mutants in it.

    Raises:
        MutantError: a place is not there once.
    """
    for number, mutant in mutants:
        if text.count(mutant.original) != 1:
            found = text.count(mutant.original)
            raise MutantError(f"{mutant.file} must hold once, found {found} times: {mutant.original!r}")
        choice = f"(mlp_gibbs_mutant == {number} ? ({mutant.replacement}) : ({mutant.original}))"
        text = text.replace(mutant.original, choice)
    return f'#include "{header}"\n{text}'


def build_mutants(mutants: Sequence[Mutant], folder: Path) -> Path:
    """Compile the extension with all the mutants; number i + 1 in MLP_GIBBS_MUTANT switches mutants[i] on, 0 none.

    Returns:
        the shared library.
    """
    shutil.copytree(ROOT / "cpp_ext", folder / "cpp_ext")
    shutil.copyfile(ROOT / "setup.py", folder / "setup.py")
    source = folder / "cpp_ext" / "src"
    (source / "mutant.h").write_text(DECLARATION)
    (source / "mutant.cpp").write_text(DEFINITION)
    by_file: dict[str, list[tuple[int, Mutant]]] = defaultdict(list)
    for number, mutant in enumerate(mutants, start=1):
        by_file[mutant.file].append((number, mutant))
    for file, numbered in by_file.items():
        path = folder / file
        path.write_text(switched(path.read_text(), numbered, str(source / "mutant.h")))
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--build-lib", "out", "--build-temp", "work"],
        cwd=folder,
        env={**os.environ, "MLP_GIBBS_CUDA": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    libraries = list((folder / "out" / "mcmc").glob("_C*.so"))
    if done.returncode or len(libraries) != 1:
        raise MutantError(f"the extension of the mutants was not built: {done.stdout[-3000:]}{done.stderr[-2000:]}")
    return libraries[0]
