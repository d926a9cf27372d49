from __future__ import annotations

import os
import subprocess
import sys

from ._start import command, environment


def main() -> int:
    words = [*command(), *sys.argv[1:]]
    if os.name == "nt":
        return subprocess.call(words, env=environment())
    # In place of this process, so that signals and the exit code are the tool's own.
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(words[0], words, environment())


if __name__ == "__main__":
    sys.exit(main())
