"""What the machine must have before a lab can run, and the sentence that says what it lacks."""

import os
from pathlib import Path

from .commands import missing_tools, run
from .errors import LabError

PACKAGES = {
    "ip": "iproute2",
    "tc": "iproute2",
    "ss": "iproute2",
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
    if os.geteuid() != 0:
        raise LabError("the lab needs root: run it with sudo")


def check_kernel() -> None:
    """Raise LabError when namespaces cannot be made here."""
    try:
        run(["unshare", "--net", "true"])
    except LabError as refused:
        raise LabError(
            f"this machine lets nobody make network namespaces ({refused}); a container needs "
            "the capabilities NET_ADMIN and SYS_ADMIN"
        ) from refused
