"""Writes valid files of every format by the libraries that write them for real, in all the legal oddities that verifiers meet.

    python generate.py OUT [--large] [FAMILY ...]

A family is a module in generate/ and is written into OUT/FAMILY; without names, all whose libraries can be imported. Files
are small, so that they can be committed; `--large` writes in addition the ones that reach past part boundaries (some
1.5 GB in all). The libraries' versions are in requirements/; TensorFlow and PyTorch each have an environment of their own.
"""

import argparse
import importlib
import pathlib
import shutil

FAMILIES = [
    "numpys", "pickles", "joblibs", "compressed", "zips", "tars", "sklearns", "safetensor", "onnxs", "ggufs", "hdf5s",
    "xgboosts", "lightgbms", "catboosts", "parquets", "arrows", "sqlites", "msgpacks", "sentencepieces", "jsons",
    "images", "folders", "torches", "tensorflows",
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("families", nargs="*")
    asked = parser.parse_args()
    for family in asked.families or FAMILIES:
        try:
            module = importlib.import_module(f"generate.{family}")
        except ImportError as error:
            if asked.families:
                raise
            print(f"{family}: left out, {error}")
            continue
        into = asked.out / family
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        (module.large if asked.large else module.small)(into)
        files = [path for path in into.rglob("*") if path.is_file()]
        print(f"{family}: {len(files)} files, {sum(path.stat().st_size for path in files)} bytes")
        if not files:
            into.rmdir()


main()
