"""The lines of a new measurement, and those of other processors from before.

python benchmarks/keep_lines.py OLD.jsonl NEW.jsonl     # OLD takes them in; NEW is removed
"""

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    arguments = parser.parse_args()
    new = arguments.new.read_text(encoding="utf-8").splitlines()
    measured = {processor(line) for line in new}
    old = arguments.old.read_text(encoding="utf-8").splitlines() if arguments.old.exists() else []
    kept = [line for line in old if processor(line) not in measured]
    arguments.new.write_text("".join(f"{line}\n" for line in (*kept, *new)), encoding="utf-8")
    arguments.new.replace(arguments.old)


def processor(line: str) -> tuple[str, str | None]:
    machine = json.loads(line)["machine"]
    return machine["cpu"], machine.get("cpu_family")


if __name__ == "__main__":
    main()
