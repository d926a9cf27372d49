"""Parquet by pyarrow, pandas, polars, DuckDB and fastparquet: versions, codecs, indexes, empty tables, encryption, parts."""

import base64
import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

rng = np.random.default_rng(5)
table = pa.table({
    "größe": rng.normal(size=300),
    "価格": pa.array([f"value {i % 17}" for i in range(300)]),
    "list": pa.array([[1, None], [], None] * 100),
    "struct": pa.array([{"a": 1, "b": {"c": "x"}}, None, {"a": None, "b": None}] * 100),
    "time": pa.array([datetime.datetime(2026, 1, 1)] * 300, pa.timestamp("us", "UTC")),
    "decimal": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")] * 100),
    "bytes": pa.array([b"\0" * 9] * 300),
    "nulls": pa.nulls(300),
})


class _Keys:
    """A key server that wraps keys in plain base64."""

    def client(self, _config):
        import pyarrow.parquet.encryption as pe

        class Client(pe.KmsClient):
            def __init__(self):
                pe.KmsClient.__init__(self)

            def wrap_key(self, key, _master):
                return base64.b64encode(key)

            def unwrap_key(self, wrapped, _master):
                return base64.b64decode(wrapped)

        return Client()


def _encrypted(path, plain_footer: bool) -> None:
    import pyarrow.parquet.encryption as pe

    kms = pe.KmsConnectionConfig()
    factory = pe.CryptoFactory(_Keys().client)
    config = pe.EncryptionConfiguration(footer_key="foot", column_keys={"col": ["größe"]}, plaintext_footer=plain_footer)
    properties = factory.file_encryption_properties(kms, config)
    with pq.ParquetWriter(path, table.select([0, 1]).schema, encryption_properties=properties) as writer:
        writer.write_table(table.select([0, 1]))


def small(into) -> None:
    for codec in ("NONE", "SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4"):
        pq.write_table(table, into / f"{codec.lower()}.parquet", compression=codec)
    for version in ("1.0", "2.4", "2.6"):
        pq.write_table(table, into / f"version-{version}.parquet", version=version, data_page_version="2.0" if version == "2.6" else "1.0")
    pq.write_table(table, into / "indexed.parquet", write_page_index=True, write_page_checksum=True)
    pq.write_table(table, into / "groups.parquet", row_group_size=20, use_dictionary=False, write_statistics=False)
    pq.write_table(table.slice(0, 0), into / "empty.parquet")
    pq.write_table(pa.table({}), into / "no-columns.parquet")
    pq.write_table(table.replace_schema_metadata({"blob": "x" * 90_000}), into / "long-footer.parquet")
    pq.write_table(pa.table({"z": np.zeros(9000)}), into / "zeros.parquet", compression="NONE", use_dictionary=False)
    for plain in (True, False):
        _encrypted(into / f"encrypted-{'plain-footer' if plain else 'footer'}.parquet", plain)
    pq.write_metadata(table.schema, into / "_common_metadata")
    pq.write_to_dataset(table.append_column("k", pa.array([0, 1, 2] * 100)), into / "partitioned", partition_cols=["k"], basename_template="part-{i}.parquet")
    collected = []
    (into / "with-metadata").mkdir()
    pq.write_to_dataset(table.select([0, 1]), into / "with-metadata", metadata_collector=collected, basename_template="part-{i}.parquet")
    pq.write_metadata(table.select([0, 1]).schema, into / "with-metadata" / "_metadata", metadata_collector=collected)
    frame = pd.DataFrame({"x": rng.normal(size=90), "c": pd.Categorical(["a", "ä", "c"] * 30)}, index=pd.date_range("2026", periods=90))
    frame.to_parquet(into / "pandas.parquet")
    frame.iloc[:0].to_parquet(into / "pandas-empty.parquet")
    others(into)


def others(into) -> None:
    import duckdb
    import fastparquet
    import polars as pl

    frame = pl.DataFrame({"x": rng.normal(size=200), "s": ["größe", None] * 100, "l": [[1, 2], []] * 100})
    frame.write_parquet(into / "polars.parquet")
    frame.write_parquet(into / "polars-uncompressed.parquet", compression="uncompressed", statistics="full", row_group_size=50)
    frame.clear().write_parquet(into / "polars-empty.parquet")
    for codec in ("snappy", "zstd", "uncompressed", "lz4_raw"):
        duckdb.sql(f"copy (select i, 'größe' || i as s, [i] as l from range(500) t(i)) to '{into}/duckdb-{codec}.parquet' (format parquet, codec {codec})")
    duckdb.sql(f"copy (select i % 9 as i from range(90000) t(i)) to '{into}/duckdb-bloom.parquet' (format parquet, parquet_version v2)")
    duckdb.sql(f"copy (select 1 as i where false) to '{into}/duckdb-empty.parquet' (format parquet)")
    plain = pd.DataFrame({"x": rng.normal(size=60), "s": [f"r{i}" for i in range(60)]})
    fastparquet.write(str(into / "fastparquet.parquet"), plain, compression="GZIP")
    fastparquet.write(str(into / "fastparquet-hive"), plain, file_scheme="hive", row_group_offsets=20)


def large(into) -> None:
    noise = pa.table({f"c{i}": rng.normal(size=120_000) for i in range(13)})
    pq.write_table(noise, into / "large.parquet")
    pq.write_table(noise, into / "groups.parquet", row_group_size=1000, compression="NONE", use_dictionary=False)
    pq.write_table(pa.table({f"column {i}": [1.5] for i in range(4000)}), into / "wide.parquet")
