"""A table of what was tried and what came of it, printed at the end of a test run."""

from collections import Counter, defaultdict

Table = dict[str, Counter]


def new_table() -> Table:
    return defaultdict(Counter)


def write_table(terminalreporter, title: str, head: tuple[str, str], outcomes: tuple[str, ...], table: Table) -> None:
    """One row for each thing that was tried: how often, and how often with each outcome.

    Args:
        head: names of the first two columns: what was tried, and how often.
    """
    if not table:
        return
    terminalreporter.section(title)
    terminalreporter.write_line("| " + " | ".join((*head, *outcomes)) + " |")
    terminalreporter.write_line("|---|" + "---:|" * (len(outcomes) + 1))
    for name, counts in table.items():
        cells = [str(counts.total()), *(str(counts[outcome]) for outcome in outcomes)]
        terminalreporter.write_line(f"| {name} | " + " | ".join(cells) + " |")
