"""Right arguments for every operator of the extension: small, drawn at random, empty sizes among them."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from mcmc import native

Arguments = dict[str, Any]
ENGINES = native.engines()


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
    engine = rng.choice(ENGINES)
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
    engine = rng.choice(ENGINES)
    return {"weight": weight, "transposed": rng.random() < 0.5, "parts": parts, "engine": engine}


def _fma_loop(rng: random.Random) -> Arguments:
    engines = [engine for engine in ENGINES if engine != "amx"]
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
