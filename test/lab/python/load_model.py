"""Loads a model back with the real client. Prints `loaded` with what predict said and the sha256 of every file."""

import lab
import mlflow

parser = lab.parser(__doc__)
parser.add_argument("uri", help="models:/m-..., runs:/..., or an artifact URI")
parser.add_argument("folder", help="where the files go; made when absent")
given = parser.parse_args()

local = mlflow.artifacts.download_artifacts(artifact_uri=given.uri, dst_path=given.folder)
files = lab.digests(local)
try:
    prediction = mlflow.pyfunc.load_model(local).predict([[1]])
except Exception as error:
    lab.tell("refused", error=type(error).__name__, says=str(error), files=files, folder=local)
    raise SystemExit(1) from error
lab.tell("loaded", prediction=prediction, files=files, folder=local)
