"""A server is lost with its disk and restored from a backup: its nodes come back untouched.

Behaviour 6.6 and 1.7: CA and keys are the same, so certificates stay good; what was changed since
the backup is lost on the server, and nodes are given its truth under a higher revision.
"""

import shutil
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from openbond.lab.chaos.witness import UNDER_WAY
from openbond.lab.layout import NODES
from openbond.lab.life import Lab
from openbond.lab.programs import OPENBOND
from openbond.lab.waiting import wait_until
from openbond.node.configs import ConfigStore
from openbond.node.paths import Paths
from openbond.wire.config import NodeContent

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]

ENDS = ("bonder", "agg1")
LATEST = "/api/v3/system/status/backups/latest-backup/"


def test_nodes_come_back_to_a_restored_server_untouched(site: Site, tmp_path: Path) -> None:
    # What the nodes have must be what the server says: no change of before is on its way.
    wait_until(
        lambda: not {row.status for row in site.config_updates()} & {*UNDER_WAY},
        what="no config is on its way",
        patience=60,
    )
    before = untouched(site)

    with site.stream(tmp_path) as streams:
        backup = download_backup(site.lab, tmp_path)
        kept = reorder_hold(site.lab, "bonder")
        change(site, kept + 10)  # after the backup: the server will not know of it, the nodes do
        known = {name: revision(site.lab, name) for name in ENDS}
        with lost_disk(site):
            server(site.lab, "restore", str(backup))
            site.lab.start_server()
            wait_until(site.server_answers, what="the restored server answers", patience=60)
            wait_until(
                lambda: all(revision(site.lab, name) > known[name] for name in ENDS),
                what="both ends of the bond took a config of the restored server",
                patience=90,
            )
            continued = {name: revision(site.lab, name) for name in ENDS}
            holds = {reorder_hold(site.lab, name) for name in ENDS}
            change(site, kept + 20)
            changed = {reorder_hold(site.lab, name) for name in ENDS}

    assert continued == {name: number + 1 for name, number in known.items()}
    assert (holds, changed) == ({kept}, {kept + 20})
    assert streams.missing() == 0, (streams.up, streams.down)
    assert untouched(site) == before
    site.wait_until_whole()
    change(site, kept)


def change(site: Site, hold: int) -> None:
    """Change the bond, and wait until both ends have applied it and said so."""
    since = max((row.id for row in site.config_updates()), default=0)
    site.change_bond(reorder_max_hold=hold)

    def is_applied() -> bool:
        rows = site.config_updates(since)
        return len({row.node_id for row in rows}) == 2 and {row.status for row in rows} == {
            "applied"
        }

    wait_until(is_applied, what=f"both ends apply a hold of {hold} ms", patience=60)


def download_backup(lab: Lab, directory: Path) -> Path:
    """Make a backup while everything runs, and fetch it as an operator does."""
    server(lab, "backup")
    record = lab.record
    trust = ssl.create_default_context(cafile=str(lab.directory.ca_file))
    transport = httpx.HTTPTransport(verify=trust, uds=str(lab.directory.server_socket))
    login = (record.email, lab.directory.password)
    with httpx.Client(base_url=record.url, auth=login, transport=transport, timeout=30) as client:
        answer = client.get(LATEST)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    file = directory / "backup.zip"
    file.write_bytes(answer.content)
    return file


@contextmanager
def lost_disk(site: Site) -> Iterator[None]:
    """End the server and give it an empty state directory; put the old one back if we fail."""
    state = site.lab.directory.server_state
    lost = state.with_name("server-lost")
    site.lab.programs.end("server")
    state.rename(lost)
    state.mkdir(mode=0o700)
    try:
        yield
    except BaseException:
        site.lab.programs.end("server")
        shutil.rmtree(state)
        lost.rename(state)
        raise
    shutil.rmtree(lost)


def server(lab: Lab, *words: str) -> None:
    argv = [*OPENBOND, "server", *words, "--state", str(lab.directory.server_state)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def config(lab: Lab, name: str) -> ConfigStore:
    return ConfigStore(Paths(lab.directory.node_root(name)))


def revision(lab: Lab, name: str) -> int:
    """Return the revision that a node has confirmed."""
    found = config(lab, name).last_good()
    return found.envelope.revision if found else 0


def reorder_hold(lab: Lab, name: str) -> int:
    found = config(lab, name).last_good()
    assert found is not None
    content = msgspec.json.decode(found.envelope.content, type=NodeContent)
    return content.bonds[0].reorder_max_hold_ms


def untouched(site: Site) -> dict[str, object]:
    """Return what would differ if somebody had touched a node, or it had enrolled anew."""
    found: dict[str, object] = {"enrolments": enrolments(site)}
    for name in NODES:
        paths = Paths(site.lab.directory.node_root(name))
        files = (paths.settings, paths.certificate, paths.identity_key, paths.tunnel_key, paths.ca)
        found[name] = [file.read_bytes() for file in files]
        found[f"programs of {name}"] = {
            *site.pids(name, "node", "supervisor"),
            *site.pids(name, "node", "agent"),
            *site.pids(name, "openbond.node.tunnel_daemon"),
        }
    return found


def enrolments(site: Site) -> list[tuple[int, str, object]]:
    database = site.lab.directory.server_state / "db.sqlite3"
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    rows = connection.execute("SELECT node_id, serial, ended FROM control_enrolment ORDER BY id")
    found = rows.fetchall()
    connection.close()
    return found
