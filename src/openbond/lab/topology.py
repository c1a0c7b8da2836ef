"""Build the namespaces, cables, addresses and lines of one lab (layout.py says what they are)."""

import sys
from collections.abc import Sequence

from .layout import (
    AGGREGATORS,
    CORE,
    CORE_TOWARDS_INTERNET,
    ETHERNET_SHARE,
    HOSTS,
    INTERNET,
    LINES,
    SERVER,
    SITE,
    AccessLine,
    Addressing,
)
from .line import Shape
from .netns import Namespace, add_cable
from .programs import Programs
from .registry import LabDirectory
from .relay import RelayClient, Shapes
from .waiting import wait_until


class Topology:
    """The hosts of one lab by their short names."""

    def __init__(self, directory: LabDirectory) -> None:
        self._directory = directory
        self._programs = Programs(directory.programs, directory.logs)

    def host(self, name: str) -> Namespace:
        return Namespace(self._directory.prefix + name)

    def relay(self, line: AccessLine) -> RelayClient:
        return RelayClient(self._directory.line_control(line.name))

    def build(self) -> None:
        """Make everything; the lab's name must be free. Raises LabError when a step fails."""
        for name in HOSTS:
            self.host(name).create()
        self._build_data_centre()
        for line in LINES:
            self._build_line(line)
        self._build_site()

    def set_rates(self, line: AccessLine, *, down: float | None, up: float | None) -> None:
        """Set the rates of a line in Mbit/s of IP packets; None lifts the limit."""
        isp = self.host(line.isp)
        isp.set_rate("access", down and down * ETHERNET_SHARE)
        isp.set_rate("uplink", up and up * ETHERNET_SHARE)

    def reset(self, line: AccessLine) -> None:
        """Make a line what it was at first: its rate and delay, whole, without loss."""
        self.set_rates(line, down=line.mbps, up=line.mbps)
        way = Shape(delay_ms=line.delay_ms)
        self.relay(line).set_shapes(Shapes(up=way, down=way))

    def rates(self, line: AccessLine) -> tuple[float | None, float | None]:
        """Return the rates of a line, down and up, in Mbit/s of IP packets; None: no limit."""
        isp = self.host(line.isp)
        return _ip_rate(isp.rate("access")), _ip_rate(isp.rate("uplink"))

    def lease(self, line: AccessLine, ip: str) -> None:
        """Let a line's DHCP server give another address from now on, and refuse the old one."""
        self._programs.end(f"dhcp-{line.isp}")
        (self._directory.path / f"{line.isp}.leases").unlink(missing_ok=True)
        self._start_dhcp_server(line, ip)

    def move_nat(self, line: AccessLine, ports: range) -> None:
        """Let the ISP's router translate to other ports from now on, and forget what it did; a line
        that had no address translation gets one.
        """
        self._translate(line, _masquerade("uplink", f"{ports.start}-{ports.stop - 1}"))

    def restore_nat(self, line: AccessLine) -> None:
        """Undo `move_nat`."""
        is_nat = line.addressing is Addressing.NAT
        self._translate(line, _masquerade("uplink") if is_nat else "")

    def _translate(self, line: AccessLine, rules: str) -> None:
        isp = self.host(line.isp)
        isp.run(["nft", "-f", "-"], given=f"table ip lab\ndelete table ip lab\n{rules}")
        isp.run([sys.executable, "-m", "openbond.lab.forget_nat"])

    def install_bonder(self, line: AccessLine) -> None:
        """Do what the installer does at the site: one line by hand until the first config is in."""
        bonder = self.host("bonder")
        bonder.add_address(line.interface, f"{line.ip}/{line.prefix}")
        bonder.add_route("default", via=line.gateway)

    def end_installation(self) -> None:
        """Take the installer's default route away; the legs carry the management channel now."""
        self.host("bonder").ip("route", "flush", "default", "table", "main")

    def _build_data_centre(self) -> None:
        core = self.host("core")
        core.forward_packets()
        for name, ip in (("server", SERVER), *((one.host, one.ip) for one in AGGREGATORS)):
            self._join_core(name, ip, CORE)
        self._join_core("internet", INTERNET, CORE_TOWARDS_INTERNET)

    def _join_core(self, name: str, ip: str, core_ip: str) -> None:
        core = self.host("core")
        add_cable(self.host(name), "eth0", core, name)
        core.add_address(name, core_ip, peer=ip)
        self.set_own_address(name, ip, core_ip)

    def set_own_address(self, name: str, ip: str, core_ip: str = CORE) -> None:
        """Do what a data-centre host's operating system does at boot: address and default route."""
        self.host(name).add_address("eth0", ip, peer=core_ip)
        self.host(name).add_route("default", via=core_ip)

    def _build_line(self, line: AccessLine) -> None:
        isp, wire = self.host(line.isp), self.host(line.name)
        isp.forward_packets()
        add_cable(self.host("bonder"), line.interface, wire, "customer")
        add_cable(isp, "access", wire, "isp")
        self._join_core_as_isp(line)
        isp.add_address("access", f"{line.gateway}/{line.prefix}")
        for interface in ("customer", "isp"):
            # The kernel must not answer for the ends: the relay alone carries what passes here.
            wire.set_sysctl(f"net/ipv6/conf/{interface}/disable_ipv6", "1")
            wire.ip("link", "set", interface, "arp", "off", "up")
        self._start_relay(line)
        if line.addressing is Addressing.DHCP:
            self._start_dhcp_server(line, line.ip)
        if line.addressing is Addressing.NAT:
            isp.run(["nft", "-f", "-"], given=_masquerade("uplink"))

    def _join_core_as_isp(self, line: AccessLine) -> None:
        isp, core = self.host(line.isp), self.host("core")
        add_cable(isp, "uplink", core, line.isp)
        isp.add_address("uplink", line.uplink, peer=CORE)
        core.add_address(line.isp, CORE, peer=line.uplink)
        isp.add_route("default", via=CORE)
        if line.addressing is not Addressing.NAT:
            core.add_route(line.network, via=line.uplink)

    def _start_relay(self, line: AccessLine) -> None:
        control = self._directory.line_control(line.name)
        relay = (sys.executable, "-m", "openbond.lab.relay", "--customer", "customer")
        self._start_in(line.name, line.name, [*relay, "--isp", "isp", "--control", str(control)])
        wait_until(control.exists, what=f"the relay of {line.name} listens", patience=10)
        self.reset(line)

    def _start_dhcp_server(self, line: AccessLine, ip: str) -> None:
        leases = self._directory.path / f"{line.isp}.leases"
        self._start_in(f"dhcp-{line.isp}", line.isp, [
            # Not --keep-in-foreground: that changes its group, which a user namespace forbids.
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0",
            "--interface=access", "--bind-interfaces", "--pid-file", f"--dhcp-leasefile={leases}",
            f"--dhcp-range={ip},{ip},1h", f"--dhcp-option=3,{line.gateway}",
            "--dhcp-authoritative", "--log-dhcp",
        ])  # fmt: skip

    def _build_site(self) -> None:
        customer = self.host("customer")
        add_cable(customer, "eth0", self.host("bonder"), SITE.interface)
        customer.add_address("eth0", f"{SITE.customer_ip}/{SITE.prefix}")
        customer.add_route("default", via=SITE.bonder_ip)

    def _start_in(self, name: str, host: str, command: Sequence[str]) -> None:
        self._programs.start(name, self.host(host).argv(command))


def _ip_rate(mbps: float | None) -> float | None:
    return round(mbps / ETHERNET_SHARE, 3) if mbps else None


def _masquerade(interface: str, ports: str = "") -> str:
    moved = (
        f'oifname "{interface}" meta l4proto {{ tcp, udp }} masquerade to :{ports}; '
        if ports
        else ""
    )
    return (
        "table ip lab { chain postrouting { type nat hook postrouting priority srcnat; "
        f'{moved}oifname "{interface}" masquerade; }}; }}\n'
    )
