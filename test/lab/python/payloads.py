"""Small whole files of the formats whose ends tell whether anything is missing, of incompressible bytes that depend on the name alone."""

import hashlib
import json
import struct
import zipfile

import numpy


def noise(name, size):
    return hashlib.shake_128(name.encode()).digest(size)


def safetensors(path):
    shape, width = [300, 256], 4
    size = shape[0] * shape[1] * width
    header = json.dumps({"weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + noise(path.name, size))


def npy(path):
    numpy.save(path, numpy.frombuffer(noise(path.name, 320_000), dtype="<f8").reshape(200, 200))


def stored_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member in ("archive/data.pkl", "archive/data/0", "archive/data/1"):
            archive.writestr(member, noise(member, 100_000))


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def onnx(path):
    """One node, y = w + x, as onnx.proto numbers its fields."""
    node = block(1, b"w") + block(1, b"x") + block(2, b"y") + block(4, b"Add")
    weights = number(1, 75_000) + number(2, 1) + block(8, b"w") + block(9, noise(path.name, 300_000))
    graph = block(1, node) + block(2, b"sum") + block(5, weights) + block(11, block(1, b"x")) + block(12, block(1, b"y"))
    path.write_bytes(number(1, 8) + block(2, b"lab") + block(7, graph) + block(8, block(1, b"") + number(2, 17)))


def plain(path):
    path.write_bytes(noise(path.name, 300_000))


ALL = {
    "weights.safetensors": safetensors,
    "table.npy": npy,
    "archive.zip": stored_zip,
    "graph.onnx": onnx,
    "data.bin": plain,
}


def write_all(folder):
    """Writes one file of each format into the folder and gives their paths."""
    for name, write in ALL.items():
        write(folder / name)
    return [str(folder / name) for name in ALL]
