"""Logs a model with the real client, and dies in the middle of its upload when told so.

Prints JSON lines: `saved` (ids, model folder and the sha256 of its files, before the first byte is sent), then `killing`,
or `logged`. A client that was to be killed and was not exits with 3. Needs MLFLOW_TRACKING_URI.
"""

import os
import pathlib
import shutil
import signal
import sys
import threading
import time

import lab


def parts_of_open_uploads(store):
    """Yields (upload, parts) of each open upload below the store's prefix."""
    client, bucket = store.client, store.bucket
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        if upload["Key"].startswith(store.key("")):
            which = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            yield upload, client.list_parts(**which).get("Parts", [])


def unfinished_files(folder, files):
    """Yields (path, bytes) of what a folder store holds of a file that is not whole yet.

    A server, and `log_artifact`, write beside the final name; `log_model` to a plain folder writes to the final name.
    """
    for staged in pathlib.Path(folder).rglob(".artifact.uploading.*"):
        try:
            yield staged, staged.stat().st_size
        except FileNotFoundError:
            continue
    for path, file in files.items():
        try:
            size = (folder / path).stat().st_size
        except FileNotFoundError:
            continue
        if size < file["bytes"]:
            yield folder / path, size


def due(given, store, folder, facts):
    """What the kill is waiting for, once it is there."""
    if given.kill_parts is not None:
        for upload, parts in parts_of_open_uploads(store):
            if len(parts) >= given.kill_parts:
                return {"key": upload["Key"], "upload_id": upload["UploadId"], "parts": len(parts)}
    if given.kill_when_there is not None and os.path.exists(given.kill_when_there):
        return {"file": given.kill_when_there}
    if given.kill_written is not None:
        for written, unfinished in unfinished_files(folder, facts["files"]):
            if unfinished >= given.kill_written:
                return {"path": str(written), "bytes": unfinished}
    return None


def kill_when_due(given, facts):
    started = time.monotonic()
    store = folder = None
    if given.kill_parts is not None:
        store = lab.store_at(facts["artifact_uri"], given.destination, given.store_endpoint)
    if given.kill_written is not None:
        folder = lab.store_at(facts["artifact_uri"], given.destination).base
    while True:
        found = due(given, store, folder, facts)
        if found is None and given.kill_after is not None and time.monotonic() - started >= given.kill_after:
            found = {"after": given.kill_after}
        if found is not None:
            ids = {name: value for name, value in facts.items() if name != "files"}
            lab.tell("killing", **found, **ids)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.002)


parser = lab.arguments(lab.parser(__doc__))
parser.add_argument("--destination", help="where a proxying server keeps its artifacts: a folder or s3://...")
parser.add_argument("--store-endpoint", help="the S3 endpoint to look at, where the client's own goes through a slow link")
parser.add_argument("--kill-parts", type=int, metavar="K", help="SIGKILL when an upload is open with K parts or more")
parser.add_argument("--kill-written", type=int, metavar="BYTES", help="SIGKILL when a folder store holds so much of an unfinished file")
parser.add_argument("--kill-when-there", metavar="FILE", help="SIGKILL once this file is there: whoever started it watches the store")
parser.add_argument("--kill-after", type=float, metavar="SECONDS", help="SIGKILL so long after the upload began")
given = parser.parse_args()
to_be_killed = any(how is not None for how in (given.kill_parts, given.kill_written, given.kill_when_there, given.kill_after))


def copy_and_stop(source, target, length=0):
    """Copies until there is enough for the kill, and waits for it there."""
    while block := source.read(1 << 16):
        target.write(block)
        target.flush()
        if target.tell() > given.kill_written:
            time.sleep(120)


def before_upload(facts):
    if given.kill_written is not None:
        # One sendfile of the whole file can be over before another thread gets a turn.
        shutil._USE_CP_SENDFILE = False
        shutil.copyfileobj = copy_and_stop
    if to_be_killed:
        threading.Thread(target=kill_when_due, args=(given, facts), daemon=True).start()


lab.log_model(given, before_upload)
if to_be_killed:
    sys.exit(3)
