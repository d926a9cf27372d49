"""Zip archives by Python and, where they are installed, by Java, Info-ZIP and libarchive: all that makes naive checks stumble."""

import io
import pathlib
import shutil
import subprocess
import tempfile
import zipfile

import numpy as np

rng = np.random.default_rng(5)
text = "".join(f"{i},{i * 7 % 13}\n" for i in range(900))
comment = b"a comment that holds PK\x05\x06 and more than 22 bytes after it, as is legal"


class _OneWay(io.RawIOBase):
    """A file that cannot seek, so that sizes follow the data in a descriptor."""

    def __init__(self, path):
        self._file = open(path, "wb")

    def writable(self):
        return True

    def write(self, data):
        return self._file.write(data)


def _archive(**more):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **more) as archive:
        archive.writestr("model/data.csv", text)
        archive.writestr("model/größe 価格.bin", rng.bytes(700))
        archive.writestr("model/empty", b"")
    return buffer.getvalue()


def small(into) -> None:
    methods = {"stored": 0, "deflate": 8, "bzip2": 12, "lzma": 14}
    for name, method in methods.items():
        (into / f"{name}.zip").write_bytes(_archive(compression=method))
    plain = _archive()
    (into / "prefix.zip").write_bytes(b"#!/bin/sh\nexec unzip $0\n" + plain)
    (into / "bytes-after.zip").write_bytes(plain + b"later")
    (into / "zeros-after.zip").write_bytes(plain + bytes(512))
    for name, said in {"comment": b"short", "comment-mark": comment, "comment-long": b"x" * 65_535}.items():
        buffer = io.BytesIO(plain)
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.comment = said
        (into / f"{name}.zip").write_bytes(buffer.getvalue())
    with zipfile.ZipFile(into / "empty.zip", "w"):
        pass
    with zipfile.ZipFile(into / "one-empty-file.zip", "w") as archive:
        archive.writestr("__init__.py", b"")
    with zipfile.ZipFile(into / "folders.zip", "w") as archive:
        for name in ("a/", "a/b/", "c/"):
            archive.writestr(zipfile.ZipInfo(name), b"")
    with zipfile.ZipFile(into / "nested-last.zip", "w") as archive:
        archive.writestr("first.txt", "x" * 50)
        archive.writestr("inner.zip", plain)
    with zipfile.ZipFile(_OneWay(into / "descriptors.zip"), "w", compression=8) as archive:
        archive.writestr("a.csv", text)
        archive.writestr("b.bin", rng.bytes(900))
    with zipfile.ZipFile(into / "zip64-entry.zip", "w") as archive:
        with archive.open("big-to-be.bin", "w", force_zip64=True) as file:
            file.write(rng.bytes(500))
    with zipfile.ZipFile(into / "extra-and-comment.zip", "w") as archive:
        info = zipfile.ZipInfo("a.txt")
        info.extra, info.comment = b"\x99\x99\x04\x00abcd", b"of an entry"
        archive.writestr(info, "hello")
    with zipfile.ZipFile(into / "zeros.zip", "w") as archive:
        archive.writestr("zeros.bin", bytes(20_000))
    shutil.copy(into / "stored.zip", into / "appended.zip")
    with zipfile.ZipFile(into / "appended.zip", "a") as archive:
        archive.writestr("later.txt", "added later")
    others(into)


def others(into) -> None:
    """By other programs; what is not installed is left out."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "m").mkdir()
        (root / "m" / "data.csv").write_text(text)
        (root / "m" / "noise.bin").write_bytes(rng.bytes(900))
        (root / "m" / "empty").touch()
        commands = {
            "java.jar": ["jar", "cf", "OUT", "-C", "m", "."],
            "java-stored.jar": ["jar", "cf0", "OUT", "-C", "m", "."],
            "info-zip.zip": ["zip", "-qr", "OUT", "m"],
            "info-zip-piped.zip": ["sh", "-c", "zip -qr - m | cat > OUT"],
            "libarchive.zip": ["bsdtar", "-a", "-cf", "OUT", "m"],
            "seven.zip": ["7z", "a", "-bso0", "OUT", "m"],
        }
        for name, command in commands.items():
            program = command[2].split()[0] if command[0] == "sh" else command[0]
            if shutil.which(program):
                out = str((into / name).absolute())
                subprocess.run([part.replace("OUT", out) for part in command], check=True, cwd=root)


def large(into) -> None:
    with zipfile.ZipFile(into / "many.zip", "w") as archive:
        for i in range(65_600):
            archive.writestr(f"{i}", b"")
    with zipfile.ZipFile(into / "large.zip", "w") as archive:
        archive.writestr("noise.bin", rng.bytes(11_000_000))
        archive.writestr("last.txt", "x")
    with zipfile.ZipFile(_OneWay(into / "descriptors.zip"), "w", compression=8) as archive:
        archive.writestr("noise.bin", rng.bytes(9_000_000))
