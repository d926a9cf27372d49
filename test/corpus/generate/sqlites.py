"""SQLite databases: every page size, both journals, auto-vacuum, free pages, full-text tables."""

import sqlite3


def _rows(connection, count=60) -> None:
    connection.execute("create table models (id integer primary key, name text, weights blob)")
    connection.executemany("insert into models (name, weights) values (?, ?)", [(f"größe {i}", bytes(i)) for i in range(count)])
    connection.commit()


def small(into) -> None:
    for size in (512, 1024, 4096, 8192, 65_536):
        with sqlite3.connect(into / f"page-{size}.sqlite") as connection:
            connection.execute(f"pragma page_size = {size}")
            _rows(connection)
    for vacuum in ("full", "incremental"):
        with sqlite3.connect(into / f"vacuum-{vacuum}.db") as connection:
            connection.execute(f"pragma auto_vacuum = {vacuum}")
            _rows(connection)
    with sqlite3.connect(into / "freed.db") as connection:
        _rows(connection, 200)
        connection.execute("delete from models where id > 5")
    with sqlite3.connect(into / "vacuumed.db") as connection:
        _rows(connection, 200)
        connection.execute("delete from models where id > 5")
        connection.commit()
        connection.execute("vacuum")
    with sqlite3.connect(into / "search.db") as connection:
        connection.execute("create virtual table notes using fts5(body)")
        connection.execute("insert into notes values ('größe')")
    with sqlite3.connect(into / "utf16.db") as connection:
        connection.execute("pragma encoding = 'UTF-16le'")
        _rows(connection, 3)
    # Copied while another connection holds it open: pages still lie in the file beside it.
    live = sqlite3.connect(into / "live.db")
    live.execute("pragma journal_mode = wal")
    _rows(live)
    wal = {name: (into / name).read_bytes() for name in ("live.db", "live.db-wal", "live.db-shm")}
    live.close()
    for name in wal:
        (into / name).unlink(missing_ok=True)
    for name in ("live.db", "live.db-wal"):
        (into / name.replace("live", "with-wal")).write_bytes(wal[name])
    closed = sqlite3.connect(into / "after-wal.db")
    closed.execute("pragma journal_mode = wal")
    _rows(closed)
    closed.close()
    # A writer before 3.7.0 leaves the page count unmaintained, which the change counters show.
    stale = bytearray((into / "page-1024.sqlite").read_bytes())
    stale[28:32], stale[92:96] = (1).to_bytes(4, "big"), bytes(4)
    (into / "stale-count.sqlite").write_bytes(stale)


def large(into) -> None:
    with sqlite3.connect(into / "large.db") as connection:
        connection.execute("create table b (data blob)")
        connection.executemany("insert into b values (?)", [(bytes(range(256)) * 400,) for _ in range(120)])
