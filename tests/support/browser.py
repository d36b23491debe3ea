"""Pages in a headless browser: what the console says, and the document after scripts have run."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)


@dataclass(frozen=True)
class Loaded:
    """What a page became.

    Attributes:
        document: after its scripts have run.
        console:  its messages: errors of scripts, refusals of the content policy, log lines.
    """

    document: str
    console: list[str]


def load(page: Path, profile: Path, *, size: tuple[int, int] = (1200, 900)) -> Loaded:
    """Open the page in a fresh profile."""
    assert BROWSER is not None
    where = (f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}")
    done = subprocess.run(
        [BROWSER, *FLAGS, *where, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HOME": str(profile)},
    )
    assert done.returncode == 0, done.stderr
    return Loaded(done.stdout, re.findall(r"CONSOLE.*?\] (.*)", done.stderr))


def with_script(page: str, code: str) -> str:
    """The page with a script of the test at its end, allowed by name in the policy of the page."""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    allowed = page.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    assert allowed != page
    return allowed.replace("</body>", f"<script>{code}</script></body>")
