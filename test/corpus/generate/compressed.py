"""Compressed streams: several streams in one file, checks on and off, padding, skippable frames, nothing inside."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import zlib

import lz4.frame
import numpy as np
import zstandard

rng = np.random.default_rng(5)
text = ("größe,価格\n" + "".join(f"{i},{i * 7 % 13}\n" for i in range(3000))).encode()
noise = rng.bytes(9000)
zeros = bytes(300_000)
contents = {"text": text, "noise": noise, "zeros": zeros, "nothing": b"", "byte": b"x"}


def small(into) -> None:
    for name, data in contents.items():
        (into / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
        (into / f"{name}.bz2").write_bytes(bz2.compress(data))
        (into / f"{name}.lzma").write_bytes(lzma.compress(data, lzma.FORMAT_ALONE))
        (into / f"{name}.z").write_bytes(zlib.compress(data))
        for check in ("NONE", "CRC32", "CRC64", "SHA256"):
            if name != "byte":
                (into / f"{name}-{check.lower()}.xz").write_bytes(lzma.compress(data, check=getattr(lzma, f"CHECK_{check}")))
        for options in ({}, {"content_checksum": True}, {"block_checksum": True}, {"store_size": False, "block_linked": False}):
            label = "-".join(options) or "plain"
            (into / f"{name}-{label}.lz4").write_bytes(lz4.frame.compress(data, **options))
        (into / f"{name}.zst").write_bytes(zstandard.ZstdCompressor().compress(data))
        (into / f"{name}-checksum.zst").write_bytes(zstandard.ZstdCompressor(level=19, write_checksum=True).compress(data))
        streamed = io.BytesIO()
        with zstandard.ZstdCompressor().stream_writer(streamed, closefd=False) as writer:
            writer.write(data)
        (into / f"{name}-streamed.zst").write_bytes(streamed.getvalue())
    with gzip.GzipFile(into / "named.csv.gz", "wb") as file:
        file.write(text)
    one = {"gz": gzip.compress(text, mtime=0), "bz2": bz2.compress(text), "xz": lzma.compress(text)}
    for ending, data in one.items():
        (into / f"twice.{ending}").write_bytes(data + data)
    (into / "twice.lz4").write_bytes(lz4.frame.compress(text) + lz4.frame.compress(noise, content_checksum=True))
    frame = zstandard.ZstdCompressor().compress(text)
    skippable = b"\x50\x2a\x4d\x18" + (7).to_bytes(4, "little") + b"ignored"
    (into / "twice.zst").write_bytes(frame + frame)
    (into / "skippable-first.zst").write_bytes(skippable + frame)
    (into / "skippable-last.zst").write_bytes(frame + skippable)
    (into / "skippable-first.lz4").write_bytes(skippable + lz4.frame.compress(text))
    (into / "padded.xz").write_bytes(one["xz"] + bytes(8) + one["xz"] + bytes(4))
    (into / "zeros-after.gz").write_bytes(one["gz"] + bytes(512))
    filters = [{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2, "preset": 6}]
    (into / "filters.xz").write_bytes(lzma.compress(text, filters=filters))
    if shutil.which("xz"):
        (into / "text.csv").write_bytes(text)
        for name, options in {"blocks": ["--block-size=4096"], "threads": ["-T2", "--block-size=9000"]}.items():
            done = subprocess.run(["xz", "-c", *options, into / "text.csv"], check=True, capture_output=True)
            (into / f"{name}.xz").write_bytes(done.stdout)
        (into / "text.csv").unlink()


def large(into) -> None:
    data = rng.integers(0, 200, 12_000_000, dtype="u1").tobytes()
    (into / "large.gz").write_bytes(gzip.compress(data, 1, mtime=0))
    (into / "large.bz2").write_bytes(bz2.compress(data, 9))
    (into / "large.xz").write_bytes(lzma.compress(data, preset=0))
    (into / "large.lz4").write_bytes(lz4.frame.compress(data, content_checksum=True))
    (into / "large.zst").write_bytes(zstandard.ZstdCompressor().compress(data))
