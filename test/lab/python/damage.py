"""Logs one model, or with --run one run, for each damage asked for, and damages it in the store.

A damage is `none`, or one or more of `ACTION:PATH` joined by `+`, each PATH relative to the artifact root. Prints `damaged` for each:
what `logged` said and the `damage`; an `upload_id` where one was left open.
"""

import os
import pathlib
import tempfile
import urllib.parse

import lab
import mlflow
import payloads
import requests

PART = 5 << 20
PAGE = 4096


def truncate(store, path):
    whole = store.read(path)
    store.write(path, whole[: len(whole) // 2])


def zero_tail(store, path):
    """The size stays: what a copy leaves that was given its full size at once, or a disk that lost its last pages."""
    whole = store.read(path)
    kept = len(whole) // 2 // PAGE * PAGE
    store.write(path, whole[:kept] + bytes(len(whole) - kept))


def stage(store, path):
    folder = path.rpartition("/")[0]
    store.write(f"{folder}/.artifact.uploading.lab0damage".lstrip("/"), b"\1" * 300_000)


def orphan(store, path, uri):
    """Begins an upload and sends one part, through the server where it keeps the artifacts: what it signs, it forgets."""
    if not uri.startswith("mlflow-artifacts:"):
        return store.open_upload(path, parts=1, part_bytes=PART)
    folder, _, name = path.rpartition("/")
    root = urllib.parse.urlparse(uri).path.strip("/")
    begun = requests.post(
        f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow-artifacts/mpu/create/{root}/{folder}",
        json={"path": name, "num_parts": 2},
        timeout=60,
    )
    begun.raise_for_status()
    requests.put(begun.json()["credentials"][0]["url"], data=payloads.noise(path, PART), timeout=60).raise_for_status()
    return begun.json()["upload_id"]


ACTIONS = {
    "missing": lambda store, path: store.remove(path),
    "truncated": truncate,
    "emptied": lambda store, path: store.write(path, b""),
    "zero-tail": zero_tail,
    "staged": stage,
}

parser = lab.arguments(lab.parser(__doc__))
parser.add_argument("damage", nargs="+", help=f"none, or {', '.join(ACTIONS)}, orphan")
parser.add_argument("--run", action="store_true", help="log the payloads as artifacts of a run, without a model")
parser.add_argument("--formats", action="store_true", help="a payload of every format in payloads.py")
parser.add_argument("--destination", help="where a proxying server keeps its artifacts: a folder or s3://...")
parser.add_argument("--store-endpoint", help="the S3 endpoint; MLFLOW_S3_ENDPOINT_URL unless told")
given = parser.parse_args()


def log_run(given):
    """Logs the payloads as artifacts, as a training script does without a model."""
    experiment_id = lab.experiment(given)
    with mlflow.start_run(experiment_id=experiment_id) as run:
        for path in given.artifact:
            mlflow.log_artifact(path, "outputs")
    return {"experiment_id": experiment_id, "run_id": run.info.run_id, "artifact_uri": run.info.artifact_uri}


with tempfile.TemporaryDirectory() as folder:
    if given.formats:
        given.artifact += payloads.write_all(pathlib.Path(folder))
    for damage in given.damage:
        facts = log_run(given) if given.run else lab.log_model(given)
        store = lab.store_at(facts["artifact_uri"], given.destination, given.store_endpoint)
        for part in [] if damage == "none" else damage.split("+"):
            action, _, path = part.partition(":")
            if action == "orphan":
                facts["upload_id"] = orphan(store, path, facts["artifact_uri"])
            else:
                ACTIONS[action](store, path)
        lab.tell("damaged", damage=damage, **facts)
