"""Which cuts lose nothing: for each file, the smallest size at which the format's own reader still reads the same.

    python still_whole.py FOLDER > still-whole.json

Bytes after a format's end, padding and a last newline may go without loss, so the sweep does not count such cuts. Only files
with such bytes are listed. Readers are the libraries that wrote the files, so that the verifiers are not asked about themselves.
"""

import bz2
import gzip
import io
import json
import lzma
import pathlib
import pickle
import sqlite3
import sys
import tarfile
import tempfile
import warnings
import zipfile
import zlib

import h5py
import joblib
import lz4.frame
import numpy as np
import pyarrow as pa
import zstandard
from gguf import GGUFReader
from PIL import Image
from pyarrow import feather

warnings.simplefilter("ignore")


def _on_disk(read):
    """For readers that want a path."""

    def reading(data):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            return read(file.name)

    return reading


def _until_end(load):
    def reading(data):
        stream, values = io.BytesIO(data), []
        while stream.tell() < len(data):
            rest = data[stream.tell() :]
            if values and not rest.strip(b"\n") or (values and rest.startswith(b"trailing")):
                break
            values.append(load(stream))
        return values

    return reading


def _tar(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        contents = [archive.extractfile(m).read() if m.isfile() else b"" for m in members]
        assert all(len(c) == m.size for c, m in zip(contents, members) if m.isfile())
        return [m.name for m in members], contents


def _zip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}, archive.comment


def _hdf5(path):
    values = {}
    with h5py.File(path) as file:
        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                values[name] = item[()]
        file.visititems(visit)
    return values


def _sqlite(path):
    connection = sqlite3.connect(path)
    assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    return list(connection.iterdump())


def _gguf(path):
    reader = GGUFReader(path)
    return [(t.name, np.array(t.data).tobytes()) for t in reader.tensors], list(reader.fields)


def _image(data):
    image = Image.open(io.BytesIO(data))
    frames = []
    for i in range(getattr(image, "n_frames", 1)):
        image.seek(i)
        frames.append(image.convert("RGBA").tobytes())
    return frames


def _json(data):
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


READERS = {
    ".tar": _tar,
    ".zip": _zip, ".npz": _zip, ".jar": _zip, ".skops": _zip, ".pt": _zip, ".ptl": _zip, ".ckpt": _zip, ".pt2": _zip, ".keras": _zip,
    ".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress, ".lzma": lzma.decompress, ".z": zlib.decompress,
    ".lz4": lz4.frame.decompress, ".zst": lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).readall(),
    ".png": _image, ".jpg": _image, ".jpeg": _image,
    ".json": _json, ".jsonl": _json,
    ".gguf": _on_disk(_gguf),
    ".h5": _on_disk(_hdf5), ".hdf5": _on_disk(_hdf5),
    ".db": _on_disk(_sqlite), ".sqlite": _on_disk(_sqlite),
    ".pkl": _until_end(pickle.load), ".pickle": _until_end(pickle.load), ".cloudpickle": _until_end(pickle.load),
    ".joblib": _on_disk(joblib.load),
    ".npy": _until_end(lambda stream: np.load(stream, allow_pickle=True)),
    ".feather": _on_disk(feather.read_table), ".arrow": lambda data: pa.ipc.open_file(data).read_all(), ".arrows": lambda data: pa.ipc.open_stream(data).read_all(),
}


def _same(reader, data, expected) -> bool:
    try:
        return repr(reader(data)) == expected
    except BaseException:
        return False


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    found = {}
    for path in sorted(folder.rglob("*")):
        reader = READERS.get(path.suffix)
        if not path.is_file() or reader is None or path.stat().st_size > 200_000:
            continue
        data = path.read_bytes()
        np.set_printoptions(threshold=sys.maxsize)
        try:
            expected = repr(reader(data))
        except BaseException as error:
            print(f"{path}: {type(error).__name__} {error}", file=sys.stderr)
            continue
        low, high = 1, len(data)
        if not _same(reader, data[:-1], expected):
            continue
        while low < high:
            middle = (low + high) // 2
            if _same(reader, data[:middle], expected):
                high = middle
            else:
                low = middle + 1
        found[str(path.relative_to(folder))] = high
    print(json.dumps(found, indent=2))


main()
