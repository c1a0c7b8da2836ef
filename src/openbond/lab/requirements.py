"""What the machine must have before a lab can run, and the sentence that says what it lacks."""

from pathlib import Path

from .commands import missing_tools
from .errors import LabError

PACKAGES = {
    "ip": "iproute2",
    "tc": "iproute2",
    "ss": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "nft": "nftables",
    "iperf3": "iperf3",
    "dnsmasq": "dnsmasq-base",
    "udhcpc": "udhcpc",
    "ping": "iputils-ping",
}


def check_requirements() -> None:
    """Raise LabError with one sentence when the lab cannot run here."""
    missing = missing_tools(PACKAGES)
    if missing:
        raise LabError(
            "the lab needs programs that are not installed; as root: "
            f"apt-get install {' '.join(missing)}"
        )
    if not Path("/dev/net/tun").exists():
        raise LabError("there is no /dev/net/tun: load the module with `modprobe tun` as root")
