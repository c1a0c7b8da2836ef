import base64
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from openbond.node.channel.numbers import BLOCK, RisingNumbers
from openbond.node.errors import NotEnrolled
from openbond.node.identity import (
    BadIdentity,
    Keys,
    keys_of,
    load_identity,
    renewal_is_due,
    store_enrolment,
)
from openbond.node.paths import Paths
from openbond.wire.exchange import EnrolAnswer
from tests.node.authority import ONE_DAY, Authority, pem

AUTHORITY = Authority()


@dataclass
class Machine:
    paths: Paths
    keys: Keys

    def answer(self, *, keys: Keys | None = None, authority: Authority = AUTHORITY) -> EnrolAnswer:
        own = keys or self.keys
        certificate = authority.node_certificate(
            own.identity.public_key(), base64.b64decode(own.tunnel_public)
        )
        return EnrolAnswer(
            node_id=7, certificate=pem(certificate), ca=AUTHORITY.ca_pem, signer=AUTHORITY.signer
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    paths = Paths(tmp_path)
    return Machine(paths, keys_of(paths))


def test_keys_are_made_once_and_never_change(machine: Machine) -> None:
    again = keys_of(machine.paths)

    assert again.tunnel_public == machine.keys.tunnel_public
    assert again.identity.public_key() == machine.keys.identity.public_key()


def test_the_directory_of_keys_is_closed_to_others(machine: Machine) -> None:
    assert machine.paths.authority.stat().st_mode & 0o777 == 0o700


def test_an_enrolled_machine_knows_who_it_is_after_a_restart(machine: Machine) -> None:
    store_enrolment(machine.paths, machine.answer(), machine.keys)

    identity = load_identity(machine.paths)

    assert identity.node_id == 7
    assert identity.authorities == (AUTHORITY.certificate,)


def test_before_enrolment_it_says_how_to_enrol(machine: Machine) -> None:
    with pytest.raises(NotEnrolled, match="run `openbond node enroll"):
        load_identity(machine.paths)


def test_a_certificate_for_another_machine_is_not_kept(machine: Machine, tmp_path: Path) -> None:
    other = keys_of(Paths(tmp_path / "other"))

    with pytest.raises(BadIdentity, match="not for this node's key"):
        store_enrolment(machine.paths, machine.answer(keys=other), machine.keys)
    assert not machine.paths.certificate.exists()


def test_a_certificate_of_a_stranger_is_not_kept(machine: Machine) -> None:
    with pytest.raises(BadIdentity, match="not issued by the server's own authority"):
        store_enrolment(machine.paths, machine.answer(authority=Authority()), machine.keys)


def test_a_certificate_without_our_tunnel_key_is_not_kept(machine: Machine) -> None:
    certificate = AUTHORITY.node_certificate(machine.keys.identity.public_key(), bytes(32))
    answer = EnrolAnswer(node_id=7, certificate=pem(certificate), ca=AUTHORITY.ca_pem, signer="")

    with pytest.raises(BadIdentity, match="not for this node's tunnel key"):
        store_enrolment(machine.paths, answer, machine.keys)


@pytest.mark.parametrize("name", ["identity_key", "tunnel_key"])
def test_a_damaged_key_is_named(machine: Machine, name: str) -> None:
    path = getattr(machine.paths, name)
    path.write_bytes(b"-----BEGIN nothing")

    with pytest.raises(BadIdentity, match=f"{path.name} is damaged: remove it and enrol"):
        keys_of(machine.paths)


def test_a_damaged_certificate_is_no_traceback(machine: Machine) -> None:
    store_enrolment(machine.paths, machine.answer(), machine.keys)
    machine.paths.certificate.write_bytes(b"nothing")

    with pytest.raises(BadIdentity, match="is damaged: enrol again"):
        load_identity(machine.paths)


@pytest.mark.parametrize(
    ("days_left", "due"), [pytest.param(122, False, id="122"), pytest.param(121, True, id="121")]
)
def test_a_certificate_is_renewed_when_a_third_is_left(
    machine: Machine, days_left: int, due: bool
) -> None:
    certificate = AUTHORITY.node_certificate(
        machine.keys.identity.public_key(), bytes(32), start=timedelta(), length=365 * ONE_DAY
    )
    now = certificate.not_valid_after_utc - days_left * ONE_DAY

    assert renewal_is_due(certificate, now) is due


# ---------------------------------------------------------------------------------------- numbers


def test_numbers_rise_across_restarts(tmp_path: Path) -> None:
    path, taken = tmp_path / "numbers.json", []
    for _ in range(3):
        numbers = RisingNumbers(path)
        taken += [numbers.take("poll") for _ in range(BLOCK + 5)]

    assert taken == sorted(set(taken))


def test_each_name_counts_for_itself(tmp_path: Path) -> None:
    numbers = RisingNumbers(tmp_path / "numbers.json")

    assert [numbers.take("poll"), numbers.take("report"), numbers.take("poll")] == [1, 1, 2]


def test_it_continues_above_what_the_other_side_saw(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    numbers = RisingNumbers(path)
    numbers.raise_above("poll", 70_000)
    numbers.raise_above("poll", 5)

    assert numbers.take("poll") == 70_001
    assert RisingNumbers(path).take("poll") > 70_001
