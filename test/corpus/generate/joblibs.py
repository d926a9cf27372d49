"""Joblib files: arrays of all kinds raw inside the pickle, every compressor, several protocols."""

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(5)
x = rng.normal(size=(120, 6))
y = (x[:, 0] > 0).astype(int)


def small(into) -> None:
    values = {
        "array": x,
        "fortran": np.asfortranarray(x),
        "dict": {"w": x, "b": np.zeros(6), "empty": np.zeros((0, 4)), "scalar": np.array(4.5), "name": "größe"},
        "objects": np.array([{"a": x[:3]}, None, "s"], dtype=object),
        "strings": np.array(["größe", "b"]),
        "structured": np.zeros(5, [("a", "<i4"), ("b", "<f8")]),
        "zeros": [np.zeros((70, 50)), np.zeros(9, "f4")],
        "frame": pd.DataFrame({"x": x[:, 0], "s": [f"r{i}" for i in range(120)]}),
        "text": "no array at all",
        "matrix": np.matrix(x[:4]),
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y),
        "forest": RandomForestClassifier(4, max_depth=3, random_state=0).fit(x, y),
    }
    for name, value in values.items():
        joblib.dump(value, into / f"{name}.joblib")
        for protocol in (2, 3, 4, 5):
            if name in ("dict", "pipeline", "objects"):
                joblib.dump(value, into / f"{name}-{protocol}.joblib", protocol=protocol)
    for method in ("zlib", "gzip", "bz2", "lzma", "xz", "lz4"):
        for level in (1, 9):
            joblib.dump(values["dict"], into / f"{method}-{level}.joblib", compress=(method, level))
        joblib.dump(values["forest"], into / f"forest.joblib.{method}", compress=(method, 3))
    joblib.dump(values["forest"], into / "forest.pkl.gz")
    joblib.dump(values["pipeline"], into / "pipeline.pkl")


def large(into) -> None:
    w = rng.normal(size=(1100, 1000))
    joblib.dump({"w": w, "zeros": np.zeros(100_000), "end": "x"}, into / "array.joblib")
    joblib.dump({"w": w, "end": np.arange(5)}, into / "array-2.joblib", protocol=2)
    big = RandomForestClassifier(100, random_state=0).fit(rng.normal(size=(6000, 8)), rng.integers(0, 3, 6000))
    joblib.dump(big, into / "forest.joblib")
    for method in ("zlib", "gzip", "bz2", "xz", "lz4"):
        joblib.dump(w[:700], into / f"array.{method}.joblib", compress=(method, 3))
