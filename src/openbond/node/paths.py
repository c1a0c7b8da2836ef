"""Where a node's files lie below its root (behaviour 1.3); many nodes can share a disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    root: Path

    @property
    def settings(self) -> Path:
        """Server address and node key."""
        return self.root / "etc" / "bonding" / "bonding.conf"

    @property
    def state(self) -> Path:
        return self.root / "var" / "lib" / "bonding"

    @property
    def last_good(self) -> Path:
        return self.state / "configuration.json"

    @property
    def previous(self) -> Path:
        return self.state / "configuration.previous.json"

    @property
    def journal(self) -> Path:
        """The plan in progress and the config it belongs to (behaviour 1.8, step 2)."""
        return self.state / "journal.json"

    @property
    def reports(self) -> Path:
        return self.state / "config-send.json"

    @property
    def numbers(self) -> Path:
        """High-water marks of everything that may only rise."""
        return self.state / "numbers.json"

    @property
    def actions(self) -> Path:
        """The action counters last acted upon (behaviour 1.7)."""
        return self.state / "actions.json"

    @property
    def mobile_budget(self) -> Path:
        """What the channel cost on mobile legs in this month."""
        return self.state / "mobile-budget.json"

    @property
    def addresses(self) -> Path:
        """The server's addresses that worked last (behaviour 1.5)."""
        return self.state / "server-addresses.json"

    @property
    def dhcp_hook(self) -> Path:
        """What the DHCP clients start. Not below /run, which Debian mounts without exec."""
        return self.state / "dhcp-hook"

    @property
    def authority(self) -> Path:
        return self.state / "ca"

    @property
    def ca(self) -> Path:
        return self.authority / "ca.pem"

    @property
    def crl(self) -> Path:
        return self.authority / "crl.pem"

    @property
    def certificate(self) -> Path:
        return self.authority / "node.pem"

    @property
    def identity_key(self) -> Path:
        """Ed25519 private key, PEM, mode 0600."""
        return self.authority / "node.key"

    @property
    def tunnel_key(self) -> Path:
        """X25519 private key, PEM, mode 0600."""
        return self.authority / "tunnel.key"

    @property
    def enrolment(self) -> Path:
        """Which node this is, as the server said."""
        return self.authority / "enrolment.json"

    @property
    def run(self) -> Path:
        return self.root / "run" / "bonding"

    @property
    def notes(self) -> Path:
        """What programs have to tell an operator, until the agent reports it."""
        return self.run / "notes"

    @property
    def hook_socket(self) -> Path:
        return self.run / "hooks.sock"

    @property
    def hook_memory(self) -> Path:
        """Which hooks were started, so that exactly those are stopped."""
        return self.run / "hooks.json"

    @property
    def hook_lock(self) -> Path:
        return self.run / "hooks.lock"

    @property
    def lines(self) -> Path:
        """What the PPPoE and modem clients found, one file a leg."""
        return self.run / "lines"

    @property
    def modems(self) -> Path:
        """What is known of the modems, one file a leg."""
        return self.run / "modems"

    @property
    def modem_settings(self) -> Path:
        """What the modem client shall connect (mode 0600)."""
        return self.run / "modems.json"

    @property
    def ppp(self) -> Path:
        """pppd's options, one file a leg (mode 0600)."""
        return self.run / "ppp"

    @property
    def ppp_hook(self) -> Path:
        """What pppd starts when its line is up or down."""
        return self.state / "ppp-hook"

    @property
    def management_leg(self) -> Path:
        """The DHCP leg that a decommissioned node keeps up (behaviour 1.4)."""
        return self.state / "management-leg.json"

    @property
    def leases(self) -> Path:
        return self.run / "leases"

    @property
    def client_leases(self) -> Path:
        """What our DHCP server lent to customers; it must outlive a reboot."""
        return self.state / "dhcp-server.leases"

    @property
    def programs(self) -> Path:
        """One file per program the supervisor keeps running."""
        return self.run / "programs"

    @property
    def supervised(self) -> Path:
        """Which process runs which program, so that a new supervisor finds the running ones."""
        return self.run / "supervised.json"

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def agent_socket(self) -> Path:
        return self.run / "agent.sock"

    @property
    def agent_lock(self) -> Path:
        return self.run / "agent.lock"

    @property
    def supervisor_lock(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def ruleset_mark(self) -> Path:
        """What the packet filter looked like right after our last change of it."""
        return self.run / "ruleset.json"
