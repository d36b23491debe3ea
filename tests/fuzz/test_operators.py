"""The operators of the extension with any arguments: the right answer or an error, and never the end of the process."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mcmc import native
from tests.fuzz import operators
from tests.fuzz.call_operators import case, load, plain, registered, same
from tests.fuzz.judge import Wrong
from tests.support.runs import ROOT

pytestmark = pytest.mark.skipif(native.BACKEND == "reference", reason=f"no operators here: {native.extension_error}")
N_SHORT, N_FULL = 400, 10_000


def call_all(folder: Path, library: str, seed: int, n_cases: int, **environment: str) -> dict[str, int]:
    """Counts of outcomes.

    Raises:
        Wrong: an answer is wrong, or a case ended the process; it says which and how to call it again.
    """
    progress = folder / "progress"
    arguments = ["-m", "tests.fuzz.call_operators", library, str(seed), "0", str(n_cases), str(progress)]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment or None, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = progress.read_text() if progress.exists() else "no case"
        raise Wrong(f"status {done.returncode} at {last}: {done.stderr[-3000:]}; seed {seed}, {arguments}")
    found = json.loads(done.stdout)
    if found["wrong"]:
        raise Wrong(f"seed {seed}: " + "\n".join(found["wrong"][:20]))
    return found["counts"]


def test_every_operator_is_called():
    load("")
    assert set(registered()) == set(operators.RIGHT)
    assert {case(number, 1)[0] for number in range(len(operators.RIGHT))} == set(operators.RIGHT)


def test_any_arguments(tally, seed, full, tmp_path):
    counts = call_all(tmp_path, "", seed, N_FULL if full else N_SHORT)
    for outcome, count in counts.items():
        for _ in range(count):
            tally("arguments of an operator", lambda outcome=outcome: outcome)
    assert counts["valid"] > 0.2 * sum(counts.values())


def test_the_plugin_of_the_sanitized_build_loads_no_other():
    """It imported the package, so that both builds registered their operators and pytest was aborted."""
    code = "import sys, tests.fuzz.sanitized; assert not {'mcmc', 'torch'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def floats(*shape):
    return torch.arange(float(torch.tensor(shape).prod())).view(shape)


def exchange(k, r):
    order = torch.arange(k).view(1, k, 1).repeat(2, 1, r)
    ladders = {"slot_of_temp": order, "temp_of_slot": order.clone(), "round_trips": torch.zeros(2, k, r).long()}
    rest = {"accept_sum": torch.zeros(2, k - 1, r).double(), "swap_count": torch.zeros(2, k - 1, r).long()}
    numbers = {"energy": torch.zeros(2, k, r).double(), "beta": torch.arange(k).double()}
    return {**numbers, **ladders, **rest, "direction": torch.zeros(2, k, r).to(torch.int8)}


def test_no_replicas_at_all():
    """It divided by the number of chains of a network, and the process died."""
    ids = {"network": torch.arange(2), "replica": torch.arange(0), "seed": 1, "purpose": 1, "step": 1, "parity": 0}
    sums, statistics = torch.zeros(4, 2, 3, 0).double(), torch.zeros(2, 0, 4).double()
    found = torch.ops.mlp_gibbs.count_and_swap_(**exchange(3, 0), **ids, sums=sums, statistics=statistics)
    assert found.shape == (4, 2, 3, 0)


def test_rows_are_not_copied_onto_themselves():
    """memcpy between rows that overlap: what was kept depended on the processor."""
    memory = floats(12)
    with pytest.raises(ValueError, match="proposal is written in place and must not share memory with present"):
        torch.ops.mlp_gibbs.keep_rows_(memory[:10].view(2, 5), memory[2:].view(2, 5), torch.tensor([False, True]))


def test_ladders_do_not_share_memory():
    call = {**exchange(4, 1), "u": torch.full((2, 2, 1), 0.5).double(), "parity": 0}
    call["temp_of_slot"] = call["slot_of_temp"]
    with pytest.raises(ValueError, match=r"slot_of_temp is written .* not share memory with temp_of_slot"):
        torch.ops.mlp_gibbs.deo_swap_(**call)


def test_histogram_and_sums_do_not_share_memory():
    memory = torch.zeros(2, 3, 4).long()
    with pytest.raises(ValueError, match="histogram is written in place and must not share memory with moment_sum"):
        torch.ops.mlp_gibbs.overlap_accumulate_(
            torch.zeros(2, 3, 1).double(), -1.0, 1.0, memory, memory.view(torch.float64)
        )


def test_numbers_that_lie_askew():
    """Undefined in C++, and a reason to fail for a processor or a compiler."""
    raw = torch.frombuffer(bytearray(8 * 12 + 1), dtype=torch.float64, offset=1).view(3, 4)
    with pytest.raises(ValueError, match="u must lie at a multiple of the size of its numbers"):
        torch.ops.mlp_gibbs.metropolis(raw, torch.zeros(3, 4).double())


def test_negated_views():
    """Torch ended the process by an assertion of its own."""
    rows = torch._neg_view(floats(10).view(2, 5))
    with pytest.raises(ValueError, match="takes no negated or conjugated view"):
        torch.ops.mlp_gibbs.keep_rows_(rows, torch.zeros(2, 5), torch.tensor([False, True]))
    found = torch.ops.mlp_gibbs.kinetic_energy(rows.view(1, 2, 5))
    assert torch.equal(found, torch.ops.mlp_gibbs.kinetic_energy(-floats(10).view(1, 2, 5)))


def test_steps_of_a_sweep_that_lie_apart():
    """They were read as if they lay one after the other."""
    if native.engines():
        arguments, again = (operators.RIGHT["sweeps_mlp_"](random.Random(1)) for _ in range(2))
        steps = torch.arange(1, 1 + len(arguments["beta"]))
        assert len(steps) > 1, "choose another seed"
        again |= {key: plain(value) for key, value in arguments.items()}
        arguments["n_leapfrog"], again["n_leapfrog"] = steps, steps.repeat_interleave(2)[::2]
        found, wanted = (torch.ops.mlp_gibbs.sweeps_mlp_(**a) for a in (again, arguments))
        assert same(found, wanted)


def test_packed_weights_that_lie_askew():
    if native.engines():
        arguments = operators.RIGHT["energy_and_grad_mlp"](random.Random(3))
        packed = arguments["forward"][0]
        askew = torch.frombuffer(bytearray(packed.numel() + 1), dtype=torch.uint8, offset=1).view(packed.shape)
        assert packed.numel(), "choose another seed"
        arguments["forward"][0] = askew.copy_(packed)
        with pytest.raises(ValueError, match=r"forward\[0\] must lie at a multiple"):
            torch.ops.mlp_gibbs.energy_and_grad_mlp(**arguments)


def test_negated_view_in_a_list():
    """Torch hands it over as it is, and its memory holds the numbers with the other sign."""
    if native.engines():
        arguments = operators.RIGHT["energy_and_grad_mlp"](random.Random(3))
        sizes = arguments["widths"][1:]
        n_networks = len(arguments["x"])
        arguments["biases"] = [torch.ones(n_networks, 1, n) for n in sizes]
        energy = torch.ops.mlp_gibbs.energy_and_grad_mlp(**arguments)[0]
        assert energy.numel(), "choose another seed"
        arguments["biases"] = [torch._neg_view(-torch.ones(n_networks, 1, n)) for n in sizes]
        assert torch.equal(torch.ops.mlp_gibbs.energy_and_grad_mlp(**arguments)[0], energy)


@pytest.mark.parametrize("iterations", [-1, 2**31, 2**63 - 1])
def test_loop_that_never_ends(iterations):
    if native.engines():
        with pytest.raises(ValueError, match=r"iterations must be in \[0, 2\^30\]"):
            torch.ops.mlp_gibbs.fma_loop(iterations, native.engines()[0])


def test_packed_sizes_that_overflow():
    if native.engines():
        with pytest.raises(ValueError, match="layers below 2\\^24"):
            torch.ops.mlp_gibbs.pack_mlp(torch.zeros(0, 2**31, 2**31), False, 3, native.engines()[0])


SCRATCH = """
import resource, torch
from mcmc import native
def energy(n):
    e = native.engines()[-1]
    w = torch.ones(1, 1, n)
    packed = [torch.ops.mlp_gibbs.pack_mlp(w, t, 3, e) for t in (False, True)]
    networks = ([n, 1], packed[:1], packed[1:], packed[:1], [None], torch.ones(1, 1), "tanh", [1.0], "float32", e)
    return torch.ops.mlp_gibbs.energy_and_grad_mlp(torch.ones(1, 1, n), True, *networks)[0]
torch.set_num_threads(1)
first = energy(4)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
try:
    energy(2**22)
except RuntimeError as error:
    assert "of scratch" in str(error), error
else:
    raise SystemExit("that much memory should not have been there")
assert torch.equal(energy(4), first)
"""


@pytest.mark.skipif(not native.engines(), reason="no fused kernels here")
def test_after_memory_for_scratch_was_refused():
    """The thread thought that it had it, and the next call wrote through a null pointer."""
    done = subprocess.run([sys.executable, "-c", SCRATCH], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
