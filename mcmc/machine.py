"""What the machine has to give."""

import os
from pathlib import Path


def free_memory_bytes() -> int:
    """Memory of the host that can be had without swapping, as the operating system tells."""
    try:  # the free pages alone would leave out the cache of files
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
