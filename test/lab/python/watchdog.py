"""Runs one command and lets nothing of it outlive the parent.

watchdog.py --stdout FILE --stderr FILE [--cwd DIR] [--remove DIR] -- COMMAND...

Standard input is the leash: the parent holds its other end, and when that closes, for whatever reason (a SIGKILL of the
parent included), every descendant is killed and the --remove folder goes. Lines on it are orders: `stop` (SIGTERM, ten
seconds, SIGKILL) and `kill` (SIGKILL). Standard output carries one JSON line when the command has started and one when it
has ended and nothing of it is left; the watchdog then waits for the leash to close.
"""

import argparse
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 10


def prctl(option, value):
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def tell(**event):
    try:
        os.write(1, (json.dumps(event) + "\n").encode())
    except OSError:
        pass


def descendants():
    """Children that made a session of their own too; Linux only, elsewhere the process group has to do."""
    parents = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    parents[int(name)] = int(stat.read().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError, IndexError):
                continue
    found, grew = {os.getpid()}, True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return found - {os.getpid()}


def send(pid, sign, group=False):
    try:
        (os.killpg if group else os.kill)(pid, sign)
    except (ProcessLookupError, PermissionError):
        pass


class Leash:
    def __init__(self):
        self.buffer = b""
        self.closed = False

    def orders(self, fds, seconds):
        ready, _, _ = select.select(fds if self.closed else [0, *fds], [], [], seconds)
        if 0 in ready:
            data = os.read(0, 4096)
            self.closed = not data
            self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\n")
        return [line.decode() for line in lines]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--stdout", required=True)
    options.add_argument("--stderr", required=True)
    options.add_argument("--cwd")
    options.add_argument("--remove")
    options.add_argument("command", nargs="+")
    given = options.parse_args()

    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)

    def in_child():
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for restored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(restored, signal.SIG_DFL)

    with open(given.stdout, "ab") as out, open(given.stderr, "ab") as err:
        try:
            child = subprocess.Popen(
                given.command,
                cwd=given.cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=in_child,
            )
        except OSError as error:
            tell(error=str(error))
            return
    tell(pid=child.pid)

    leash, deadline = Leash(), None
    while child.poll() is None:
        left = None if deadline is None else max(0, deadline - time.monotonic())
        for order in leash.orders([wake_read], left):
            if order == "stop" and deadline is None:
                send(child.pid, signal.SIGTERM, group=True)
                deadline = time.monotonic() + GRACE_SECONDS
            elif order == "kill":
                deadline = 0
        try:
            os.read(wake_read, 4096)
        except BlockingIOError:
            pass
        if leash.closed or (deadline is not None and time.monotonic() >= deadline):
            break

    send(child.pid, signal.SIGKILL, group=True)
    child.wait()
    while True:
        for pid in descendants():
            send(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0 if sys.platform == "linux" else os.WNOHANG)
        except ChildProcessError:
            break
    code = child.returncode
    tell(code=code if code >= 0 else None, signal=signal.Signals(-code).name if code < 0 else None)
    while not leash.closed:
        leash.orders([], None)
    if given.remove:
        shutil.rmtree(given.remove, ignore_errors=True)


main()
