"""Every operator of the extension with arguments that it should refuse or serve: wrong kinds, sizes, strides, memory.

Run as a process: `python -m tests.fuzz.operators LIBRARY SEED FIRST LAST PROGRESS` makes LAST - FIRST calls, writes
each case to PROGRESS before it is tried, and prints counts. What kills the process is then known by its number.
"""

import importlib.machinery
import importlib.util
import json
import random
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Arguments = dict[str, Any]
SECONDS = 30  # of one case, after which the system ends the process
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, MemoryError, NotImplementedError)
# refusals that come when some of the ladders are done already, as their messages say
LATE = "a slot outside"


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


# -- right arguments


def _exchange(rng: random.Random) -> Arguments:
    d, k, r = rng.randint(0, 3), rng.randint(1, 6), rng.randint(1, 3)
    slots = torch.stack([torch.randperm(k) for _ in range(d * r)]).view(d, r, k) if d else torch.zeros(0, r, k).long()
    slot_of_temp = slots.transpose(1, 2).contiguous()
    return {
        "energy": torch.randn(d, k, r, dtype=torch.float64),
        "beta": torch.linspace(0, 2, k, dtype=torch.float64),
        "slot_of_temp": slot_of_temp,
        "temp_of_slot": slot_of_temp.argsort(1),
        "accept_sum": torch.zeros(d, k - 1, r, dtype=torch.float64),
        "swap_count": torch.zeros(d, k - 1, r, dtype=torch.int64),
        "direction": torch.zeros(d, k, r, dtype=torch.int8),
        "round_trips": torch.zeros(d, k, r, dtype=torch.int64),
    }


def _deo_swap(rng: random.Random) -> Arguments:
    rest, parity = _exchange(rng), rng.randint(0, 1)
    d, k, r = rest["energy"].shape
    return {"u": torch.rand(d, (k - parity) // 2, r, dtype=torch.float64), "parity": parity, **rest}


def _count_and_swap(rng: random.Random) -> Arguments:
    rest = _exchange(rng)
    d, k, r = rest["energy"].shape
    return {
        "statistics": torch.rand(d, k * r, 4, dtype=torch.float64),
        "seed": 3,
        "purpose": 5,
        "step": 7,
        "network": torch.arange(d),
        "replica": torch.arange(r),
        "parity": rng.randint(-1, 1),
        "sums": torch.zeros(4, d, k, r, dtype=torch.float64),
        **rest,
    }


def _overlap_accumulate(rng: random.Random) -> Arguments:
    d, k, p, bins = rng.randint(0, 3), rng.randint(0, 4), rng.randint(0, 4), rng.randint(1, 9)
    return {
        "overlap": 3 * torch.rand(d, k, p, dtype=torch.float64) - 1.5,
        "lower": -1.0,
        "upper": 1.0,
        "histogram": torch.zeros(d, k, bins + 2, dtype=torch.int64),
        "moment_sum": torch.zeros(d, k, 4, dtype=torch.float64),
    }


def _stream(rng: random.Random) -> Arguments:
    d, c = rng.randint(0, 3), rng.randint(0, 4)
    ids = {"network": torch.randint(0, 2**32, (d,)), "chain": torch.randint(0, 2**32, (c,))}
    return {"seed": rng.randrange(2**56), "purpose": rng.randrange(256), "step": rng.randrange(2**32), **ids}


def _normal(rng: random.Random) -> Arguments:
    return {**_stream(rng), "n": rng.randint(0, 700), "dtype": rng.choice([torch.float32, torch.float64])}


def _uniform(rng: random.Random) -> Arguments:
    return {**_stream(rng), "n": rng.randint(0, 700)}


def _at(arguments: Arguments) -> Arguments:
    return {**arguments, "step": torch.tensor([arguments["step"]])}


def _philox(rng: random.Random) -> Arguments:
    n = rng.randint(0, 9)
    return {"counter": torch.randint(0, 2**32, (n, 4)), "key": torch.randint(0, 2**32, (n, 2))}


def _networks(rng: random.Random) -> tuple[int, int, list[int], Arguments]:
    """(D, C, widths, arguments that all operators on networks share)."""
    d, c = rng.randint(0, 3), rng.choice([0, 1, 3, 33])
    widths = [rng.choice([1, 2, 5, 7, 16, 33]) for _ in range(rng.randint(2, 4))]
    engine = rng.choice(torch.ops.mlp_gibbs_engines)
    forces = rng.choice(["float32", "bfloat16_3x", "bfloat16"])
    parts = {"float32": 3, "bfloat16_3x": 2, "bfloat16": 1}[forces]
    weights = [torch.randn(d, n, m) for m, n in pairwise(widths)]
    pack = torch.ops.mlp_gibbs.pack_mlp
    activation, parameters = rng.choice([("piecewise", [0.1, 1.0]), ("tanh", [1.0]), ("sin", []), ("erf", [])])
    biases = [rng.choice([None, torch.randn(d, 1, n)]) for n in widths[1:]]
    return (
        d,
        c,
        widths,
        {
            "widths": widths,
            "forward": [pack(w, False, parts, engine) for w in weights],
            "backward": [pack(w, True, parts, engine) for w in weights],
            "for_energy": [pack(w, False, 3, engine) for w in weights],
            "biases": biases,
            "readout": torch.randn(d, widths[-1]),
            "activation": activation,
            "parameters": parameters,
            "forces": forces,
            "engine": engine,
        },
    )


def _energy(rng: random.Random) -> Arguments:
    d, c, widths, networks = _networks(rng)
    return {"x": torch.randn(d, c, widths[0]), "with_grad": rng.random() < 0.5, **networks}


def _overlaps(rng: random.Random) -> Arguments:
    d, c, widths, networks = _networks(rng)
    return {"x": torch.randn(d, c, rng.randint(0, 3), widths[0]), **networks}


def _trajectory(rng: random.Random) -> Arguments:
    d, c, widths, networks = _networks(rng)
    return {
        "x": torch.randn(d, c, widths[0]),
        "grad": torch.randn(d, c, widths[0]),
        "fresh": rng.choice([None, torch.randn(d, c, widths[0])]),
        "beta": torch.rand(d, c, dtype=torch.float64),
        "step_size": torch.rand(d, c),
        "n_leapfrog": torch.randint(0, 4, (d, c)),
        "reproject_every": rng.randint(1, 5),
        **networks,
    }


def _leapfrog(rng: random.Random) -> Arguments:
    call = _trajectory(rng)
    return {**call, "p": torch.randn(call["x"].shape)}


def _hmc(rng: random.Random) -> Arguments:
    call = _trajectory(rng)
    d, c, _ = call["x"].shape
    ids = {"network": torch.arange(d), "chain": torch.arange(c), "seed": 3, "step": 5, "purposes": [2, 3]}
    return {**call, "energy": torch.randn(d, c, dtype=torch.float64), "jitter": 0.3, **ids}


def _numbers(*names: str) -> Callable[[random.Random], Arguments]:
    def draw(rng: random.Random) -> Arguments:
        shape = (rng.randint(0, 3), rng.randint(0, 5))
        return {name: torch.rand(shape, dtype=torch.float64) for name in names}

    return draw


def _rows(*names: str) -> Callable[[random.Random], Arguments]:
    def draw(rng: random.Random) -> Arguments:
        shape = (rng.randint(0, 3), rng.randint(0, 5), rng.choice([1, 3, 16, 40]))
        return {name: torch.randn(shape) for name in names}

    return draw


def _keep_rows(rng: random.Random) -> Arguments:
    rows = _rows("proposal", "present")(rng)
    return {**rows, "is_taken": torch.rand(rows["proposal"].shape[:2]) < 0.5}


def _pack(rng: random.Random) -> Arguments:
    weight = torch.randn(rng.randint(0, 3), rng.randint(1, 40), rng.randint(1, 40))
    parts = rng.randint(1, 3)
    engine = rng.choice(torch.ops.mlp_gibbs_engines)
    return {"weight": weight, "transposed": rng.random() < 0.5, "parts": parts, "engine": engine}


def _fma_loop(rng: random.Random) -> Arguments:
    engines = [engine for engine in torch.ops.mlp_gibbs_engines if engine != "amx"]
    return {"iterations": rng.randint(0, 1000), "engine": rng.choice(engines)}


RIGHT: dict[str, Callable[[random.Random], Arguments]] = {
    "count_and_swap_": _count_and_swap,
    "deo_swap_": _deo_swap,
    "energy_and_grad_mlp": _energy,
    "energy_error": _numbers("beta", "energy", "proposed", "kinetic_change"),
    "fma_loop": _fma_loop,
    "hmc_mlp": _hmc,
    "keep_rows_": _keep_rows,
    "kinetic_energy": _rows("p"),
    "leapfrog_mlp": _leapfrog,
    "metropolis": _numbers("u", "energy_error"),
    "overlap_accumulate_": _overlap_accumulate,
    "overlaps_mlp": _overlaps,
    "pack_mlp": _pack,
    "philox4x32": _philox,
    "philox_normal": _normal,
    "philox_normal_at": lambda rng: _at(_normal(rng)),
    "philox_uniform": _uniform,
    "philox_uniform_at": lambda rng: _at(_uniform(rng)),
    "project_tangent": _rows("x", "v"),
}

# -- wrong ones

INTEGERS = [
    0,
    -1,
    1,
    2,
    3,
    65,
    255,
    256,
    2**24,
    2**31 - 1,
    2**31,
    2**32,
    2**40,
    2**56,
    2**62,
    2**63 - 1,
    -(2**63),
    2**64,
]
NUMBERS = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 5e-324, 1.7e308, -1.7e308, 1e-300]
TEXTS = ["", "amx", "avx512", "avx2", "tanh", "piecewise", "float32", "bfloat16", "\0", "é", "x" * 100_000, "\ud800"]
DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int8,
    torch.uint8,
]
DTYPES += [torch.bool, torch.complex64, torch.complex128]
FILLS = [0, 1, -1, 127, float("nan"), float("inf"), -float("inf"), 1e38, 5e-324, 2**31, 2**32, 2**62, -(2**63)]
# more chains or networks than memory has: in strides of zero they cost nothing to ask for
HUGE = [2**31, 2**40, 2**61]


def _filled(t: Tensor, rng: random.Random) -> Tensor:
    """Some entries are something else."""
    value, t = rng.choice(FILLS), t.clone(memory_format=torch.contiguous_format)
    flat = t.view(-1)
    if not flat.numel():
        return t
    if t.dtype == torch.bool or (not t.is_floating_point() and value != value):
        value = 1
    if not t.is_floating_point() and not t.is_complex():
        info = torch.iinfo(t.dtype) if t.dtype != torch.bool else None
        value = int(min(max(value, info.min), info.max)) if info else 1
    flat[rng.randrange(flat.numel())] = value
    if rng.random() < 0.3:
        flat[:] = value
    return t


def _strided(t: Tensor, rng: random.Random) -> Tensor:
    """The same numbers, lying otherwise."""
    match rng.randint(0, 3):
        case 0:
            wide = torch.zeros([2 * n for n in t.shape], dtype=t.dtype)
            inside = wide[tuple(slice(None, None, 2) for _ in t.shape)]
            return inside.copy_(t)
        case 1 if t.dim() >= 2:
            return t.transpose(0, -1).contiguous().transpose(0, -1)
        case 2:  # not where its type would be aligned
            raw = bytearray(t.numel() * t.element_size() + 1)
            if not t.numel() or t.dtype == torch.bool:
                return t
            return torch.frombuffer(raw, dtype=t.dtype, offset=1).view(t.shape).copy_(t)
        case _:
            return torch.zeros(t.numel() + 3, dtype=t.dtype)[3:].view(t.shape).copy_(t)


def _reshaped(t: Tensor, rng: random.Random) -> Tensor:
    """Another shape."""
    shape = list(t.shape)
    match rng.randint(0, 7):
        case 0:
            return t.reshape(-1)
        case 1:
            return t.unsqueeze(rng.randint(0, t.dim()))
        case 2 if shape:
            return t.narrow(rng.randrange(t.dim()), 0, 0)
        case 3 if shape:
            axis = rng.randrange(t.dim())
            return torch.cat([t, t], axis)
        case 4 if shape and t.numel():
            axis = rng.randrange(t.dim())
            return t.narrow(axis, 0, 1).expand([n if i != axis else rng.choice(HUGE) for i, n in enumerate(shape)])
        case 5 if shape:  # nothing in it, and sizes whose product overflows
            axis = rng.randrange(t.dim())
            return torch.empty(
                [0 if i == axis else rng.choice([1, 2**24, 2**31]) for i in range(len(shape))], dtype=t.dtype
            )
        case 6 if shape and t.numel():
            axis = rng.randrange(t.dim())
            return t.narrow(axis, 0, 1).expand(shape)
        case _:
            return t.new_empty(())


def _odd(t: Tensor, rng: random.Random) -> Tensor:
    """No plain tensor of this device."""
    match rng.randint(0, 7):
        case 0:
            return t.to("meta")
        case 1 if t.is_floating_point():
            return t.clone().requires_grad_()
        case 2 if t.is_floating_point():
            return t.to_sparse()
        case 3 if t.is_floating_point():
            return torch._neg_view(t)
        case 4 if t.is_floating_point():
            return torch._efficientzerotensor(t.shape, dtype=t.dtype)
        case 5 if t.dtype == torch.float32:
            return torch.quantize_per_tensor(t, 0.1, 0, torch.qint8)
        case 6 if t.dtype == torch.float32:
            return t.to(torch.complex64).conj()
        case _:
            return torch.nn.Parameter(t.clone(), requires_grad=False)


def _typed(t: Tensor, rng: random.Random) -> Tensor:
    dtype = rng.choice(DTYPES)
    return (t.real if t.is_complex() else t).nan_to_num().to(dtype)


def _changed_tensor(t: Tensor, rng: random.Random) -> Any:
    change = rng.choice([_filled, _strided, _strided, _reshaped, _reshaped, _typed, _odd])
    try:
        return change(t, rng)
    except RuntimeError:  # torch itself has no such tensor
        return t


def _changed(value: Any, rng: random.Random) -> Any:
    if isinstance(value, Tensor):
        return _changed_tensor(value, rng) if rng.random() < 0.97 else rng.choice([None, 1, "x", []])
    if isinstance(value, bool):
        return rng.choice([True, False, 2, None])
    if isinstance(value, int):
        return rng.choice(INTEGERS)
    if isinstance(value, float):
        return rng.choice(NUMBERS)
    if isinstance(value, str):
        return rng.choice(TEXTS)
    if isinstance(value, torch.dtype):
        return rng.choice(DTYPES)
    if isinstance(value, list):
        if value and rng.random() < 0.7:
            at = rng.randrange(len(value))
            return [*value[:at], _changed(value[at], rng), *value[at + 1 :]]
        return rng.choice([[], value[:-1], value + value, value * 40, value[::-1]])
    return rng.choice([None, torch.zeros(1)])


def _aliased(arguments: Arguments, rng: random.Random) -> None:
    """Two tensors share memory, in whole or in part."""
    names = [n for n, t in arguments.items() if isinstance(t, Tensor) and t.numel() and t.layout == torch.strided]
    names = [n for n in names if arguments[n].device.type == "cpu" and not arguments[n].is_quantized]
    pairs = [
        (a, b) for a in names for b in names if a != b and arguments[a].element_size() == arguments[b].element_size()
    ]
    if not pairs:
        return
    a, b = rng.choice(pairs)
    first, second = arguments[a].detach(), arguments[b].detach()
    shift = rng.choice([0, 0, 1])
    memory = torch.zeros(max(first.numel(), second.numel()) + shift, dtype=first.dtype)
    memory[: first.numel()] = first.reshape(-1)
    arguments[a] = memory[: first.numel()].view(first.shape)
    arguments[b] = memory.view(second.dtype)[shift : shift + second.numel()].view(second.shape)


def case(number: int, seed: int) -> tuple[str, Arguments]:
    """Operator and arguments of a case, a function of its number."""
    rng = random.Random(f"{seed} {number}")
    torch.manual_seed(rng.randrange(2**31))
    names = sorted(RIGHT)
    name = names[number % len(names)]
    arguments = RIGHT[name](rng)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        which = rng.choice(sorted(arguments))
        arguments[which] = _changed(arguments[which], rng)
    if rng.random() < 0.15:
        _aliased(arguments, rng)
    return name, arguments


# -- judgement


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
    if not is_meta and all(t.layout == torch.strided and t.numel() < 2**24 for t in tensors):
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
    if is_meta or not before or name == "fma_loop":
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
    from mcmc import native

    torch.ops.mlp_gibbs_engines = native.engines()
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
            signal.alarm(SECONDS)
            found = outcome(name, arguments)
            signal.alarm(0)
            if found not in ("valid", "refused in words"):
                wrong.append(f"{number} {name}: {found}")
                found = "WRONG"
            counts[found] += 1
    print(json.dumps({"counts": counts, "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), Path(sys.argv[5]))
