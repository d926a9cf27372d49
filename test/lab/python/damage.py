"""Logs a model, or takes one that is there, and damages it in the store.

Prints `damaged`: what `saved` or `logged` said, `kind`, and the paths (relative to the model) that were changed.
"""

import re

import lab


def data_file(store):
    """The first artifact that the MLmodel names."""
    return re.search(r"^ +path: (artifacts/\S+)$", store.read("MLmodel").decode(), re.MULTILINE)[1]


def truncated(store, path):
    whole = store.read(path)
    store.write(path, whole[: len(whole) // 2])
    return {"paths": [path], "bytes_before": len(whole), "bytes_now": len(whole) // 2}


def removed(store, *paths):
    for path in paths:
        store.remove(path)
    return {"paths": list(paths)}


def emptied(store, path):
    store.write(path, b"")
    return {"paths": [path]}


def staging(store):
    path = "artifacts/.artifact.uploading.lab0damage"
    store.write(path, b"\1" * 300_000)
    return {"paths": [path]}


def orphan(store):
    path = "artifacts/orphan.bin"
    return {"paths": [path], "upload_id": store.open_upload(path, parts=2, part_bytes=5 << 20)}


KINDS = {
    "missing-mlmodel": lambda store: removed(store, "MLmodel"),
    "truncated-data": lambda store: truncated(store, data_file(store)),
    "missing-data": lambda store: removed(store, data_file(store)),
    "truncated-pickle": lambda store: truncated(store, "python_model.pkl"),
    "zero-pickle": lambda store: emptied(store, "python_model.pkl"),
    "missing-env": lambda store: removed(store, "python_env.yaml", "requirements.txt"),
    "missing-flavor-file": lambda store: removed(store, "python_model.pkl"),
    "staging-leftover": staging,
    "orphan-multipart": orphan,
}

parser = lab.arguments(lab.parser(__doc__))
parser.add_argument("kind", choices=sorted(KINDS))
parser.add_argument("--uri", help="the artifact URI of a model that is there; without it a new one is logged")
parser.add_argument("--destination", help="where a proxying server keeps its artifacts: a folder or s3://...")
parser.add_argument("--store-endpoint", help="the S3 endpoint; MLFLOW_S3_ENDPOINT_URL unless told")
given = parser.parse_args()

facts = {"artifact_uri": given.uri} if given.uri else lab.log_model(given)
store = lab.store_at(facts["artifact_uri"], given.destination, given.store_endpoint)
lab.tell("damaged", kind=given.kind, **facts, **KINDS[given.kind](store))
