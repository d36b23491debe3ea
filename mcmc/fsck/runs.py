"""Examine a run directory: description, checkpoints, results, and whether they fit together."""

import json
from pathlib import Path
from typing import Any

from mcmc._version import __version__
from mcmc.config import RunConfig, parse_config
from mcmc.errors import MlpGibbsError, RunDirectoryError, SegmentError
from mcmc.fsck.report import DAMAGED, INTACT, LEFTOVER, MISSING, Finding, Report
from mcmc.io.checkpoint import MANIFEST, Checkpoint, generations
from mcmc.io.directory import BURN_IN_FILE, RUN_FILE, RunDirectory
from mcmc.io.lock import LOCK, holder_of, is_lock_file
from mcmc.io.segment import read_segment

AGAIN = (
    "run the same command with another --out on the same kind of machine: the same seed gives the same bytes, and a "
    "single results file can be copied from there"
)


def examine_run(path: Path) -> Report:
    """Read every byte of a run directory; change nothing."""
    report = Report(path, "run")
    directory = RunDirectory(path)
    config, physics_hash = _description(directory, report)
    # checkpoints first: a run that goes on writes the results before the checkpoint that counts on them
    checkpoints, of_checkpoints = _checkpoints(directory)
    segments = _segments(directory, physics_hash, report)
    report.findings += of_checkpoints
    config = config or _rebuilt(segments, report)
    if config is not None:
        _burn_in(directory, config, checkpoints, report)
        _judge(directory, config, segments, checkpoints, report)
    report.findings += leftovers(path)
    return report


def leftovers(path: Path) -> list[Finding]:
    """Part files and locks of processes that were cut short, and the lock of one that lives."""
    found = [Finding(str(p.relative_to(path)), LEFTOVER, "never finished", True) for p in sorted(path.rglob("*.part"))]
    for file in sorted(p for p in path.glob(f"{LOCK}*") if is_lock_file(p)):
        if file.name != LOCK:
            found.append(Finding(file.name, LEFTOVER, "of a process that was taking the lock", True))
            continue
        holder, is_dead = holder_of(path)
        who = f"process {holder['pid']} on {holder['host']}" if holder else "nobody"
        found.append(Finding(file.name, LEFTOVER, f"{who}{', which is dead' if holder and is_dead else ''}", is_dead))
    return found


def _description(directory: RunDirectory, report: Report) -> tuple[RunConfig | None, str | None]:
    try:
        facts = directory.read_json(RUN_FILE)
        config = parse_config(facts["config"], source=RUN_FILE)
    except MlpGibbsError as error:
        state = DAMAGED if (directory.path / RUN_FILE).exists() else MISSING
        report.findings.append(Finding(RUN_FILE, state, _first_line(error), state == DAMAGED))
        report.verdict = "lost"
        report.advice.append(f"{RUN_FILE} is needed for everything: restore it from a copy, or {AGAIN}.")
        return None, None
    report.findings.append(Finding(RUN_FILE, INTACT, f"written by {facts.get('version')}"))
    return config, facts["physics_hash"]


def _segments(directory: RunDirectory, physics_hash: str | None, report: Report) -> dict[int, dict[str, Any]]:
    """Attributes of the intact ones, by number."""
    found = {}
    for file in directory.segment_paths():
        name = str(file.relative_to(directory.path))
        try:
            attributes = read_segment(file)[2]
            if directory.segment(int(attributes["index"])) != file:
                raise SegmentError(f"it is number {attributes['index']} under a name that is not its own")
            if physics_hash not in (None, attributes["physics_hash"]):
                raise SegmentError(f"it is of another configuration than {RUN_FILE}")
        except MlpGibbsError as error:
            report.findings.append(Finding(name, DAMAGED, _first_line(error), True))
            continue
        found[int(attributes["index"])] = attributes
        report.findings.append(Finding(name, INTACT, f"{attributes['n_sweeps']} sweeps"))
    return found


def _rebuilt(segments: dict[int, dict[str, Any]], report: Report) -> RunConfig | None:
    """The configuration that every results file carries, to write run.json again."""
    hashes = {attributes["physics_hash"] for attributes in segments.values()}
    if len(hashes) != 1:
        return None
    physics = json.loads(next(iter(segments.values()))["config"])
    config = parse_config(physics, source="the results files")
    facts = {"physics_hash": hashes.pop(), "physics": physics, "config": config.model_dump(mode="json")}
    report.rewrites[RUN_FILE] = {**facts, "version": __version__, "restored_by": "fsck"}
    report.verdict = "repairable"
    report.advice = [f"--repair writes {RUN_FILE} again from the configuration in the results files."]
    return config


def _checkpoints(directory: RunDirectory) -> tuple[dict[str, Checkpoint], list[Finding]]:
    """(the intact ones by file name, the youngest first; what is said of them)."""
    findings = []
    found, is_manifest_intact = generations(directory.checkpoints)
    folder = directory.checkpoints.name
    for generation in found:
        name = f"{folder}/{generation.file}"
        if generation.checkpoint is None:
            state = DAMAGED if (directory.path / name).exists() else MISSING
            findings.append(Finding(name, state, str(generation.problem), state == DAMAGED))
        else:
            findings.append(Finding(name, INTACT, f"sweep {generation.checkpoint.meta['sweep']}"))
    if found and not is_manifest_intact:
        state = DAMAGED if (directory.checkpoints / MANIFEST).exists() else MISSING
        findings.append(Finding(f"{folder}/{MANIFEST}", state, "cannot be read", state == DAMAGED))
    intact = [(g.file, g.checkpoint) for g in found if g.checkpoint is not None]
    return dict(sorted(intact, key=lambda pair: -pair[1].meta["serial"])), findings


def _burn_in(directory: RunDirectory, config: RunConfig, checkpoints: dict[str, Checkpoint], report: Report) -> None:
    n_burn_in = config.run.n_burn_in
    if not n_burn_in or all(c.meta["sweep"] < n_burn_in for c in checkpoints.values()):
        return
    try:
        found = directory.read_json(BURN_IN_FILE)
        youngest = next(iter(checkpoints.values()), None)
        if youngest is not None and found != {"rounds": youngest.meta["ladder_history"]}:
            raise RunDirectoryError("it differs from what the checkpoint holds")
        report.findings.append(Finding(BURN_IN_FILE, INTACT))
    except RunDirectoryError as error:
        state = DAMAGED if (directory.path / BURN_IN_FILE).exists() else MISSING
        report.findings.append(Finding(BURN_IN_FILE, state, _first_line(error), state == DAMAGED))
        report.advice.append(f"The next run writes {BURN_IN_FILE} again from its checkpoint.")


def _judge(
    directory: RunDirectory,
    config: RunConfig,
    segments: dict[int, dict[str, Any]],
    checkpoints: dict[str, Checkpoint],
    report: Report,
) -> None:
    """Which checkpoint has all the results that it counts on."""
    n_all = config.n_segments
    usable = next((file for file, c in checkpoints.items() if _n_needed(config, c) <= _n_first(segments)), None)
    if usable is None:
        return _judge_without_checkpoint(directory, n_all, segments, checkpoints, report)
    if usable != next(iter(checkpoints)):
        newer = [f"{directory.checkpoints.name}/{file}" for file in checkpoints if file != usable]
        report.findings = [
            Finding(f.path, DAMAGED, f"{f.detail}: counts on results that are lost", True) if f.path in newer else f
            for f in report.findings
        ]
        sweep = checkpoints[usable].meta["sweep"]
        report.advice.append(f"--repair moves it aside; the same command then goes on from sweep {sweep}.")
        report.verdict = "repairable"
    elif len(segments) == n_all and _n_needed(config, checkpoints[usable]) == n_all:
        report.advice.append("All results are there; nothing is left to do.")
    elif report.verdict == INTACT:
        report.verdict = "resumable"
        report.advice.append(f"The same command goes on from sweep {checkpoints[usable].meta['sweep']}.")


def _judge_without_checkpoint(
    directory: RunDirectory,
    n_all: int,
    segments: dict[int, dict[str, Any]],
    checkpoints: dict[str, Checkpoint],
    report: Report,
) -> None:
    n_first, is_empty = _n_first(segments), not directory.segment_paths()
    if n_first == n_all:
        report.advice.append("All results are there and can be read; only the state to go on from is gone.")
        return
    if not checkpoints and is_empty and not report.has_damage:
        report.verdict = "resumable"
        report.advice.append("Nothing is saved yet: the same command starts from the first sweep.")
        return
    needed = max((c.meta["sweep"] for c in checkpoints.values()), default=None)
    if needed is not None and not (directory.segment(n_first)).exists():
        name = str(directory.segment(n_first).relative_to(directory.path))
        report.findings.append(Finding(name, MISSING, f"the checkpoint of sweep {needed} counts on it"))
    report.verdict = "lost"
    report.advice.append(
        f"Results files 0 to {n_first - 1} of {n_all} can be read; " if n_first else "No results file can be read; "
    )
    report.advice[-1] += f"the rest cannot be continued here. Restore what is named from a copy, or {AGAIN}."


def _n_needed(config: RunConfig, checkpoint: Checkpoint) -> int:
    n_done = int(checkpoint.meta["n_done"])
    return config.n_segments if n_done == config.run.n_sweeps else n_done // config.segment_sweeps


def _n_first(segments: dict[int, Any]) -> int:
    """How many results files from the first on are intact without a gap."""
    n = 0
    while n in segments:
        n += 1
    return n


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
