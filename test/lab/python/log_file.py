"""Logs one file to an artifact location by MLflow's own repository, with the retries of the store's library turned off.

log_file.py LOCATION BYTES. Prints one JSON line: `logged`, or `failed` with the error, and the seconds that it took.
"""

import sys
import tempfile
import time

import lab
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository


def without_retries():
    """Each try costs the time-out once more, and ends as the first."""
    from azure.storage.blob import BlobServiceClient
    from google.cloud.storage import Blob

    connect = BlobServiceClient.from_connection_string.__func__
    BlobServiceClient.from_connection_string = classmethod(
        lambda cls, conn_str, **kwargs: connect(cls, conn_str, retry_total=0, **kwargs)
    )
    upload = Blob.upload_from_filename
    Blob.upload_from_filename = lambda self, *args, **kwargs: upload(self, *args, retry=None, **kwargs)


location, size = sys.argv[1], int(sys.argv[2])
without_retries()
with tempfile.TemporaryDirectory() as folder:
    path = f"{folder}/data.bin"
    lab.write_payload(path, "data.bin", size)
    started = time.monotonic()
    try:
        get_artifact_repository(location).log_artifact(path)
        outcome = {"event": "logged"}
    except BaseException as error:
        outcome = {"event": "failed", "error": f"{type(error).__name__}: {error}"[:2000]}
    lab.tell(**outcome, seconds=time.monotonic() - started)
