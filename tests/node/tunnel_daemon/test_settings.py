"""The settings that the agent writes, as the tunnel gets them, and what is wrong with bad ones."""

from base64 import b64encode
from ipaddress import ip_network
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from openbond.lab.bench.lines import LineShape
from openbond.lab.bench.pair import BOND_ID, Pair
from openbond.node import store
from openbond.node.daemon_messages import DaemonSettings, encode_settings, settings_path
from openbond.node.errors import NodeError, SchemaUnknown
from openbond.node.tunnel_daemon.settings import (
    bond_settings,
    read_private_key,
    read_settings,
)
from openbond.tunnel.settings import LinkMode, Qos, QosClass, QosFilter, Role, Security
from openbond.wire.config import QosClassConfig, QosFilterConfig, QosProfileConfig

KEY = bytes(range(32))


@pytest.fixture
def settings(tmp_path: Path) -> DaemonSettings:
    pair = Pair(tmp_path, name="unused", lines=[LineShape(mbps=20), LineShape(mbps=50)])
    return pair.settings(pair.site)


def test_a_bonder_sends_what_goes_up_and_an_aggregator_what_goes_down(
    settings: DaemonSettings,
) -> None:
    first, *others = settings.bond.legs
    slow_up = msgspec.structs.replace(first, down_kbps=20_000, up_kbps=5_000, interface_mtu=1492)
    bond = msgspec.structs.replace(settings.bond, legs=[slow_up, *others])
    site = msgspec.structs.replace(settings, bond=bond)
    far = msgspec.structs.replace(site, role="aggregator")

    ours = bond_settings(site, KEY).legs[0]
    theirs = bond_settings(far, KEY).legs[0]

    assert (ours.send_bps, ours.receive_bps) == (5e6, 20e6)
    assert (theirs.send_bps, theirs.receive_bps) == (20e6, 5e6)
    assert (ours.mode, ours.path_mtu_ceiling) == (LinkMode.ACTIVE, 1492)


def test_units_and_names_become_the_tunnels(settings: DaemonSettings) -> None:
    made = bond_settings(settings, KEY)

    assert made.role is Role.BONDER
    assert made.security is Security.ENCRYPTION
    assert (made.reorder_max_hold, made.handshake_interval) == (0.150, 3600.0)
    assert (made.ping_timeout, made.packet_loss_threshold) == (3.0, 0.05)


def test_a_profile_becomes_classes_filters_and_a_margin(settings: DaemonSettings) -> None:
    profile = QosProfileConfig(
        id=3,
        margin_permille=50,
        default=1,
        classes=[
            QosClassConfig(name="Voice", share=40, copies=2),
            QosClassConfig(name="Rest", share=60),
        ],
        filters=[
            QosFilterConfig(target=0, protocol="icmp", max_packet_size=500),
            QosFilterConfig(target=0, ports=[(5060, 5061)], network="2001:db8::/32", dscp=46),
            QosFilterConfig(target=0, protocol="from a newer server"),
        ],
    )

    made = bond_settings(msgspec.structs.replace(settings, qos=profile), KEY).qos

    assert made == Qos(
        classes=(QosClass(share=0.4, copies=2), QosClass(share=0.6)),
        default=1,
        margin=0.05,
        filters=(
            QosFilter(target=0, protocols=frozenset({1, 58}), max_packet_size=500),
            QosFilter(
                target=0, ports=((5060, 5061),), network=ip_network("2001:db8::/32"), dscp=46
            ),
            QosFilter(target=0, protocols=frozenset()),
        ),
    )
    assert bond_settings(settings, KEY).qos == Qos()


def test_a_peer_without_a_key_gives_a_bond_without_sessions(settings: DaemonSettings) -> None:
    bond = msgspec.structs.replace(settings.bond, peer_public_key="")

    assert bond_settings(msgspec.structs.replace(settings, bond=bond), KEY).peer_public_key == b""


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("secret", "not base64!", "secret is no base64 text"),
        ("secret", "", "secret has 0 bytes, 32 are needed"),
        ("peer_public_key", b64encode(b"short").decode(), "peer_public_key has 5 bytes"),
    ],
)
def test_a_bad_key_is_named(settings: DaemonSettings, field: str, text: str, said: str) -> None:
    bond = msgspec.structs.replace(settings.bond, **{field: text})

    with pytest.raises(NodeError, match=said):
        bond_settings(msgspec.structs.replace(settings, bond=bond), KEY)


# -- files ----------------------------------------------------------------------------------------


def write(root: Path, settings: DaemonSettings) -> None:
    store.write(settings_path(root, BOND_ID), encode_settings(settings))


def test_what_the_agent_wrote_is_what_the_daemon_reads(
    tmp_path: Path, settings: DaemonSettings
) -> None:
    write(tmp_path, settings)

    assert read_settings(tmp_path, BOND_ID) == settings


def test_missing_settings_say_who_writes_them(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="the agent writes them"):
        read_settings(tmp_path, BOND_ID)


def test_damaged_settings_name_the_field(tmp_path: Path, settings: DaemonSettings) -> None:
    path = settings_path(tmp_path, BOND_ID)
    store.write(path, encode_settings(settings).replace(b'"bonder"', b'"site"'))

    with pytest.raises(NodeError, match=r"role.*restart the agent"):
        read_settings(tmp_path, BOND_ID)


def test_settings_of_a_newer_schema_are_refused(tmp_path: Path, settings: DaemonSettings) -> None:
    write(tmp_path, msgspec.structs.replace(settings, schema=2))

    with pytest.raises(SchemaUnknown, match="install the same version"):
        read_settings(tmp_path, BOND_ID)


def test_settings_of_another_bond_are_refused(tmp_path: Path, settings: DaemonSettings) -> None:
    bond = msgspec.structs.replace(settings.bond, id=8)
    write(tmp_path, msgspec.structs.replace(settings, bond=bond))

    with pytest.raises(NodeError, match="for bond 8, not for bond 7"):
        read_settings(tmp_path, BOND_ID)


@pytest.mark.parametrize("form", ["pem", "raw", "base64"])
def test_the_private_key_is_read_in_each_form(tmp_path: Path, form: str) -> None:
    key = X25519PrivateKey.from_private_bytes(KEY)
    forms = {
        "pem": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "raw": KEY,
        "base64": b64encode(KEY) + b"\n",
    }
    path = tmp_path / "tunnel.key"
    path.write_bytes(forms[form])

    assert read_private_key(path) == KEY


def test_a_missing_or_foreign_key_says_what_to_do(tmp_path: Path) -> None:
    foreign = tmp_path / "node.key"
    foreign.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )

    with pytest.raises(NodeError, match="is missing: enrol this node"):
        read_private_key(tmp_path / "none.key")
    with pytest.raises(NodeError, match="no X25519 key"):
        read_private_key(foreign)
