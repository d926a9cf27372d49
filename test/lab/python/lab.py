"""What the scripts share: events, payloads, models, stores."""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile
import urllib.parse

import cloudpickle
import mlflow

BLOCK = 1 << 20


class Sizes(mlflow.pyfunc.PythonModel):
    """Answers with the size of each of its artifacts: it works only where they are."""

    def predict(self, context, model_input, params=None):
        return {name: pathlib.Path(path).stat().st_size for name, path in sorted(context.artifacts.items())}


# The scripts that load a model back are other processes: the class has to travel in the pickle.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def write_payload(path, seed, size):
    """Incompressible bytes that depend on the seed alone; payload.ts makes the same ones."""
    with open(path, "wb") as file:
        for block in range((size + BLOCK - 1) // BLOCK):
            file.write(hashlib.shake_128(f"{seed}:{block}".encode()).digest(min(BLOCK, size - block * BLOCK)))


def digests(folder):
    """Every file of a folder: relative path -> bytes and sha256."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": sha256}
    return found


def arguments(parser):
    """The options of everything that logs a model."""
    parser.add_argument("--experiment", default="lab")
    parser.add_argument("--artifact-location", help="of the experiment, when it is made here")
    parser.add_argument("--name", default="model")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=BYTES[:SEED]", help="a payload; its seed is its name")
    parser.add_argument("--artifact", action="append", default=[], metavar="PATH", help="a file or folder to log as it is")
    parser.add_argument("--keep", metavar="DIR", help="gets a copy of the model folder as it was just before its upload")
    return parser


def parser(description):
    return argparse.ArgumentParser(description=description)


def experiment(given):
    """The id of the experiment, which is made where it does not exist."""
    found = mlflow.get_experiment_by_name(given.experiment)
    if found:
        if given.artifact_location not in (None, found.artifact_location):
            sys.exit(f"the experiment {given.experiment} lies at {found.artifact_location}, not at {given.artifact_location}")
        return found.experiment_id
    return mlflow.create_experiment(given.experiment, artifact_location=given.artifact_location)


def log_model(given, before_upload=lambda facts: None):
    """Logs a pyfunc model with the real client; `before_upload` is called when its folder is whole and nothing is sent yet."""
    experiment_id = experiment(given)
    sources = pathlib.Path(tempfile.mkdtemp(prefix="payload-"))
    artifacts = {pathlib.Path(path).name: path for path in given.artifact}
    for file in given.file or ([] if given.artifact else ["data.bin=2000000"]):
        name, _, rest = file.partition("=")
        size, _, seed = rest.partition(":")
        write_payload(sources / name, seed or name, int(size))
        artifacts[name] = str(sources / name)

    facts = {"experiment_id": experiment_id, "payloads": str(sources)}

    def saved(folder):
        if given.keep:
            shutil.copytree(folder, given.keep, dirs_exist_ok=True)
        files = digests(folder)
        tell("saved", **facts, folder=str(folder), files=files)
        before_upload({**facts, "files": files})

    with mlflow.start_run(experiment_id=experiment_id) as run:
        facts["run_id"] = run.info.run_id
        at_upload(facts, saved, run, given.name)
        three = int(mlflow.__version__.split(".")[0]) >= 3
        mlflow.pyfunc.log_model(
            **{"name" if three else "artifact_path": given.name},
            python_model=Sizes(),
            artifacts=artifacts,
            pip_requirements=["mlflow"],
        )
    shutil.rmtree(sources)
    tell("logged", **facts)
    return facts


def at_upload(facts, saved, run, name):
    """Wraps the one call by which log_model hands over the finished folder; what is sent, and how, stays MLflow's own."""
    if hasattr(mlflow.MlflowClient, "log_model_artifacts"):
        original = mlflow.MlflowClient.log_model_artifacts

        def log_model_artifacts(self, model_id, local_dir, *args, **kwargs):
            facts["model_id"] = model_id
            facts["artifact_uri"] = mlflow.get_logged_model(model_id).artifact_location
            saved(local_dir)
            return original(self, model_id, local_dir, *args, **kwargs)

        mlflow.MlflowClient.log_model_artifacts = log_model_artifacts
    else:
        original_2 = mlflow.tracking.fluent.log_artifacts

        def log_artifacts(local_dir, *args, **kwargs):
            facts["artifact_uri"] = f"{run.info.artifact_uri}/{name}"
            saved(local_dir)
            return original_2(local_dir, *args, **kwargs)

        mlflow.tracking.fluent.log_artifacts = log_artifacts


def s3_client(endpoint=None):
    import boto3

    return boto3.client("s3", endpoint_url=endpoint or os.environ.get("MLFLOW_S3_ENDPOINT_URL"))


class FolderStore:
    def __init__(self, base):
        self.base = pathlib.Path(base)

    def paths(self):
        return [path.relative_to(self.base).as_posix() for path in self.base.rglob("*") if path.is_file()]

    def read(self, path):
        return (self.base / path).read_bytes()

    def write(self, path, data):
        (self.base / path).parent.mkdir(parents=True, exist_ok=True)
        (self.base / path).write_bytes(data)

    def remove(self, path):
        (self.base / path).unlink()


class S3Store:
    def __init__(self, base, endpoint):
        self.bucket, _, self.prefix = base.removeprefix("s3://").partition("/")
        self.client = s3_client(endpoint)

    def key(self, path):
        return f"{self.prefix}/{path}" if self.prefix else path

    def paths(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.key(""))
        return [found["Key"][len(self.key("")) :] for page in pages for found in page.get("Contents", [])]

    def read(self, path):
        return self.client.get_object(Bucket=self.bucket, Key=self.key(path))["Body"].read()

    def write(self, path, data):
        self.client.put_object(Bucket=self.bucket, Key=self.key(path), Body=data)

    def remove(self, path):
        self.client.delete_object(Bucket=self.bucket, Key=self.key(path))

    def open_upload(self, path, parts, part_bytes):
        started = self.client.create_multipart_upload(Bucket=self.bucket, Key=self.key(path))
        for number in range(1, parts + 1):
            body = hashlib.shake_128(f"{path}:part:{number}".encode()).digest(part_bytes)
            self.client.upload_part(
                Bucket=self.bucket, Key=self.key(path), UploadId=started["UploadId"], PartNumber=number, Body=body
            )
        return started["UploadId"]


def store_at(uri, destination=None, endpoint=None):
    """The store behind an artifact URI; `destination` is where a proxying server keeps what it is given."""
    if uri.startswith("mlflow-artifacts:"):
        if not destination:
            raise SystemExit("mlflow-artifacts: needs --destination")
        uri = f"{destination.rstrip('/')}/{urllib.parse.urlparse(uri).path.lstrip('/')}"
    if uri.startswith("s3://"):
        return S3Store(uri, endpoint)
    return FolderStore(urllib.parse.urlparse(uri).path if uri.startswith("file:") else uri)
