"""Folder formats whose files stand or fall together: Spark ML with its checksums, orbax as it names its files."""

import json
import struct
import zlib

import pandas as pd

rows = pd.DataFrame({"coefficients": [0.5, 1.5], "intercept": [0.1, 0.2]})


def _hadoop_checksum(data: bytes) -> bytes:
    sums = b"".join(struct.pack(">I", zlib.crc32(data[at : at + 512])) for at in range(0, len(data), 512))
    return b"crc\0" + struct.pack(">I", 512) + sums


def small(into) -> None:
    stage = into / "spark" / "stages" / "0_LogisticRegression"
    for name in ("metadata", "data"):
        part = stage / name
        part.mkdir(parents=True)
        if name == "metadata":
            files = {"part-00000": json.dumps({"class": "org.apache.spark.ml", "uid": "x", "note": "größe" * 200}).encode() + b"\n"}
        else:
            target = part / "part-00000-4f2e-c000.snappy.parquet"
            rows.to_parquet(target)
            files = {target.name: target.read_bytes()}
        files["_SUCCESS"] = b""
        for file, data in files.items():
            (part / file).write_bytes(data)
            (part / f".{file}.crc").write_bytes(_hadoop_checksum(data))


large = small
