"""`openbond node enroll`: from an address and a node key to a node that can start its agent."""

from pathlib import Path

from . import store
from .channel.enrol import enrol, fetch_authority
from .errors import NodeError, ServerNotTrusted
from .identity import Identity
from .paths import Paths
from .settings import NodeSettings, ServerAddress, read_address


async def enrol_by_hand(
    paths: Paths, *, server: str, key: str, ca_file: Path | None, ca_fingerprint: str
) -> Identity:
    """Enrol and, only when all went well, write bonding.conf.

    Raises NodeError: a sentence with the remedy.
    """
    address = read_address(server)
    if not key.strip():
        raise NodeError("The node key is empty: copy it from the page of the bond or aggregator.")
    ca_pem = await _authority(paths, address, ca_file, ca_fingerprint)
    identity = await enrol(paths, address, key.strip(), ca_pem=ca_pem)
    # The file holds the key, so nobody else may read it.
    text = NodeSettings(address, key.strip()).text()
    store.write(paths.settings, text, mode=store.PRIVATE)
    return identity


async def _authority(
    paths: Paths, server: ServerAddress, ca_file: Path | None, ca_fingerprint: str
) -> str | None:
    if ca_file is not None:
        return _read_authority(ca_file)
    if ca_fingerprint:
        return await fetch_authority(paths, server, ca_fingerprint)
    known = store.read(paths.ca)
    return known.decode() if known else None


def _read_authority(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ServerNotTrusted(
            f"The CA file {path} cannot be read ({error.strerror}): give the right --ca FILE."
        ) from error
    except UnicodeDecodeError as error:
        raise ServerNotTrusted(f"The CA file {path} is not PEM: convert it first.") from error
