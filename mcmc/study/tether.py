"""Processes that do not outlive who started them, also when that one is killed without a chance to tell them."""

import ctypes
import os
import signal
import socket
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
POLL_S = 1.0


def die_with_parent(number: int, parent: int) -> None:
    """Have the kernel send this process a signal when its parent ends; at once if `parent` has ended already.

    Linux only; elsewhere nothing happens. It lasts across exec.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def name_of_this_process() -> str:
    """host:pid, for `leave_with`."""
    return f"{socket.gethostname()}:{os.getpid()}"


def leave_with(process: str) -> None:
    """Send this process SIGTERM when another one of this host has ended; one of another host is not watched."""
    host, _, pid = process.rpartition(":")
    if host != socket.gethostname():
        return

    def watch() -> None:
        while _is_alive(int(pid)):
            time.sleep(POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def leave_at(deadline: float) -> None:
    """Send this process SIGUSR1 at a time, in seconds since the epoch."""

    def wait() -> None:
        time.sleep(max(0.0, deadline - time.time()))
        os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=wait, daemon=True).start()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    # python -m mcmc.study.tether PARENT COMMAND...: run a command that is killed when PARENT ends, and not by Ctrl-C
    parent, *command = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(signal.SIGKILL, int(parent))
    os.execv(command[0], command)
