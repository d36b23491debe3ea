"""What was found in a directory: file by file, and all in all."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INTACT, DAMAGED, MISSING, LEFTOVER = "intact", "damaged", "missing", "leftover"


@dataclass(frozen=True)
class Finding:
    """One file.

    Attributes:
        path:    relative to the directory.
        state:   intact, damaged, missing, or leftover (of a process that was cut short; in nobody's way).
        detail:  what was read of it, or what is wrong with it.
        is_moved: `--repair` moves it aside.
    """

    path: str
    state: str
    detail: str = ""
    is_moved: bool = False

    def to_json(self) -> dict[str, Any]:
        """As a plain dictionary."""
        return vars(self)


@dataclass
class Report:
    """A directory.

    Attributes:
        directory: its path.
        kind:      run, diagram or study.
        findings:  in the order in which a person would look.
        verdict:   intact; resumable: the same command ends with the same results; repairable: it does after
            `--repair`; lost: something is gone for good.
        advice:    what to do, one sentence each.
        rewrites:  what `--repair` writes anew from what is intact: names and contents.
        children:  of a study: reports of its items.
        moved:     what `--repair` moved aside, and where to.
    """

    directory: Path
    kind: str
    findings: list[Finding] = field(default_factory=list)
    verdict: str = INTACT
    advice: list[str] = field(default_factory=list)
    rewrites: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: list["Report"] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 if nothing is damaged or missing here or below."""
        return int(self.verdict in ("repairable", "lost") or self.has_damage or any(c.exit_code for c in self.children))

    @property
    def has_damage(self) -> bool:
        """A file that should be there whole is not."""
        return any(finding.state in (DAMAGED, MISSING) for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "directory": str(self.directory),
            "kind": self.kind,
            "verdict": self.verdict,
            "findings": [finding.to_json() for finding in self.findings],
            "advice": self.advice,
            "moved": self.moved,
            "children": [child.to_json() for child in self.children],
        }
