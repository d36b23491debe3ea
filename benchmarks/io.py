"""What results cost: measuring, segments, checkpoints, and the time until the first sweep.

    python benchmarks/io.py [--device cuda] [--n-inputs 256] [--networks 8] [--sweeps 200]

One JSON line, in interleaved runs of one process: the share of a sweep that overlaps, identities, histograms and series
of all layers take when every sweep is measured, as many sweeps in a call as a run does; the share of a minute that one
checkpoint and one segment take; and, in a process of its own, the seconds from the configuration to the end of the
first sweep, after the import.
"""

import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from cases import advance, case_of, case_parser, config_of, simulation_of, wait
from timing import interleaved, report

from mcmc.io.checkpoint import Checkpoint, save_checkpoint
from mcmc.io.directory import RunDirectory
from mcmc.run.pace import Pace
from mcmc.run.production import Production
from mcmc.run.snapshot import to_arrays

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
    n_at_once = _sweeps_at_once(production)
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder) / "run")
        directory.open_for(config, {})
        seconds = interleaved(
            {
                "sweep": lambda: (advance(simulation, n_at_once), wait(device)),
                "measured_sweep": lambda: (_measured(production, n_at_once), wait(device)),
                "checkpoint": lambda: _checkpoint(production, directory),
                "segment": lambda: _segment(production, directory),
            },
            repetitions=arguments.repetitions,
        )
    median = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [m / s - 1 for m, s in zip(seconds["measured_sweep"], seconds["sweep"], strict=True)]
    for name in ("sweep", "measured_sweep"):
        median[name] /= n_at_once
    report(
        {
            "benchmark": "io",
            **given,
            "sweeps_at_once": n_at_once,
            "seconds": median,
            "measuring_every_sweep": statistics.median(ratios),
            "checkpoint_and_segment_every_minute": (median["checkpoint"] + median["segment"]) / 60,
            "seconds_to_first_sweep": _seconds_to_first_sweep(case, arguments.device),
        }
    )


def _sweeps_at_once(production: Production) -> int:
    """What a run settles at."""
    pace = Pace(production.bytes_per_draw())
    for _ in range(12):
        _rewind(production)
        pace.stop(production.advance_by(pace.start()))
    return min(pace.start(), production.config.run.n_sweeps)


def _measured(production: Production, n_sweeps: int) -> None:
    _rewind(production)
    while n_sweeps > 0:
        n_sweeps -= production.advance_by(n_sweeps)


def _rewind(production: Production) -> None:
    """To the beginning of the segment, over and over."""
    production.n_done = 0
    production.observers["series"].tensors["n"].zero_()


def _checkpoint(production: Production, directory: RunDirectory) -> None:
    arrays, facts = to_arrays(production.simulation)
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
