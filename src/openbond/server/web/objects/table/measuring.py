"""Speed tests and tunings, of one bond and of all."""

from openbond.server.web.objects.declaring import Action, Group, Sheet
from openbond.server.web.objects.everywhere import (
    AllBondTuners,
    AllLegTuners,
    AllSpeedTests,
    only_read,
)

from .bonds import BOND

TEST_COLUMNS = (
    "id",
    "target",
    "leg",
    "status",
    "direction",
    "protocol",
    "results",
    "submitted",
    "error",
)
TEST_GROUPS = (
    Group("Now", ("status", "description", "error", "results", "progress_results")),
    Group(
        "What is tested",
        ("target", "bond", "leg", "direction", "protocol", "length", "rate_limit", "concurrency"),
    ),
    Group("When", ("submitted", "started", "finished")),
    Group("Versions", ("aggregator", "bonder_version", "aggregator_version")),
)
TUNER_COLUMNS = ("id", "status", "decision", "recommendations", "automatic", "submitted", "error")
TUNER_GROUPS = (
    Group("Now", ("status", "error", "decision", "recommendations")),
    Group("What", ("bond", "leg", "automatic", "tests")),
    Group("When", ("submitted", "started", "finished", "decided")),
)
DECISIONS = (
    Action(
        "accept",
        "Accept",
        "The recommended values are written to the bond and its legs.",
        when="decision",
        values=("pending",),
    ),
    Action(
        "decline",
        "Decline",
        "The recommendation is put aside; nothing is changed.",
        when="decision",
        values=("pending",),
    ),
    Action(
        "cancel",
        "Cancel",
        "The tuning stops; what it measured so far is kept.",
        when="status",
        values=("queued", "running"),
    ),
)
LEFT_OUT = frozenset({"bond_configuration"})

MEASURING_SHEETS = (
    Sheet(
        key="speed_tests",
        route="speedtests/",
        title="Speed tests",
        one="Speed test",
        about="What legs and bonds really carried, of all bonds.",
        columns=("id", "bond", *TEST_COLUMNS[1:]),
        name="id",
        empty="A speed test is started on the page of a bond.",
        own_place=only_read(AllSpeedTests),
        order="-id",
        left_out=LEFT_OUT,
    ),
    Sheet(
        key="bond_speedtests",
        route=f"{BOND}speedtests/",
        title="Speed tests of the bond",
        one="Speed test",
        about="What its legs and the bond itself really carried.",
        columns=TEST_COLUMNS,
        groups=TEST_GROUPS,
        name="id",
        kind="speedtest",
        empty="None yet. Start one: it takes some of the line for some seconds.",
        made_at=(f"/{BOND}test/", "add_speedtest"),
        order="-id",
        left_out=LEFT_OUT,
    ),
    Sheet(
        key="tuners",
        route="tuners/",
        title="Tunings of bonds",
        one="Tuning",
        about="Series of tests that recommend settings of whole bonds.",
        columns=("id", "bond", *TUNER_COLUMNS[1:]),
        name="id",
        empty="A tuning is started on the page of a bond.",
        own_place=only_read(AllBondTuners),
        order="-id",
        beside=(("Tunings of legs", "/leg_tuners/"),),
    ),
    Sheet(
        key="all_leg_tuners",
        route="leg_tuners/",
        title="Tunings of legs",
        one="Tuning",
        about="Series of tests that recommend the speeds of single legs.",
        columns=("id", "bond", "leg", *TUNER_COLUMNS[1:]),
        name="id",
        empty="A tuning is started on the page of a leg.",
        own_place=only_read(AllLegTuners),
        order="-id",
        beside=(("Tunings of bonds", "/tuners/"),),
    ),
    Sheet(
        key="bond_tuners",
        route=f"{BOND}tuners/",
        title="Tunings of the bond",
        one="Tuning",
        about="Each tests every leg and the bond, and recommends settings.",
        columns=TUNER_COLUMNS,
        groups=TUNER_GROUPS,
        name="id",
        kind="tuning",
        actions=DECISIONS,
        made_at=(f"/{BOND}tune/", "add_tuner"),
        order="-id",
    ),
    Sheet(
        key="leg_tuners",
        route=f"{BOND}legs/<id:leg_id>/tuners/",
        title="Tunings of the leg",
        one="Tuning",
        about="Each tests the leg, and recommends its speeds.",
        columns=TUNER_COLUMNS,
        groups=TUNER_GROUPS,
        name="id",
        kind="tuning",
        actions=DECISIONS,
        made_at=(f"/{BOND}tune/?leg=<id:leg_id>", "add_tuner"),
        order="-id",
    ),
)
