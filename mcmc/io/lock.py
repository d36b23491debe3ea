"""One writer of a directory at a time, whatever machines share the file system.

The lock is a file that names its holder and whose time of change the holder renews: its heartbeat. A process of the
same machine is known to be dead by its number and its start; of another machine, by a heartbeat that stays away, first
by the clock of the file system and then by our own while we watch. Nothing relies on flock or on clocks that agree.

lock                 the holder; made by link(2) of a complete file, which is atomic on network file systems too
lock.after-DIGEST    held by the one process that may replace the holder with that digest
lock.mine-TOKEN      what is linked; gone a moment later
"""

import contextlib
import hashlib
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcmc.errors import RunDirectoryError
from mcmc.io.atomic import storage_error

LOCK = "lock"
HEARTBEAT_S = 20.0
SILENT_S = 120.0  # several heartbeats and the delays of a busy file server
WATCH_S = 45.0  # two heartbeats: clocks that jumped cannot make a living holder look dead


class Lock:
    """The right to write to a directory.

    Attributes:
        path:   of the lock file.
        holder: what it says of us.
    """

    def __init__(self, directory: Path):
        self.path = directory / LOCK
        self.holder = {**_this_process(), "token": secrets.token_hex(8)}
        self._content = (json.dumps(self.holder) + "\n").encode()
        self._ended = threading.Event()

    def acquire(self) -> None:
        """Take the lock, also of a holder that is dead.

        Raises:
            RunDirectoryError: another process holds it.   StorageError: the directory cannot be written.
        """
        mine = self.path.with_name(f"{LOCK}.mine-{self.holder['token']}")
        try:
            try:
                mine.write_bytes(self._content)
                self._take(self.path, mine)
            finally:
                mine.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(self.path, error) from error
        threading.Thread(target=self._beat, daemon=True).start()

    def release(self) -> None:
        """Give the lock up, unless it is no longer ours."""
        self._ended.set()
        with contextlib.suppress(OSError):
            if _read(self.path) == self._content:
                self.path.unlink(missing_ok=True)

    def verify(self) -> None:
        """To be asked before a write: were we taken for dead, suspended or cut off from the file server, meanwhile?

        Raises:
            RunDirectoryError: another process holds the directory now, or somebody removed the lock.
        """
        found = _read(self.path)
        if found == self._content:
            return
        holder = _parse(found or b"") or {}
        by = f"process {holder.get('pid')} on {holder.get('host')} has taken it over" if found else "its lock is gone"
        raise RunDirectoryError(
            f"{self.path.parent} is no longer ours: {by} while this process showed no life. Nothing more was written; "
            "run the same command again once no other writes there: it resumes.",
            **holder,
        )

    def _take(self, name: Path, mine: Path) -> None:
        while not _link(mine, name, self._content):
            found = _read(name)
            if found is None:
                continue  # it was given up this moment
            holder = _parse(found)
            if holder is None and _is_being_filled(name, found):
                continue
            if holder is not None and not _is_dead(holder, name, mine):
                raise RunDirectoryError(
                    f"{name.parent} is being written by process {holder['pid']} on {holder['host']}. Wait for it, "
                    f"or, if you are sure that it has ended, remove {name}.",
                    **holder,
                )
            if self._replace(name, found, mine):
                return

    def _replace(self, name: Path, found: bytes, mine: Path) -> bool:
        """Put us in the place of a dead holder; False if another process was first.

        Removing the dead lock and taking a new one would let two do so at once, the slower one removing the lock of the
        faster. Here only the one that holds the guard may replace this very holder, and it looks again before it does.
        """
        guard = self.path.with_name(f"{LOCK}.after-{hashlib.sha256(found).hexdigest()[:16]}")
        self._take(guard, mine)
        try:
            if _read(name) != found:
                return False
            fresh = mine.with_name(mine.name + "-fresh")  # a second file: rename does nothing between two links of one
            fresh.write_bytes(self._content)
            os.replace(fresh, name)
            return True
        finally:
            guard.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):  # the file server may come back; `verify` tells if it is too late
                if _read(self.path) == self._content:
                    os.utime(self.path)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[Lock]:
    """Hold the directory for writing.

    Raises:
        RunDirectoryError: another process holds it.   StorageError: it cannot be written.
    """
    lock = Lock(directory)
    lock.acquire()
    try:
        yield lock
    finally:
        lock.release()


def is_lock_file(path: Path) -> bool:
    """The lock, or what taking it leaves when it is cut short."""
    return path.name == LOCK or path.name.startswith((f"{LOCK}.mine-", f"{LOCK}.after-"))


def holder_of(directory: Path) -> tuple[dict[str, Any] | None, bool]:
    """(who holds the lock, whether that process of this machine is dead); (None, True) for a lock that names nobody.

    Raises:
        FileNotFoundError: there is no lock.
    """
    found = (directory / LOCK).read_bytes()
    holder = _parse(found)
    return holder, holder is None or (_is_of_this_machine(holder) and not _lives(holder))


def _link(mine: Path, name: Path, content: bytes) -> bool:
    try:
        os.link(mine, name)
        return True
    except FileExistsError:
        with contextlib.suppress(OSError):  # a network file system may have done it and lost the answer
            return os.path.samefile(mine, name)
        return False
    except OSError:
        pass  # no links on this file system: exclusive creation is the next best
    try:
        descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return True


def _read(name: Path) -> bytes | None:
    try:
        return name.read_bytes()
    except FileNotFoundError:
        return None


def _parse(found: bytes) -> dict[str, Any] | None:
    try:
        holder = json.loads(found)
        return holder if {"host"} <= holder.keys() and isinstance(holder["pid"], int) else None
    except (ValueError, KeyError, AttributeError):
        return None


def _is_being_filled(name: Path, found: bytes) -> bool:
    """A lock made without link is empty for a moment; what stays incomplete was left by a kill or a power loss."""
    for _ in range(10):
        time.sleep(0.05)
        if _read(name) != found:
            return True
    return False


def _is_dead(holder: dict[str, Any], name: Path, mine: Path) -> bool:
    if _is_of_this_machine(holder):
        return not _lives(holder)
    return "token" in holder and _is_silent(holder, name, mine)  # without one it has no heartbeat


def _is_of_this_machine(holder: dict[str, Any]) -> bool:
    me = _this_process()
    return all(holder.get(key, me[key]) == me[key] for key in ("host", "boot", "pid_namespace"))


def _lives(holder: dict[str, Any]) -> bool:
    pid, started = holder["pid"], holder.get("started")
    if "started" not in holder and pid == os.getpid():
        return False  # our own number, from an earlier life
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError, ValueError):
        return False
    except PermissionError:
        pass
    state, found = _state_and_start(pid)
    return state != "Z" and (started is None or found is None or started == found)


def _is_silent(holder: dict[str, Any], name: Path, mine: Path) -> bool:
    """No heartbeat for SILENT_S by the clock of the file system, nor while we watch."""
    try:
        os.utime(mine)
        before = name.stat()
        age = mine.stat().st_mtime - before.st_mtime
        if abs(age) < SILENT_S:
            return False
        print(
            f"mlp-gibbs: {name} of process {holder['pid']} on {holder['host']} was last renewed {age:.0f} s ago; "
            f"watching it for {WATCH_S:.0f} s before taking it over.",
            file=sys.stderr,
        )
        time.sleep(WATCH_S)
        after = name.stat()
    except FileNotFoundError:
        return True  # given up meanwhile: the next look will tell
    return (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def _this_process() -> dict[str, Any]:
    boot, namespace = None, None
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "boot": boot,
        "pid_namespace": namespace,
        "started": _state_and_start(os.getpid())[1],
    }


def _state_and_start(pid: int) -> tuple[str | None, int | None]:
    """State letter and start (clock ticks after boot) of a process; None where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return None, None
