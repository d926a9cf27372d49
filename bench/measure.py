"""Runs one command and tells what it took, as the kernel counted it for the process and all that it waited for.

measure.py STDOUT STDERR COMMAND...

Prints one JSON line: {"code", "wall" and "cpu" (user + system) in seconds, "rss": peak resident memory in bytes}.
"""

import json
import os
import sys
import time

stdout, stderr, *command = sys.argv[1:]
flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
began = time.monotonic()
child = os.posix_spawnp(
    command[0],
    command,
    os.environ,
    file_actions=[
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr, flags, 0o600),
    ],
)
_, status, usage = os.wait4(child, 0)
# Linux counts in KiB, macOS in bytes.
unit = 1 if sys.platform == "darwin" else 1024
print(
    json.dumps(
        {
            "code": os.waitstatus_to_exitcode(status),
            "wall": time.monotonic() - began,
            "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss * unit,
        }
    )
)
