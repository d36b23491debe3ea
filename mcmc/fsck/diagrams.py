"""Examine the directory of a phase diagram: its request, its items, and the file that holds them all."""

from pathlib import Path

from mcmc._version import __version__
from mcmc.diagram.directory import REQUEST_FILE, RESULT_FILE, SCHEMA, DiagramDirectory, read_result
from mcmc.diagram.request import DiagramRequest
from mcmc.errors import MlpGibbsError, SegmentError
from mcmc.fsck.report import DAMAGED, INTACT, MISSING, Finding, Report
from mcmc.fsck.runs import leftovers


def examine_diagram(path: Path) -> Report:
    """Read every byte of a diagram; change nothing."""
    report = Report(path, "diagram")
    directory = DiagramDirectory(path)
    whole = _whole(directory)
    request = _request(directory, whole, report)
    if request is not None:
        n_done = _items(directory, request, report)
        n_all = len(request.items())
        if isinstance(whole, str):
            report.findings.append(Finding(RESULT_FILE, DAMAGED, whole, True))
        elif whole is not None:
            report.findings.append(Finding(RESULT_FILE, INTACT, f"{n_all} items"))
        if report.verdict == INTACT and (n_done < n_all or whole is None or isinstance(whole, str)):
            report.verdict = "resumable"
            report.advice.append(f"The same command computes what is missing of {n_all} items ({n_done} are there).")
    report.findings += leftovers(path)
    return report


def _whole(directory: DiagramDirectory) -> DiagramRequest | str | None:
    """The request in the file of the whole diagram; what is wrong with that file; None if it is not there yet."""
    if not directory.result.exists():
        return None
    try:
        return read_result(directory.result)[0]
    except SegmentError as error:
        return str(error).split("\n")[0]


def _request(directory: DiagramDirectory, whole: DiagramRequest | str | None, report: Report) -> DiagramRequest | None:
    try:
        request = directory.request()
        report.findings.append(Finding(REQUEST_FILE, INTACT))
        return request
    except MlpGibbsError as error:
        report.findings.append(Finding(REQUEST_FILE, DAMAGED, str(error).split("\n")[0], True))
    if isinstance(whole, DiagramRequest):
        report.rewrites[REQUEST_FILE] = {"schema": SCHEMA, "version": __version__, "request": whole.identity()}
        report.verdict = "repairable"
        report.advice.append(f"--repair writes {REQUEST_FILE} again from {RESULT_FILE}.")
        return whole
    report.verdict = "lost"
    report.advice.append(
        f"What the diagram shows is not known. Restore {REQUEST_FILE} from a copy, or give the command another --out."
    )
    return None


def _items(directory: DiagramDirectory, request: DiagramRequest, report: Report) -> int:
    n_done = 0
    for item in request.items():
        name = str(directory.item_path(item).relative_to(directory.path))
        try:
            if directory.read_item(item) is not None:
                report.findings.append(Finding(name, INTACT))
                n_done += 1
            elif directory.result.exists():
                report.findings.append(Finding(name, MISSING, "although the whole diagram was written"))
        except SegmentError as error:
            report.findings.append(Finding(name, DAMAGED, str(error).split("\n")[0], True))
    return n_done
