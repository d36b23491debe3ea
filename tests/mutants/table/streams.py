"""Faults of the random streams: numbers that are used twice, or in two places."""

from tests.mutants.table.mutant import OURS, STATISTICAL, Mutant

PHILOX, BUILD = "mcmc/philox.py", "mcmc/run/build.py"
RNG, BLOCKS = "tests/test_rng.py", "tests/run/test_blocks.py"
STREAMS_OF_A_BLOCK = "Streams(config.run.seed, part.network_ids, chains)"

STREAMS = (
    Mutant(
        "large seeds alias with purposes",
        "Carlo",
        PHILOX,
        "(seed >> 32) | purpose << 24",
        "(seed >> 32) | purpose << 16",
        (f"{RNG}::test_key_is_injective",),
        is_short=True,
    ),
    Mutant(
        "seed plus purpose",
        "Carlo",
        PHILOX,
        "return seed & _LOW, (seed >> 32) | purpose << 24",
        "return (seed + purpose) & _LOW, seed >> 32",
        (f"{RNG}::test_key_is_injective",),
    ),
    Mutant(
        "the seed is not used",
        "GPUMD #191",
        BUILD,
        STREAMS_OF_A_BLOCK,
        "Streams(0, part.network_ids, chains)",
        (f"{BLOCKS}::test_chains_of_another_seed_move_otherwise",),
    ),
    Mutant(
        "replicas share their noise",
        OURS,
        BUILD,
        STREAMS_OF_A_BLOCK,
        "Streams(config.run.seed, part.network_ids, chains // 2 * 2)",
        (f"{STATISTICAL}/test_exact_laws.py::test_von_mises_fisher[mala-alone]",),
    ),
    Mutant(
        "noise by the place of a network, not its number",
        OURS,
        BUILD,
        STREAMS_OF_A_BLOCK,
        "Streams(config.run.seed, torch.arange(stop - start), chains)",
        (f"{BLOCKS}::test_block_sizes_give_the_same_bytes",),
    ),
    Mutant(
        "noise of a step used again in the next sweep",
        OURS,
        "mcmc/run/simulation.py",
        "step = number * steps + i_step",
        "step = number + i_step",
        (f"{STATISTICAL}/test_exact_laws.py::test_von_mises_fisher[mala-alone]",),
    ),
    Mutant(
        "uniforms reach zero",
        OURS,
        PHILOX,
        "((k.to(torch.float64) + 0.5) * 2.0**-52)",
        "(k.to(torch.float64) * 2.0**-52)",
        (f"{RNG}::test_reference_backend_gives_the_same_numbers",),
    ),
    Mutant(
        "both numbers of Box-Muller the same",
        OURS,
        PHILOX,
        "return radius * x, radius * y",
        "return radius * x, radius * x",
        (f"{RNG}::test_angle_covers_the_circle_in_order",),
        is_short=True,
    ),
    Mutant(
        "network and chain exchanged in the counter",
        OURS,
        PHILOX,
        "        chain[:, None].expand(shape),\n        network[:, None, None].expand(shape),\n",
        "        network[:, None, None].expand(shape),\n        chain[:, None].expand(shape),\n",
        (f"{RNG}::test_reference_backend_gives_the_same_numbers",),
    ),
)
