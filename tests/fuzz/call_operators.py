"""Calls every operator of the extension with arguments that it should refuse or serve, and says what came of it.

Run as a process: `python -m tests.fuzz.call_operators LIBRARY SEED FIRST LAST PROGRESS` makes LAST - FIRST calls,
writes each case to PROGRESS before it is tried, and prints counts. What kills the process is then known by its number.
"""

import importlib.machinery
import importlib.util
import json
import random
import resource
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.fuzz.wrong_arguments import changed, share_memory

Arguments = dict[str, Any]
SECONDS = 30  # of processor time for one case, after which the system ends the process
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, MemoryError, NotImplementedError)
# refusals that come when some of the ladders are done already, as their messages say
LATE = "a slot outside"
MAX_COMPARED = 2**22  # numbers of an answer


def load(library: str) -> None:
    """Registers the operators of a build of the extension, that of the package for an empty name."""
    if library:
        loader = importlib.machinery.ExtensionFileLoader("mcmc._C", library)
        spec = importlib.util.spec_from_file_location("mcmc._C", library, loader=loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
        sys.modules["mcmc._C"] = module
    from mcmc import native

    assert native.BACKEND == "extension", native.extension_error


def registered() -> list[str]:
    """Names of all operators, as torch knows them."""
    names = torch._C._dispatch_get_all_op_names()
    return sorted(name.split("::")[1] for name in names if name.startswith("mlp_gibbs::"))


def schema(name: str) -> Any:
    return torch._C._get_schema(f"mlp_gibbs::{name}", "")


def case(number: int, seed: int) -> tuple[str, Arguments]:
    """Operator and arguments of a case, a function of its number."""
    from tests.fuzz import operators  # the operators are loaded first

    rng = random.Random(f"{seed} {number}")
    torch.manual_seed(rng.randrange(2**31))
    names = sorted(operators.RIGHT)
    name = names[number % len(names)]
    arguments = operators.RIGHT[name](rng)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        which = rng.choice(sorted(arguments))
        arguments[which] = changed(arguments[which], rng)
    if rng.random() < 0.15:
        share_memory(arguments, rng)
    return name, arguments


def _size(value: Any) -> int:
    if isinstance(value, (tuple, list)):
        return sum(_size(entry) for entry in value)
    return value.numel() if isinstance(value, Tensor) else 0


def plain(value: Any) -> Any:
    """The same numbers in memory of their own, one after the other."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if not isinstance(value, Tensor):
        return value
    return value.detach().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)


def same(a: Any, b: Any) -> bool:
    """The same bits, any NaN being as good as another."""
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(_bits(a), _bits(b))
    return a == b


def _bits(t: Tensor) -> Tensor:
    return torch.nan_to_num(t.detach().resolve_neg(), nan=12345.0) if t.is_floating_point() else t.detach()


def outcome(name: str, arguments: Arguments) -> str:
    """ "valid", "refused in words", or what is wrong."""
    written = [a.name for a in schema(name).arguments if a.alias_info is not None and a.alias_info.is_write]
    op = getattr(torch.ops.mlp_gibbs, name)
    tensors = [t for value in arguments.values() for t in (value if isinstance(value, list) else [value])]
    tensors = [t for t in tensors if isinstance(t, Tensor)]
    is_meta = any(t.device.type == "meta" for t in tensors)
    before: Arguments = {}
    if not is_meta and all(t.layout == torch.strided and not t.is_quantized and t.numel() < 2**24 for t in tensors):
        before = {key: plain(value) for key, value in arguments.items()}
    try:
        found = op(**arguments)
    except REFUSALS as error:
        message = str(error)
        if "INTERNAL ASSERT" in message:
            return f"internal assertion: {message[:200]}"
        if LATE not in message and not all(
            same(plain(arguments[key]), before[key]) for key in written if key in before
        ):
            return f"refused after writing: {message[:200]}"
        return "refused in words"
    if is_meta or not before or name == "fma_loop" or _size(found) > MAX_COMPARED:
        return "valid"
    wanted = op(**before)
    if not same(found, wanted):
        return "another answer than for the same numbers in plain tensors"
    if not all(same(plain(arguments[key]), before[key]) for key in written):
        return "other numbers written than for the same numbers in plain tensors"
    return "valid"


def main(library: str, seed: int, first: int, last: int, progress: Path) -> None:
    """Cases `first` to `last` - 1; counts to standard output, each case to `progress` before it is tried."""
    load(library)
    warnings.simplefilter("ignore")  # torch has them about its own kinds of tensors
    torch.set_num_threads(2)
    if not library:  # the sanitizer keeps tables of terabytes, and has a limit of its own
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**31, used + 2**31))
    counts: Counter[str] = Counter()
    wrong = []
    with open(progress, "w", buffering=1) as log:
        for number in range(first, last):
            name, arguments = case(number, seed)
            log.seek(0)
            log.write(f"{number} {name}\n")
            log.truncate()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            found = outcome(name, arguments)
            signal.setitimer(signal.ITIMER_PROF, 0)
            if found not in ("valid", "refused in words"):
                wrong.append(f"{number} {name}: {found}")
                found = "WRONG"
            counts[found] += 1
    print(json.dumps({"counts": counts, "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), Path(sys.argv[5]))
