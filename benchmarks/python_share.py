"""The share of the interpreter in a production run, by py-spy: samples of the stack, by what runs at its top.

    pip install py-spy==0.4.3
    python benchmarks/python_share.py [--n-inputs 256 --networks 8] [--segment-sweeps 1000] [--seconds 10] [--trace T]

One JSON line: the fraction of samples in which the innermost frame is Python's, of torch's bindings, of torch's
operators, of our extension, or of something else. The trace (collapsed stacks, for any flame graph program) is kept
where --trace says.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import tomli_w
from cases import case_of, case_parser, config_of
from timing import report

OWNERS = {  # the first that a library's name begins with
    "_C.": "extension",
    "libtorch_python": "bindings",
    "libtorch": "torch",
    "libc10": "torch",
    "libmkl": "torch",
    "libpython": "python",
    "python": "python",
}


WAITING = "Lock._beat"  # a thread that sleeps, which py-spy does not always see


def main() -> None:
    parser = case_parser(__doc__, depth=2, networks=8)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--segment-sweeps", type=int, default=1000, help="between two segments, and two checkpoints")
    parser.add_argument("--trace", type=Path, default=None)
    arguments = parser.parse_args()
    endless = {"n_burn_in": 0, "n_sweeps": 1_000_000, "measure_every": 10}
    config = config_of(**case_of(arguments), run=endless, output={"segment_sweeps": arguments.segment_sweeps})
    with tempfile.TemporaryDirectory() as folder:
        trace = arguments.trace or Path(folder) / "trace.txt"
        settings = Path(folder) / "run.toml"
        settings.write_text(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)), encoding="utf-8")
        command = [
            str(Path(sys.executable).with_name("mlp-gibbs")),
            "run",
            str(settings),
            "--out",
            str(Path(folder) / "run"),
        ]
        simulation = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_segments(simulation, Path(folder) / "run")
            sample(simulation.pid, arguments.seconds, trace)
        finally:
            simulation.terminate()
            simulation.wait()
        shares, top = shares_of(trace)
    del arguments.trace
    report({"benchmark": "python_share", **vars(arguments), "shares": shares, "python_functions": top})


def wait_for_segments(simulation: subprocess.Popen, directory: Path) -> None:
    """Until the start lies behind: chains move and results are written."""
    while not list(directory.rglob("*.h5")):
        if simulation.poll() is not None:
            raise SystemExit("the run ended before it was sampled")
        time.sleep(0.5)


def sample(process: int, seconds: int, trace: Path) -> None:
    """Collapsed stacks of a process, native frames included."""
    options = ["--native", "--rate", "200", "--format", "raw", "--duration", str(seconds), "--output", str(trace)]
    spy = str(Path(sys.executable).with_name("py-spy"))
    done = subprocess.run([spy, "record", *options, "--pid", str(process)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)


def shares_of(trace: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Fractions of the samples by owner of the innermost frame, and the Python functions found there most often."""
    owners: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in trace.read_text(encoding="utf-8").splitlines():
        stack, count = line.rsplit(" ", 1)
        if WAITING in stack:
            continue
        frame = stack.split(";")[-1]
        owner = owner_of(frame)
        owners[owner] += int(count)
        if owner == "python":
            functions[frame.rsplit(":", 1)[0] + ")"] += int(count)
    total = sum(owners.values())
    return (
        {name: n / total for name, n in owners.most_common()},
        {name: n / total for name, n in functions.most_common(5)},
    )


def owner_of(frame: str) -> str:
    """python, bindings, torch, extension or other, from `function (file:line)` or `function (library)`."""
    file = Path(frame.rsplit("(", 1)[-1].rstrip(")").split(":")[0]).name
    if file.endswith(".py"):
        return "python"
    return next((owner for prefix, owner in OWNERS.items() if file.startswith(prefix)), "other")


if __name__ == "__main__":
    main()
