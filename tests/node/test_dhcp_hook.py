"""The script that DHCP clients start: it writes the lease and touches nothing else."""

import os
import subprocess
from pathlib import Path

import pytest

from openbond.node.linux.dhcp import place_hook, read_leases
from openbond.node.plan.facts import Lease

BOUND = {
    "ip": "198.51.100.7",
    "mask": "24",
    "router": "198.51.100.1 198.51.100.2",
    "dns": "198.51.100.53 198.51.100.54",
    "serverid": "198.51.100.9",
    "lease": "7200",
    "interface": "eth2",
}


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "dhcp-hook"
    place_hook(path)
    return path


def says(hook: Path, leases: Path, event: str, **variables: str) -> None:
    """Let a client, which is this process, say something."""
    environment = {"PATH": os.environ["PATH"], "OPENBOND_LEASE": str(leases / "22.json")}
    done = subprocess.run(
        [hook, event], env={**environment, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def lease_of(leases: Path, *, now: float | None = None) -> Lease | None:
    obtained = (leases / "22.json").stat().st_mtime if now is None else now
    return read_leases(leases, now=obtained).get(22)


def test_a_lease_is_written_as_it_was_given(hook: Path, tmp_path: Path) -> None:
    says(hook, tmp_path, "bound", **BOUND)

    lease = lease_of(tmp_path)
    assert lease is not None
    assert (lease.ip, lease.prefix, lease.gateway) == ("198.51.100.7", 24, "198.51.100.1")
    assert lease.name_servers == ["198.51.100.53", "198.51.100.54"]
    assert (lease.server, lease.seconds, lease.client) == ("198.51.100.9", 7200, os.getpid())


def test_a_lease_without_gateway_and_name_servers_is_one_too(hook: Path, tmp_path: Path) -> None:
    says(hook, tmp_path, "bound", ip="198.51.100.7")

    lease = lease_of(tmp_path)
    assert lease is not None
    assert (lease.gateway, lease.name_servers, lease.prefix) == ("", [], 24)


def test_a_lost_lease_is_gone_at_once(hook: Path, tmp_path: Path) -> None:
    says(hook, tmp_path, "bound", **BOUND)

    says(hook, tmp_path, "deconfig")

    assert not (tmp_path / "22.json").exists()


def test_a_client_that_has_just_started_does_not_take_the_lease_of_the_one_before(
    hook: Path, tmp_path: Path
) -> None:
    says(hook, tmp_path, "bound", **BOUND)
    path = tmp_path / "22.json"
    path.write_text(path.read_text().replace(f'"client": {os.getpid()}', '"client": 1'))

    says(hook, tmp_path, "deconfig")

    assert lease_of(tmp_path) is not None


def test_a_lease_that_has_expired_is_none(hook: Path, tmp_path: Path) -> None:
    says(hook, tmp_path, "bound", **BOUND)
    written = (tmp_path / "22.json").stat().st_mtime

    assert lease_of(tmp_path, now=written + 7190) is not None
    assert lease_of(tmp_path, now=written + 7210) is None


def test_a_client_without_a_lease_says_nothing(hook: Path, tmp_path: Path) -> None:
    says(hook, tmp_path / "none", "deconfig")
    says(hook, tmp_path / "none", "leasefail")

    assert read_leases(tmp_path / "none", now=0) == {}


def test_a_damaged_lease_is_no_lease(tmp_path: Path) -> None:
    (tmp_path / "22.json").write_text('{"ip": "198.51.')
    (tmp_path / "note.json").write_text("{}")

    assert read_leases(tmp_path, now=0) == {}


def test_a_strange_servers_words_stay_words(hook: Path, tmp_path: Path) -> None:
    says(hook, tmp_path, "bound", **{**BOUND, "dns": '$(touch hacked) "; rm -rf /'})

    assert not (tmp_path / "hacked").exists()
    assert not Path("hacked").exists()
