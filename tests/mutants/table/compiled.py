"""Faults of the compiled operators: expressions of C++, all in one extension, of which one at a time is switched on."""

from tests.mutants.table.mutant import OURS, Mutant

EXCHANGE_H, METROPOLIS = "cpp_ext/core/exchange.h", "cpp_ext/src/metropolis.h"
TRANSITION = "cpp_ext/src/transition.h"
EXCHANGE_CPP, HMC_CPP = (f"cpp_ext/src/{name}.cpp" for name in ("exchange", "hmc_mlp"))
EXCHANGE_OP, COUNT = "tests/cpp_ext/test_exchange_op.py", "tests/exchange/test_count_and_swap.py"
HMC_OP, LEAPFROG_OP, ROWS_OP = (f"tests/cpp_ext/test_{name}_op.py" for name in ("hmc", "leapfrog", "rows"))
JOINT_LAW = "tests/exchange/test_stationarity.py::test_exchange_leaves_the_joint_law_invariant"
VERIFY = "tests/compare/test_verify.py::test_sound_samplers_pass"

COMPILED = (
    Mutant(
        "compiled swap with the wrong sign",
        OURS,
        EXCHANGE_H,
        "(a.beta[i] - a.beta[i + 1])",
        "(a.beta[i + 1] - a.beta[i])",
        (JOINT_LAW,),
    ),
    Mutant(
        "compiled swap compares the energies of slots",
        OURS,
        EXCHANGE_H,
        "(a.energy[walker_i] - a.energy[walker_j])",
        "(a.energy[at_i] - a.energy[at_j])",
        (JOINT_LAW,),
    ),
    Mutant(
        "compiled swap half applied",
        "openmmtools #449",
        EXCHANGE_H,
        "a.slot_of_temp[at_j] = slot_i",
        "a.slot_of_temp[at_j] = slot_j",
        (EXCHANGE_OP,),
    ),
    Mutant(
        "compiled round trips counted at both ends",
        OURS,
        EXCHANGE_H,
        "end > 0 && a.direction[slot] < 0",
        "a.direction[slot] * end < 0",
        (EXCHANGE_OP,),
    ),
    Mutant(
        "compiled histogram off by one bin",
        OURS,
        EXCHANGE_H,
        "histogram[1 + (bin < n_bins ? bin : n_bins - 1)] += 1",
        "histogram[bin < n_bins ? bin : n_bins - 1] += 1",
        ("tests/observers/test_observers.py::test_histogram",),
    ),
    Mutant(
        "compiled acceptance rates of slots",
        OURS,
        EXCHANGE_CPP,
        "statistics + 4 * (of_network + slot * r + at % r)",
        "statistics + 4 * at",
        (COUNT,),
    ),
    Mutant(
        "compiled swaps of all replicas from one stream",
        OURS,
        EXCHANGE_CPP,
        "rows[((of - begin) * r + s) * n_pairs + pair]",
        "rows[(of - begin) * r * n_pairs + pair]",
        (COUNT,),
    ),
    Mutant(
        "compiled Hastings term times beta",
        "netket #2250",
        METROPOLIS,
        "beta * (proposed - energy) + kinetic_change",
        "beta * (proposed - energy + kinetic_change)",
        (VERIFY,),
    ),
    Mutant(
        "compiled acceptance min(1, exp(+dH))",
        OURS,
        METROPOLIS,
        "d < 0.0 ? 1.0 : weight",
        "d > 0.0 ? 1.0 : 1.0 / weight",
        (VERIFY,),
    ),
    Mutant(
        "compiled full first kick",
        "geoopt",
        "cpp_ext/mlp/trajectory.h",
        "lanes.n_leapfrog[c] > 0 ? lanes.half_kick[c] : 0.0f",
        "lanes.n_leapfrog[c] > 0 ? lanes.full_kick[c] : 0.0f",
        (LEAPFROG_OP,),
    ),
    Mutant(
        "compiled closing kick where there was no step",
        OURS,
        "cpp_ext/mlp/trajectory.h",
        "is_last_of_tile && lanes.n_leapfrog[c] > 0",
        "is_last_of_tile",
        (LEAPFROG_OP,),
    ),
    Mutant(
        "compiled noise of the place in the tile, not of the chain",
        OURS,
        "cpp_ext/src/sweep_worker.h",
        "call_.noise.accept.chain[order_[i]]",
        "call_.noise.accept.chain[i]",
        ("tests/run/test_stretch.py",),
    ),
    Mutant(
        "compiled drift turns the velocity the wrong way",
        OURS,
        "cpp_ext/mlp/tile.h",
        "V::store(to_p + i, V::fnma(by.sine_times_frequency, old, V::mul(kicked, by.cosine)))",
        "V::store(to_p + i, V::fma(by.sine_times_frequency, old, V::mul(kicked, by.cosine)))",
        (LEAPFROG_OP,),
    ),
    Mutant(
        "compiled momentum not projected",
        "field",
        TRANSITION,
        "row.project(x + i * n0, noise + i * n0, n0, noise + i * n0)",
        "static_cast<void>(i)",
        (HMC_OP,),
    ),
    Mutant(
        "compiled energy of a rejected proposal kept",
        "flowMC #90",
        HMC_CPP,
        "chains.energy_out[at] = energy_before[at]",
        "chains.energy_out[at] = chains.energy_out[at]",
        (HMC_OP,),
    ),
    Mutant(
        "compiled acceptance and jitter from one number",
        OURS,
        TRANSITION,
        "uniforms[2 * i + 1]",
        "uniforms[2 * i]",
        (HMC_OP,),
    ),
    Mutant(
        "compiled overlap of a replica with itself",
        OURS,
        "cpp_ext/src/layers.cpp",
        "*between = mean(0, r, 0, s, n)",
        "*between = mean(0, r, 0, r, n)",
        ("tests/cpp_ext/test_overlaps_op.py",),
    ),
    Mutant(
        "compiled streams of all chains the same",
        OURS,
        "cpp_ext/src/philox.cpp",
        "s.chain[row % s.n_chains]",
        "s.chain[0]",
        ("tests/cpp_ext/test_philox_op.py::test_streams_equal_their_twins_bit_for_bit",),
    ),
)
