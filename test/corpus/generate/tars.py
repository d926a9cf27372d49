"""Tar archives: ustar, GNU and pax, long and unicode names, links, sparse files, without end blocks, appended to, compressed."""

import io
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import numpy as np

rng = np.random.default_rng(5)


def _write(path, mode="w", **more) -> None:
    with tarfile.open(path, mode, **more) as archive:
        for name, data in {"m/a.csv": b"1,2\n" * 300, "m/noise": rng.bytes(1300), "m/empty": b"", "m/zeros": bytes(2048)}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for kind, link in {tarfile.SYMTYPE: "a.csv", tarfile.LNKTYPE: "m/a.csv", tarfile.DIRTYPE: ""}.items():
            info = tarfile.TarInfo(f"m/kind-{kind.decode()}")
            info.type, info.linkname = kind, link
            archive.addfile(info)


def small(into) -> None:
    forms = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    for name, form in forms.items():
        _write(into / f"{name}.tar", format=form)
    for ending in ("gz", "bz2", "xz"):
        _write(into / f"all.tar.{ending}", f"w:{ending}")
    for name in ("gnu", "pax"):
        with tarfile.open(into / f"{name}-names.tar", "w", format=forms[name]) as archive:
            for entry in ("größe/価格" * 14, "long/" * 50 + "name.bin", "with space"):
                info = tarfile.TarInfo(entry)
                info.size = 700
                archive.addfile(info, io.BytesIO(rng.bytes(700)))
    with tarfile.open(into / "empty.tar", "w"):
        pass
    whole = (into / "ustar.tar").read_bytes()
    shutil.copy(into / "gnu.tar", into / "appended.tar")
    with tarfile.open(into / "appended.tar", "a") as archive:
        info = tarfile.TarInfo("later")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"new"))
    (into / "long-end.tar").write_bytes(whole + bytes(10_240))
    if shutil.which("tar"):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "data.bin").write_bytes(rng.bytes(3000))
            with open(root / "sparse.bin", "wb") as file:
                file.seek(200_000)
                file.write(b"end")
            for name, options in {"v7": ["--format=v7"], "posix": ["--format=posix", "-S"], "sparse": ["-S"], "blocked": ["-b1"]}.items():
                out = (into / f"gnu-tar-{name}.tar").absolute()
                subprocess.run(["tar", *options, "-cf", out, "data.bin", "sparse.bin"] if "S" in "".join(options) else ["tar", *options, "-cf", out, "data.bin"], check=True, cwd=root)


def large(into) -> None:
    with tarfile.open(into / "large.tar", "w") as archive:
        for name, size in {"a": 6_000_000, "b": 100, "c": 5_500_000}.items():
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(rng.bytes(size)))
