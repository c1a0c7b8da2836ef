"""Runs one part of the measurements in child processes, on an empty database of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psycopg
from msgspec import Struct
from psycopg.sql import SQL, Identifier

from openbond.lab.bench.rows import Row, Say
from openbond.lab.errors import LabError

# What each part measures; the order is that of the table.
PARTS = ("page", "memory", "tree", "writers", "failover", "charts", "site")
SETTINGS = "openbond.server.project.settings"


class Line(Struct, omit_defaults=True):
    """What a child prints, one JSON object a line: what it does now, or a row of the table."""

    say: str = ""
    row: Row | None = None


def measure(part: str, *, url: str, say: Say) -> list[Row]:
    """Fill a new database, measure, and leave nothing behind; `url` is of a PostgreSQL, or empty.

    Raises LabError.
    """
    with tempfile.TemporaryDirectory(prefix="openbond-bench-") as place, own_database(url) as own:
        environment = os.environ | {
            "OPENBOND_STATE_DIR": place,
            "OPENBOND_DATABASE_URL": own,
            "OPENBOND_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": SETTINGS,
        }
        words = Path(place) / "words"
        _run([part, "fill"], environment, words, say)
        # Another process: what filling left in memory shall not hide what measuring takes.
        return _run([part, "measure"], environment, words, say)


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """Yield the URL of a database made for this part beside the one that `url` names."""
    if not url:
        yield ""
        return
    name = f"openbond_bench_{os.getpid()}"
    parts = urlsplit(url)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            try:
                yield urlunsplit(parts._replace(path=f"/{name}"))
            finally:
                drop = SQL("DROP DATABASE {} WITH (FORCE)")
                connection.execute(drop.format(Identifier(name)))
    except psycopg.Error as trouble:
        raise LabError(f"PostgreSQL: {str(trouble).strip()}") from trouble


def _run(words: list[str], environment: dict[str, str], said: Path, say: Say) -> list[Row]:
    rows = []
    argv = [sys.executable, "-m", "openbond.lab.bench.server", *words]
    with (
        said.open("w") as sink,
        subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=sink) as child,
    ):
        try:
            for text in child.stdout or ():
                line = msgspec.json.decode(text, type=Line)
                if line.row is not None:
                    rows.append(line.row)
                else:
                    say(line.say)
            status = child.wait()
        except BaseException:
            child.kill()
            raise
    if status != 0:
        last = said.read_text(errors="replace").strip().splitlines()[-1:]
        raise LabError(f"{' '.join(words)} failed: {' '.join(last) or f'exit status {status}'}")
    return rows
