"""What goes wrong at the edge is one sentence, and touches nothing else."""

from pathlib import Path

import pytest

from openbond.lab.errors import LabError
from openbond.lab.layout import SERVER, SERVER_PORT
from openbond.lab.programs import OPENBOND

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]

WHERE = ["--server", f"{SERVER}:{SERVER_PORT}"]


def refused(site: Site, *words: str) -> str:
    """Run `openbond node enroll` on an aggregator's host; return how it was refused."""
    with pytest.raises(LabError) as refusal:
        site.lab.host("agg2").run([*OPENBOND, "node", "enroll", *words])
    said = str(refusal.value)
    assert "Traceback" not in said
    return said


def test_an_unknown_node_key_is_refused_in_words(site: Site, tmp_path: Path) -> None:
    ca = str(site.lab.directory.ca_file)

    said = refused(
        site, *WHERE, "--key", "0000-0000-0000-0000", "--ca", ca, "--root", str(tmp_path)
    )

    assert "key" in said


def test_a_wrong_authority_is_refused_in_words(site: Site, tmp_path: Path) -> None:
    fingerprint = "00" * 32

    said = refused(
        site, *WHERE, "--key", "0000-0000-0000-0000", "--ca-fingerprint", fingerprint,
        "--root", str(tmp_path),
    )  # fmt: skip

    assert "fingerprint" in said


def test_a_second_server_on_the_same_state_is_refused_in_words(site: Site) -> None:
    argv = [*OPENBOND, "server", "--state", str(site.lab.directory.server_state)]

    with pytest.raises(LabError) as refusal:
        site.lab.host("server").run([*argv, "--host", SERVER, "--port", "8444"])

    assert "already" in str(refusal.value)
    assert "Traceback" not in str(refusal.value)


def test_a_port_already_taken_is_refused_in_words(site: Site, tmp_path: Path) -> None:
    argv = [*OPENBOND, "server", "--state", str(tmp_path / "other")]

    with pytest.raises(LabError) as refusal:
        site.lab.host("server").run([*argv, "--host", SERVER, "--port", str(SERVER_PORT)])

    assert str(SERVER_PORT) in str(refusal.value)
    assert "Traceback" not in str(refusal.value)


def test_a_leg_whose_interface_is_missing_harms_no_other(site: Site) -> None:
    fields = {
        "interface": "eth9", "ip": "192.0.2.34", "netmask": "28", "gateway": "192.0.2.33",
        "down_speed": 5, "up_speed": 5,
    }  # fmt: skip
    leg = site.api.post(f"/api/v3/bonds/{site.bond_id}/static_legs/", fields, dict[str, object])

    try:
        site.wait_until_whole()
        assert site.can_ping()
        assert site.api.get(str(leg["url"]), dict[str, object])["state"] in ("down", "unknown")
    finally:
        site.api.delete(str(leg["url"]))
