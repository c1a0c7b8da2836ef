"""Hooks: which are wanted, in which order, what they may know; and the runner with real ones."""

import asyncio
import json
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import TypeVar

import pytest

from openbond.node.hooks.folders import distrust, hooks_of, read_folders
from openbond.node.hooks.messages import HookObject, hook_of, object_of
from openbond.node.hooks.runner import HookRunner
from openbond.node.notes import waiting_notes
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import plan
from openbond.node.plan.facts import Facts, Machine
from openbond.node.plan.values import Hook, HookKind, Link, Observed
from openbond.wire.config import CpeNatIpConfig, NodeContent, RouteConfig
from openbond.wire.states import LinkMode
from tests.node.fake_host import FakeHost
from tests.node.samples import aggregator, bond, bonder, connected_ip, far_leg, static_leg

T = TypeVar("T")
FACTS = Facts(Machine("/key", "/hook", "/leases", ("tunnel",)))
LINKS = {name: Link(name, up=True, carrier=True, mtu=1500) for name in ("eth1", "eth2", "lan0")}
SITE = bond(
    legs=[static_leg(21, "eth1"), static_leg(22, "eth2", mode=LinkMode.OFFLINE)],
    connected_ips=[connected_ip(5)],
    routes=[RouteConfig(id=9, network="10.5.0.0/16", gateway="10.1.0.254", agg_routing="enabled")],
    cpe_nat_ips=[
        CpeNatIpConfig(
            id=3, ip="203.0.113.9", dest_nat_ip="10.1.0.9", dest_nat_network="10.1.0.0/24"
        )
    ],
)


def wanted(content: NodeContent) -> dict[HookKind, Hook]:
    return {hook.kind: hook for hook in desired_for(content, FACTS).hooks}


def said_to(hook: Hook) -> str:
    return "\n".join(f"{name}={value}" for name, value in hook.environment)


def text(words: str) -> str:
    return dedent(words).strip()


# -------------------------------------------------------------------------------- what they know


def test_the_hooks_of_a_bond_know_what_the_published_table_says() -> None:
    assert said_to(wanted(bonder(SITE))[HookKind.BOND]) == text("""
        ID=7
        AGGREGATOR_IP=203.0.113.1
        COMPRESSION=False
        QOS_PROFILE_ID=
        TUNNEL_SUBNET=240.0.0.0/31
        TUNNEL_BONDER_IP=240.0.0.0
        TUNNEL_AGGREGATOR_IP=240.0.0.1
        TUNNEL_LOCAL_IP=240.0.0.0
        TUNNEL_PEER_IP=240.0.0.1
        CLAMP_TCP=True
        TUNNEL_SECURITY=encryption
        ENCRYPTION_CIPHER=aes128
        ENCRYPTION_HANDSHAKE_INTERVAL=3600
        AUTOMATIC_PING_TIMING=True
    """)


def test_the_hooks_of_a_leg_know_its_interface_and_of_a_static_one_its_address() -> None:
    leg = static_leg(21, "eth1.3", failover=True, interface_mac="02:00:00:00:00:01")

    assert said_to(wanted(bonder(bond(legs=[leg])))[HookKind.LEG]) == text("""
        ID=21
        BOND_ID=7
        LINK_MODE=active
        FAILOVER=True
        TUNNEL_PORT=2021
        INTERFACE=eth1.3
        INTERFACE_BASE=eth1
        INTERFACE_MAC=02:00:00:00:00:01
        INTERFACE_MTU=
        INTERFACE_MODE=auto
        IP=192.0.2.2
        NETMASK=255.255.255.0
        GATEWAY=192.0.2.1
    """)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            HookKind.CONNECTED_IP,
            "ID=5 BOND_ID=7 IP=10.1.0.1 NETMASK=255.255.255.0 NETWORK=10.1.0.0 INTERFACE=lan0 "
            "AGG_ROUTING=auto",
        ),
        (
            HookKind.CPE_NAT_IP,
            "ID=3 BOND_ID=7 IP=203.0.113.9 DEST_NAT_IP=10.1.0.9 DEST_NAT_NETMASK=255.255.255.0",
        ),
        (
            HookKind.ROUTE,
            "ID=9 BOND_ID=7 NETWORK=10.5.0.0 NETMASK=255.255.0.0 VIA=10.1.0.254 "
            "AGG_ROUTING=enabled",
        ),
        (HookKind.TUN, "ID=7 TUN_NAME=tun7 LOCAL_IP=240.0.0.0 PEER_IP=240.0.0.1"),
    ],
)
def test_the_hooks_of_other_objects_know_their_own(kind: HookKind, said: str) -> None:
    assert said_to(wanted(bonder(SITE))[kind]).split() == said.split()


def test_an_aggregators_hooks_see_the_tunnel_from_the_other_end() -> None:
    found = wanted(aggregator(bond(legs=[far_leg()], qos_profile_id=4)))

    assert "TUNNEL_LOCAL_IP=240.0.0.1" in said_to(found[HookKind.BOND])
    assert "QOS_PROFILE_ID=4" in said_to(found[HookKind.BOND])
    assert "PEER_IP=240.0.0.0" in said_to(found[HookKind.TUN])
    assert "INTERFACE=\n" in said_to(found[HookKind.LEG])


def test_a_leg_in_mode_offline_has_no_hooks() -> None:
    legs = {hook.id for hook in desired_for(bonder(SITE), FACTS).hooks if hook.kind == "leg"}

    assert legs == {21}


def test_nothing_secret_reaches_a_hook() -> None:
    hooks = desired_for(bonder(SITE), FACTS).hooks

    assert SITE.secret not in str([hook.environment for hook in hooks])


# -------------------------------------------------------------------------------- in which order


def step_lines(content: NodeContent, observed: Observed) -> list[str]:
    desired = desired_for(content, FACTS)
    return [str(step) for step in plan(desired=desired, observed=observed).steps]


def test_hooks_start_after_what_they_are_for_and_the_bonds_come_last() -> None:
    lines = step_lines(bonder(SITE), Observed(links=LINKS, hooks=()))

    hooks = [line for line in lines if line.startswith("add hooks")]
    assert hooks == [
        "add hooks tun 7",
        "add hooks leg 21",
        "add hooks connectedip 5",
        "add hooks cpenatip 3",
        "add hooks route 9",
        "add hooks bond 7",
    ]
    others = [line for line in lines if not line.startswith("add hooks")]
    assert lines == [*others, *hooks]
    assert "add device tun7" in others
    assert "add program tunnel-7" in others


def test_hooks_stop_in_the_reverse_order_and_before_what_they_are_for_goes_away() -> None:
    host = FakeHost("eth1", "eth2", "lan0")
    host.state = replace(host.state, hooks=())
    desired = desired_for(bonder(SITE), FACTS)
    host.apply(plan(desired=desired, observed=host.state).steps)

    lines = step_lines(bonder(), host.state)

    stops = [number for number, line in enumerate(lines) if line.startswith("delete hooks")]
    assert [lines[number] for number in stops] == [
        "delete hooks bond 7",
        "delete hooks route 9",
        "delete hooks cpenatip 3",
        "delete hooks connectedip 5",
        "delete hooks leg 21",
        "delete hooks tun 7",
    ]
    deletes = [number for number, line in enumerate(lines) if line.startswith("delete ")]
    assert deletes[: len(stops)] == stops
    assert lines.index("delete device tun7") > stops[-1]


def test_the_same_config_again_starts_no_hook_twice() -> None:
    started = tuple(desired_for(bonder(SITE), FACTS).hooks)

    lines = step_lines(bonder(SITE), Observed(links=LINKS, hooks=started))

    assert not [line for line in lines if "hooks" in line]


def test_an_object_that_changed_is_stopped_as_it_was_and_started_as_it_is() -> None:
    started = tuple(desired_for(bonder(SITE), FACTS).hooks)
    moved = bond(legs=[static_leg(21, "eth1", ip="192.0.2.3"), SITE.legs[1]])

    found = plan(
        desired=desired_for(bonder(moved), FACTS), observed=Observed(links=LINKS, hooks=started)
    )

    legs = [step for step in found.steps if "hooks leg" in str(step)]
    assert [str(step) for step in legs] == ["delete hooks leg 21", "add hooks leg 21"]
    assert [dict(step.item.environment)["IP"] for step in legs if isinstance(step.item, Hook)] == [
        "192.0.2.2",
        "192.0.2.3",
    ]


def test_a_leg_whose_interface_is_missing_starts_its_hooks_when_it_appears() -> None:
    links = {name: link for name, link in LINKS.items() if name != "eth1"}

    assert "add hooks leg 21" not in step_lines(bonder(SITE), Observed(links=links, hooks=()))
    assert "add hooks leg 21" in step_lines(bonder(SITE), Observed(links=LINKS, hooks=()))


def test_without_the_runner_hooks_wait_with_a_warning_that_says_what_to_start() -> None:
    observed = Observed(links=LINKS, hooks=None, hooks_wait=True)

    found = plan(desired=desired_for(bonder(SITE), FACTS), observed=observed)

    assert not [step for step in found.steps if isinstance(step.item, Hook)]
    assert [words for about, words in found.warnings if about == "node"] == [
        "hooks wait: the hook runner does not answer, start `openbond node hooks` as root"
    ]


# ------------------------------------------------------------------------------------ the runner


class Place:
    """A root directory with hooks that write down how they were called."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.hooks = root / "etc" / "bonding"
        self.hooks.mkdir(parents=True)
        self.calls = root / "calls"

    def folder(self, name: str) -> Path:
        path = self.hooks / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def hook(self, name: str, body: str = "", *, mode: int = 0o755) -> Path:
        path = self.hooks / name
        self.folder(str(Path(name).parent))
        path.write_text(f"#!/bin/sh\necho {name} $1 >>{self.calls}\n{body}\n")
        path.chmod(mode)
        return path

    def called(self) -> list[str]:
        """Return the calls since the last time."""
        if not self.calls.exists():
            return []
        lines = self.calls.read_text().splitlines()
        self.calls.unlink()
        return lines

    def troubles(self) -> list[str]:
        return [note.text for _, note in waiting_notes(self.paths.notes)]

    def live(self, story: Callable[[HookRunner], Awaitable[T]], *, patience_s: float = 30.0) -> T:
        async def life() -> T:
            runner = HookRunner(self.paths, patience_s=patience_s, owner=os.getuid())
            try:
                return await story(runner)
            finally:
                await runner.wait_idle()

        return asyncio.run(life())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def leg_object(leg_id: int = 21, **environment: str) -> HookObject:
    return HookObject(
        kind=HookKind.LEG, id=leg_id, bond_id=7, environment={"ID": str(leg_id), **environment}
    )


async def started_and_stopped(runner: HookRunner) -> None:
    runner.start(leg_object())
    await runner.wait_idle()
    await runner.stop(leg_object())


def test_all_come_first_then_those_of_the_id_and_stop_is_exactly_the_reverse(place: Place) -> None:
    for name in ("all/20-b", "all/10-a", "all/Z", "21/x", "default/never"):
        place.hook(f"leg.d/{name}")

    place.live(started_and_stopped)

    assert place.called() == [
        "leg.d/all/10-a start",
        "leg.d/all/20-b start",
        "leg.d/all/Z start",
        "leg.d/21/x start",
        "leg.d/21/x stop",
        "leg.d/all/Z stop",
        "leg.d/all/20-b stop",
        "leg.d/all/10-a stop",
    ]


def test_default_serves_those_without_a_folder_of_their_own(place: Place) -> None:
    place.hook("leg.d/default/d")

    place.live(started_and_stopped)

    assert place.called() == ["leg.d/default/d start", "leg.d/default/d stop"]


def test_an_empty_folder_of_the_id_suppresses_default(place: Place) -> None:
    place.hook("leg.d/default/d")
    place.folder("leg.d/21")

    place.live(started_and_stopped)

    assert place.called() == []


def test_names_are_in_byte_order_whatever_the_language(place: Place) -> None:
    for name in ("a", "B", "ä", "_"):
        place.hook(f"leg.d/all/{name}")

    found = hooks_of(read_folders(place.hooks), HookKind.LEG, 21)

    assert found == [f"leg.d/all/{name}" for name in ("B", "_", "a", "ä")]


def test_a_hook_gets_its_variables_and_a_path_and_nothing_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_RUNNER", "x")
    out = place.paths.root / "environment"
    place.hook("leg.d/all/a", f"tr '\\0' '\\n' </proc/self/environ >{out}")

    async def story(runner: HookRunner) -> None:
        runner.start(leg_object(INTERFACE="eth1", INTERFACE_MAC=""))

    place.live(story)

    names = dict(line.partition("=")[::2] for line in out.read_text().splitlines())
    assert {name: value for name, value in names.items() if name not in ("PWD", "_", "OLDPWD")} == {
        "ID": "21",
        "INTERFACE": "eth1",
        "INTERFACE_MAC": "",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        **({"SHLVL": names["SHLVL"]} if "SHLVL" in names else {}),
    }


def test_a_hook_that_fails_is_told_of_and_the_next_one_runs(place: Place) -> None:
    failing = place.hook("leg.d/all/1-fails", "exit 3")
    place.hook("leg.d/all/2-runs")

    place.live(started_and_stopped)

    assert "leg.d/all/2-runs start" in place.called()
    assert place.troubles() == [
        f"hook {failing} start: ended with exit code 3",
        f"hook {failing} stop: ended with exit code 3",
    ]


def test_a_hook_that_hangs_is_killed_with_all_it_started(place: Place) -> None:
    hanging = place.hook("leg.d/all/1-hangs", f"sleep 600 & echo $! >{place.paths.root}/pid\nwait")
    place.hook("leg.d/all/2-runs")

    async def story(runner: HookRunner) -> None:
        runner.start(leg_object())

    place.live(story, patience_s=0.5)

    assert place.called() == ["leg.d/all/1-hangs start", "leg.d/all/2-runs start"]
    assert place.troubles() == [f"hook {hanging} start: did not end within 0.5 s and was killed"]
    assert not _runs(int((place.paths.root / "pid").read_text()))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_hook_that_is_no_program_is_told_of(place: Place) -> None:
    path = place.hook("leg.d/all/a")
    path.write_text("no first line\n")

    place.live(started_and_stopped)

    assert "cannot be started (Exec format error)" in place.troubles()[0]


def test_a_file_that_others_may_write_is_not_started_and_the_warning_says_what_to_do(
    place: Place,
) -> None:
    path = place.hook("leg.d/all/a", mode=0o775)

    place.live(started_and_stopped)

    assert place.called() == []
    assert place.troubles()[0] == (
        f"hook {path} start: not started: others than root may write {path}: chmod go-w {path}"
    )


def test_a_folder_that_others_may_write_is_as_bad(place: Place) -> None:
    place.hook("leg.d/all/a")
    (place.hooks / "leg.d").chmod(0o777)

    why = distrust(place.hooks, "leg.d/all/a", owner=os.getuid())

    assert why.endswith(f"chmod go-w {place.hooks}/leg.d")


def test_a_file_of_somebody_else_is_not_started(place: Place) -> None:
    path = place.hook("leg.d/all/a")

    assert "does not belong to root: chown root " in distrust(
        place.hooks, "leg.d/all/a", owner=path.stat().st_uid + 1
    )


def test_a_link_out_of_the_folders_is_not_followed(place: Place) -> None:
    place.folder("leg.d/all")
    (place.hooks / "leg.d/all/a").symlink_to("/bin/true")

    why = distrust(place.hooks, "leg.d/all/a", owner=os.getuid())

    assert why == f"it leads out of {place.hooks}: put the file itself there"


def test_a_file_that_nobody_may_execute_is_a_note_and_no_hook(place: Place) -> None:
    place.hook("leg.d/all/README", mode=0o644)

    place.live(started_and_stopped)

    assert (place.called(), place.troubles()) == ([], [])


def test_a_new_hook_first_runs_at_the_next_restart_of_the_bond(place: Place) -> None:
    place.hook("leg.d/all/a")

    async def story(runner: HookRunner) -> None:
        runner.start(leg_object(21))
        await runner.wait_idle()
        place.hook("leg.d/all/b")
        runner.start(leg_object(22))
        await runner.wait_idle()

    async def restart(runner: HookRunner) -> None:
        for leg_id in (22, 21):
            await runner.stop(leg_object(leg_id))
        for leg_id in (21, 22):
            runner.start(leg_object(leg_id))

    place.live(story)
    assert place.called() == ["leg.d/all/a start"] * 2

    place.live(restart)
    assert (
        place.called()
        == ["leg.d/all/a stop"] * 2
        + [
            "leg.d/all/a start",
            "leg.d/all/b start",
        ]
        * 2
    )


def test_a_runner_that_was_killed_stops_what_the_one_before_started(place: Place) -> None:
    gone = place.hook("leg.d/all/a")
    place.hook("leg.d/all/b")

    async def start(runner: HookRunner) -> None:
        runner.start(leg_object())

    async def stop(runner: HookRunner) -> list[HookObject]:
        found = runner.started
        await runner.stop(leg_object())
        return found

    place.live(start)
    gone.unlink()
    place.called()

    assert place.live(stop) == [leg_object()]
    assert place.called() == ["leg.d/all/b stop"]
    assert place.troubles() == [f"hook {gone} stop: not started: it is gone"]


def test_starting_or_stopping_twice_is_harmless(place: Place) -> None:
    place.hook("leg.d/all/a")

    async def story(runner: HookRunner) -> None:
        runner.start(leg_object())
        runner.start(leg_object())
        await runner.wait_idle()
        await runner.stop(leg_object())
        await runner.stop(leg_object())

    place.live(story)

    assert place.called() == ["leg.d/all/a start", "leg.d/all/a stop"]


def test_a_stop_waits_for_the_start_before_it(place: Place) -> None:
    place.hook("leg.d/all/a", f"sleep 0.3; echo done >>{place.calls}")

    async def story(runner: HookRunner) -> None:
        runner.start(leg_object())
        await runner.stop(leg_object())

    place.live(story)

    assert place.called() == ["leg.d/all/a start", "done", "leg.d/all/a stop", "done"]


def test_variables_that_are_none_of_the_kind_are_refused(place: Place) -> None:
    place.hook("leg.d/all/a")
    request = {"type": "start", "object": json_of(leg_object(LD_PRELOAD="/tmp/x"))}

    async def story(runner: HookRunner) -> str:
        return (await runner.answer(json.dumps(request).encode())).refused

    assert place.live(story) == "Variables ['LD_PRELOAD'] are none of leg's."
    assert place.called() == []


def json_of(item: HookObject) -> dict[str, object]:
    return {
        "kind": item.kind,
        "id": item.id,
        "bond_id": item.bond_id,
        "environment": item.environment,
    }


def test_what_the_runner_remembers_is_what_the_plan_wants() -> None:
    for hook in desired_for(bonder(SITE), FACTS).hooks:
        assert hook_of(object_of(hook)) == hook


def test_the_memory_is_for_root_alone(place: Place) -> None:
    place.live(started_and_stopped)

    assert stat.S_IMODE(place.paths.hook_memory.stat().st_mode) == 0o600
