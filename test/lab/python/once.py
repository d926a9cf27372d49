"""Makes a folder of the cache exactly once, whoever asks at the same time.

once.py FOLDER STEPS, where STEPS is a JSON list of {"command": [...], "env": {...}}, run inside FOLDER.

The lock is the kernel's (flock), held by this process and by each step, so it vanishes with them however they end; a
folder counts only with its `.complete` file, which is written last. Prints `reused` or `made`.
"""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys

folder = pathlib.Path(sys.argv[1])
complete = folder / ".complete"
folder.parent.mkdir(parents=True, exist_ok=True)
with open(f"{folder}.lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if complete.exists():
        print("reused")
        sys.exit(0)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for step in json.loads(sys.argv[2]):
        subprocess.run(
            step["command"],
            env={**os.environ, **step.get("env", {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            pass_fds=(lock.fileno(),),
            check=True,
        )
    complete.touch()
print("made")
