"""Uploads files with the real MLflow client, one job a request, each in a process forked from one that has imported MLflow.

uploader.py PORT answers GET / with `ready`, and POST / with the outcome of a job:
{"env": {...}, "experiment": id, "as": "log_artifact" | "log_model", "files": {name: bytes}, "payloads": folder,
 "file_size_limit": bytes | null, "seconds": most} gives {"ok", "seconds", "error", "files": {name: artifact URI}}.
"""

import http.server
import json
import os
import pathlib
import resource
import shutil
import signal
import socketserver
import sys
import tempfile
import time

import boto3  # noqa: F401  (imported once, here, for every upload)
import mlflow
import mlflow.pyfunc
import mlflow.store.artifact.http_artifact_repo
import mlflow.store.artifact.s3_artifact_repo

BLOCK = os.urandom(1 << 20)


class Nothing(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


def write(path, size):
    with open(path, "wb") as file:
        for _ in range(size // len(BLOCK)):
            file.write(BLOCK)
        file.write(BLOCK[: size % len(BLOCK)])


def upload(job):
    os.environ.update(job["env"])
    tempfile.tempdir = None
    payloads = pathlib.Path(tempfile.mkdtemp(dir=job["payloads"]))
    paths = {}
    for name, size in job["files"].items():
        paths[name] = payloads / name
        write(paths[name], size)
    if job.get("file_size_limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_size_limit"],) * 2)
    result = {"ok": False, "error": None, "seconds": None, "files": {}}
    began = time.monotonic()
    try:
        signal.alarm(job["seconds"])
        if job["as"] == "log_model":
            with mlflow.start_run(experiment_id=job["experiment"]) as run:
                result["files"] = {name: f"{run.info.artifact_uri}/model/artifacts/{name}" for name in paths}
                began = time.monotonic()
                logged = mlflow.pyfunc.log_model(
                    name="model",
                    python_model=Nothing(),
                    artifacts={name: str(path) for name, path in paths.items()},
                    pip_requirements=["mlflow"],
                )
                root = mlflow.get_logged_model(logged.model_id).artifact_location
                result["files"] = {name: f"{root}/artifacts/{name}" for name in paths}
        else:
            client = mlflow.MlflowClient()
            run = client.create_run(job["experiment"])
            result["files"] = {name: f"{run.info.artifact_uri}/{name}" for name in paths}
            began = time.monotonic()
            for path in paths.values():
                client.log_artifact(run.info.run_id, str(path))
        result["ok"] = True
    except BaseException as error:  # The outcome of the job, whatever it is.
        result["error"] = f"{type(error).__name__}: {error}"[:2000]
    result["seconds"] = time.monotonic() - began
    signal.alarm(0)
    shutil.rmtree(payloads, ignore_errors=True)
    return result


def out_of_time(signum, frame):
    raise TimeoutError("the upload took longer than the matrix waits")


class Jobs(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"ready")

    def do_POST(self):
        signal.signal(signal.SIGALRM, out_of_time)
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(json.dumps(upload(job)).encode())

    def log_message(self, *args):
        pass


class Forking(socketserver.ForkingMixIn, http.server.HTTPServer):
    """A process a job: what one sets in its environment or caches, no other sees."""

    max_children = 8


Forking(("127.0.0.1", int(sys.argv[1])), Jobs).serve_forever()
