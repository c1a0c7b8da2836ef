"""What the end-to-end tests do to the bond of the lab, and what they see of it."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from openbond.lab.api import ApiClient, BondView, LegView
from openbond.lab.layout import INTERNET, LINES, SITE, AccessLine
from openbond.lab.life import Lab
from openbond.lab.line import Shape
from openbond.lab.netns import Namespace, kill_programs
from openbond.lab.relay import Shapes
from openbond.lab.streams import Streams
from openbond.lab.waiting import wait_until


class Site:
    """The customer's site with its bond, seen from outside."""

    def __init__(self, lab: Lab, api: ApiClient) -> None:
        self.lab = lab
        self.api = api
        self.bond_id = lab.record.bond_id

    # ------------------------------------------------------------------ what the API shows

    def server_answers(self) -> bool:
        try:
            self.bond()
        except Exception:
            return False
        return True

    def bond(self) -> BondView:
        return self.api.bond(self.bond_id)

    def leg(self, line: AccessLine) -> LegView:
        return next(leg for leg in self.bond().leg_list if leg.interface == line.interface)

    def ends(self, line: AccessLine) -> tuple[str, str]:
        """Return what bonder and aggregator say of a line's leg."""
        leg = self.leg(line)
        return leg.bonder_state, leg.aggregator_state

    def states(self) -> dict[int, str]:
        """Return the state of each line's leg, by line number."""
        by_interface = {leg.interface: leg.state for leg in self.bond().leg_list}
        return {line.number: by_interface[line.interface] for line in LINES}

    def wait_for_states(self, wanted: dict[int, str], *, patience: float) -> float:
        """Return after how many seconds the legs named read the states named."""

        def are_so() -> bool:
            states = self.states()
            return all(states[number] == state for number, state in wanted.items())

        words = f"the legs read {wanted}"
        try:
            return wait_until(are_so, what=words, patience=patience, pause=0.1)
        except Exception as late:
            raise AssertionError(f"{late}; they read {self.states()}") from late

    def wait_until_whole(self, patience: float = 45) -> float:
        return self.wait_for_states({line.number: "up" for line in LINES}, patience=patience)

    def wait_until_nodes_listen(self, patience: float = 90) -> None:
        """Change something, and return when both ends have fetched it.

        What the API shows of a node may be old: one that missed the server for a while asks again
        only when its own patience says so (behaviour 1.5).
        """
        since = self.last_update()
        hold = self.api.get(f"/api/v3/bonds/{self.bond_id}/", HoldView).reorder_max_hold
        self.change_bond(reorder_max_hold=150 if hold != 150 else 151)
        wait_until(
            lambda: all(row.status != "pending" for row in self.config_updates(since)),
            what="both ends have fetched a change",
            patience=patience,
        )

    def put_back(self) -> None:
        """Undo through the API what a test that failed may have left off."""
        bond = self.bond()
        for kind in ("tuners/", *(f"legs/{leg.id}/tuners/" for leg in bond.leg_list)):
            self._cancel_tunings(f"/api/v3/bonds/{self.bond_id}/{kind}")
        for leg in bond.leg_list:
            if leg.link_mode != "active":
                self.set_mode(leg.id, "active")
        for one in bond.connectedips:
            if not one.enabled:
                self.api.patch(one.url, {"enabled": True}, msgspec.Raw)

    def _cancel_tunings(self, path: str) -> None:
        for tuning in self.api.get(path, list[TuningView]):
            if tuning.status in ("queued", "running"):
                self.api.post(f"{tuning.url}cancel/", {}, msgspec.Raw)

    def set_mode(self, leg_id: int, mode: str) -> None:
        self.change_leg(leg_id, link_mode=mode)

    def change_leg(self, leg_id: int, **fields: object) -> None:
        leg = self.api.get(f"/api/v3/bonds/{self.bond_id}/legs/{leg_id}/", LegView)
        self.api.patch(leg.url, fields, LegView)

    def change_bond(self, **fields: object) -> None:
        self.api.patch(f"/api/v3/bonds/{self.bond_id}/", fields, msgspec.Raw)

    # ------------------------------------------------------------------ what is done to lines

    def cut(self, *lines: AccessLine) -> None:
        for line in lines:
            way = Shape(delay_ms=line.delay_ms, is_cut=True)
            self.lab.topology.relay(line).set_shapes(Shapes(up=way, down=way))

    def mend(self, *lines: AccessLine) -> None:
        for line in lines:
            self.lab.topology.reset(line)

    # ------------------------------------------------------------------ hosts and programs

    @property
    def customer(self) -> Namespace:
        return self.lab.host("customer")

    @property
    def internet(self) -> Namespace:
        return self.lab.host("internet")

    def pids(self, host: str, *words: str) -> list[int]:
        """Return the programs on a host whose command line holds all the words, one by one."""
        return [pid for pid in self.lab.host(host).pids() if _is_called(pid, words)]

    def kill(self, host: str, *words: str) -> int:
        """Kill such programs at once, as kill -9 does; return how many there were."""
        pids = self.pids(host, *words)
        kill_programs(pids)
        return len(pids)

    def kill_server(self) -> None:
        record = self.lab.programs.find("server")
        assert record is not None
        kill_programs([record.pid])
        wait_until(lambda: not record.is_running(), what="the server is dead", patience=5)

    def can_ping(self) -> bool:
        return self.answers(self.customer, INTERNET) and self.answers(
            self.internet, SITE.customer_ip
        )

    def is_listening(self, host: str, port: int) -> bool:
        return f":{port} " in self.lab.host(host).run(["ss", "-lnt"])

    def answers(self, host: Namespace, ip: str) -> bool:
        try:
            host.run(["ping", "-c", "1", "-W", "1", "-q", ip])
        except Exception:
            return False
        return True

    @contextmanager
    def stream(self, directory: Path) -> Iterator[Streams]:
        """Run a stream each way for as long as the `with` lasts; the reports are there after."""
        streams = Streams(self.lab, directory)
        streams.start()
        try:
            time.sleep(1.0)
            yield streams
            time.sleep(0.5)
        finally:
            streams.end()

    # ------------------------------------------------------------------ the outbox

    def forget_mails(self) -> None:
        """Let the next mail of each kind be sent, as if it were an hour later."""
        database = self.lab.directory.server_state / "db.sqlite3"
        with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
            connection.execute("DELETE FROM system_mail")

    def last_update(self) -> int:
        """Return the id of the newest row of the outbox."""
        return max((row.id for row in self.config_updates()), default=0)

    def config_updates(self, since: int = 0) -> list["ConfigUpdateRow"]:
        """Return the rows of the outbox after an id, in order. v3 shows their counts only."""
        database = self.lab.directory.server_state / "db.sqlite3"
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            found = connection.execute(
                "SELECT id, node_id, status FROM fleet_configupdate WHERE id > ? ORDER BY id",
                (since,),
            ).fetchall()
        connection.close()
        return [ConfigUpdateRow(*row) for row in found]


class TuningView(msgspec.Struct, frozen=True):
    url: str
    status: str


class HoldView(msgspec.Struct, frozen=True):
    reorder_max_hold: int


class ConfigUpdateRow(msgspec.Struct, frozen=True):
    id: int
    node_id: int
    status: str


def all_applied(rows: list[ConfigUpdateRow]) -> bool:
    return bool(rows) and all(row.status == "applied" for row in rows)


def _is_called(pid: int, words: tuple[str, ...]) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return all(any(re.search(rf"(^|/){re.escape(word)}$", a) for a in arguments) for word in words)
