"""Stops a pipeline before hours of training whose model could not be uploaded.

Plain Python, with the standard library alone: call ``require_upload_route("20GiB")`` before the training. In Airflow, make a
task of it that goes before the training, on the same worker pool and with the same connections::

    from airflow.decorators import task
    from pretraining import require_upload_route

    check = task(require_upload_route)("20GiB")
    check >> train
"""

from __future__ import annotations

import json
import subprocess


class UploadWouldFail(RuntimeError):
    """The forecast says no, or could not be made; the message names each finding with its remedy."""


def _told(report: dict) -> list[str]:
    lines = []
    trouble = report.get("trouble")
    if trouble:
        lines.append(f"{trouble['what']}: {trouble['why']}. {trouble['todo']}.")
    for row in report.get("forecast", []):
        if row["verdict"] != "passes":
            lines.append(f"{row['path']}: {row['verdict']}: {row['because']}")
            remedy = row.get("remedy", {})
            lines += [remedy["text"]] if remedy else []
            lines += [f"  {line}" for line in remedy.get("commands", [])]
    for check in report["checks"]:
        for finding in check["findings"]:
            lines.append(f"{finding['at']}: {finding['says']}")
            lines.append(finding["remedy"]["text"])
            lines += [f"  {line}" for line in finding["remedy"].get("commands", [])]
        if check["state"] in ("blocked", "crashed"):
            lines.append(f"{check['id']} could not look: {check.get('reason', '')}")
    return lines


def require_upload_route(size: str, *args: str, command: tuple[str, ...] = ("mlflow-doctor",)) -> dict:
    """Returns the report when a model of ``size`` ("20GiB") gets through; raises ``UploadWouldFail`` otherwise.

    ``args`` are further options of ``mlflow-doctor check``, such as ``"--experiment", "churn"``.
    """
    ran = subprocess.run([*command, "check", "--size", size, *args, "--json"], capture_output=True, text=True, check=False)
    try:
        report = json.loads(ran.stdout)
    except json.JSONDecodeError:
        raise UploadWouldFail(f"mlflow-doctor ended with {ran.returncode}: {ran.stderr.strip()}") from None
    if ran.returncode != 0:
        raise UploadWouldFail("\n".join(_told(report)) or f"mlflow-doctor ended with {ran.returncode}")
    return report
