"""What results cost: measuring, segments, checkpoints, and the time until the first sweep.

    python benchmarks/io.py [--device cuda] [--n-inputs 256] [--networks 8] [--sweeps 200]

One JSON line, in interleaved runs of one process: the share of a sweep that overlaps and histograms of all layers take
when every sweep is measured; the share of a minute that one checkpoint and one segment take; and, in a process of its
own, the seconds from the configuration to the end of the first sweep, after the import.
"""

import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from cases import case_of, case_parser, config_of, simulation_of, wait
from timing import interleaved, report

from mcmc.io.checkpoint import Checkpoint, save_checkpoint
from mcmc.io.directory import RunDirectory
from mcmc.run.production import Production

FIRST_SWEEP = """
import sys, time
sys.path.insert(0, {benchmarks!r})
import torch
from cases import case_of, case_parser, config_of, simulation_of
begin = time.perf_counter()
simulation_of(config_of(**{case!r}), torch.device({device!r}), warm_up=1)
print(time.perf_counter() - begin)
"""


def main() -> None:
    parser = case_parser(__doc__, depth=2, networks=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sweeps", type=int, default=200, help="of a segment: what is written at once")
    parser.add_argument("--repetitions", type=int, default=15)
    arguments = parser.parse_args()
    device, given = torch.device(arguments.device), vars(arguments)
    case = case_of(arguments)
    config = config_of(
        **case, run={"n_burn_in": 0, "n_sweeps": arguments.sweeps}, output={"segment_sweeps": arguments.sweeps}
    )
    simulation = simulation_of(config, device)
    production = Production(config, simulation)
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder) / "run")
        directory.open_for(config, {})
        seconds = interleaved(
            {
                "sweep": lambda: (simulation.advance(), wait(device)),
                "measure": lambda: _measure(production, device),
                "checkpoint": lambda: _checkpoint(production, directory),
                "segment": lambda: _segment(production, directory),
            },
            repetitions=arguments.repetitions,
        )
    median = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [m / s for m, s in zip(seconds["measure"], seconds["sweep"], strict=True)]
    report(
        {
            "benchmark": "io",
            **given,
            "seconds": median,
            "measuring_every_sweep": statistics.median(ratios),
            "checkpoint_and_segment_every_minute": (median["checkpoint"] + median["segment"]) / 60,
            "seconds_to_first_sweep": _seconds_to_first_sweep(case, arguments.device),
        }
    )


def _measure(production: Production, device: torch.device) -> None:
    production.n_done = 0  # the place in the segment, over and over
    production.observers["series"].tensors["n"].zero_()
    production.after_sweep()
    wait(device)


def _checkpoint(production: Production, directory: RunDirectory) -> None:
    arrays, facts = production.simulation.to_arrays()
    more_arrays, more_facts = production.to_arrays()
    save_checkpoint(directory.checkpoints, Checkpoint(arrays | more_arrays, facts | more_facts))


def _segment(production: Production, directory: RunDirectory) -> None:
    production.n_done = production.config.run.n_sweeps
    production.observers["series"].tensors["n"].fill_(production.n_done)
    directory.segment(0).unlink(missing_ok=True)
    production.write_segment(directory)


def _seconds_to_first_sweep(case: dict, device: str) -> float:
    code = FIRST_SWEEP.format(benchmarks=str(Path(__file__).parent), case=case, device=device)
    run = partial(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return statistics.median(float(run().stdout) for _ in range(3))


if __name__ == "__main__":
    main()
