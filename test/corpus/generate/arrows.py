"""Arrow files and streams, Feather 1 and 2, by pyarrow and polars."""

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import feather

rng = np.random.default_rng(5)
table = pa.table({
    "größe": rng.normal(size=200),
    "text": pa.array([f"v{i % 9}" for i in range(200)]).dictionary_encode(),
    "list": pa.array([[1, None], None] * 100),
    "zeros": np.zeros(200),
})


def small(into) -> None:
    for codec in (None, "lz4", "zstd"):
        options = pa.ipc.IpcWriteOptions(compression=codec)
        for kind, opened in {"file.arrow": pa.ipc.new_file, "stream.arrows": pa.ipc.new_stream}.items():
            name = f"{codec or 'plain'}-{kind}"
            with opened(str(into / name), table.schema, options=options) as writer:
                for batch in table.to_batches(max_chunksize=60):
                    writer.write_batch(batch)
        feather.write_feather(table, into / f"{codec or 'plain'}.feather", compression=codec or "uncompressed")
    for kind, opened in {"file.arrow": pa.ipc.new_file, "stream.arrows": pa.ipc.new_stream}.items():
        with opened(str(into / f"empty-{kind}"), table.schema) as writer:
            writer.write_table(table.slice(0, 0))
        with opened(str(into / f"schema-only-{kind}"), table.schema):
            pass
        with opened(str(into / f"no-columns-{kind}"), pa.schema([])):
            pass
    old = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V4, use_legacy_format=True)
    for kind, opened in {"file.arrow": pa.ipc.new_file, "stream.arrows": pa.ipc.new_stream}.items():
        with opened(str(into / f"legacy-{kind}"), table.schema, options=old) as writer:
            writer.write_table(table)
    described = table.schema.with_metadata({"note": "x" * 70_000})
    with pa.ipc.new_file(str(into / "long-schema.arrow"), described) as writer:
        writer.write_table(table.cast(described))
    feather.write_feather(table.select([0, 3]), into / "version-1.feather", version=1)
    feather.write_feather(table.select([0]).slice(0, 0), into / "version-1-empty.feather", version=1)
    frame = pl.DataFrame({"x": rng.normal(size=90), "s": ["größe", None, "c"] * 30})
    for codec in ("uncompressed", "lz4", "zstd"):
        frame.write_ipc(into / f"polars-{codec}.arrow", compression=codec)
    frame.write_ipc_stream(into / "polars-stream.arrows")


def large(into) -> None:
    noise = pa.table({f"c{i}": rng.normal(size=100_000) for i in range(13)})
    feather.write_feather(noise, into / "large.feather", compression="uncompressed")
    feather.write_feather(noise, into / "version-1.feather", version=1)
    with pa.ipc.new_stream(str(into / "large.arrows"), noise.schema) as writer:
        writer.write_table(noise)
    with pa.ipc.new_file(str(into / "batches.arrow"), noise.schema) as writer:
        writer.write_table(noise, max_chunksize=300)
