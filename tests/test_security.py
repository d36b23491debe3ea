"""What SECURITY.md promises of the sources: nothing in the package can run what it reads."""

import ast
from pathlib import Path

import pytest

import mcmc

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "yaml", "ruamel", "joblib"}


def faults(source: str) -> list[str]:
    """Lines of a module that could run or unpickle what they read."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [f"import {name}" for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                found.append(node.func.id)
            is_torch_load = ast.unparse(node.func) in ("torch.load", "torch.save")
            found += ["torch.load"] if is_torch_load else []
            found += [
                "allow_pickle"
                for keyword in node.keywords
                if keyword.arg == "allow_pickle" and getattr(keyword.value, "value", None) is not False
            ]
            if ast.unparse(node.func) in ("np.load", "numpy.load"):
                found += [] if any(keyword.arg == "allow_pickle" for keyword in node.keywords) else ["np.load"]
            is_shell = any(k.arg == "shell" and getattr(k.value, "value", None) is True for k in node.keywords)
            found += ["shell=True"] if is_shell else []
    return found


@pytest.mark.parametrize("path", sorted(Path(mcmc.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_nothing_that_is_read_is_run(path):
    assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from yaml import load",
        "eval(x)",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "torch.load(f)",
    ],
)
def test_the_check_can_fail(source):
    assert faults(source)
