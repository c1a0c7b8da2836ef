"""One small world, used by every test of the server.

Root                 admin works here (group Administrator); aggregators home and away
├── Acme             ana works here (every group that is no administrator's); shares all with Root
│   │                bond site-1 on home (secondary away): legs dhcp eth1, static eth2, pppoe eth3
│   └── Acme East    eve works here
└── Globex           gil works here (the same groups as ana); bond globex-1 on home
"""

import base64
from dataclasses import dataclass
from datetime import datetime

from django.test import Client
from django.utils import timezone

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.services import create_bond, create_leg
from openbond.server.control.installation import FirstAdministrator, install
from openbond.server.fleet.models import Aggregator, Bonder, ConfigUpdate, RoutingGroup
from openbond.server.fleet.services import create_aggregator
from openbond.server.spaces.models import Group, Space, User
from openbond.server.spaces.permissions import ALL_CODES
from openbond.server.spaces.selectors import viewer_for
from openbond.server.spaces.services import create_group, create_space, create_user
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.actors import SERVER
from openbond.wire.states import LegType

PASSWORD = "correct horse battery staple"
EVERYTHING = "Everything"


@dataclass
class World:
    """The rows that tests talk about, and who may ask for them."""

    now: datetime
    root: Space
    acme: Space
    acme_east: Space
    globex: Space
    group: RoutingGroup
    home: Aggregator
    away: Aggregator
    bond: Bond
    bonder: Bonder
    dhcp_leg: Leg
    static_leg: Leg
    pppoe_leg: Leg
    globex_bond: Bond

    def user(self, name: str) -> User:
        return User.objects.select_related("space").get(username=name)

    def viewer(self, name: str) -> Viewer:
        """Return the viewer that `admin`, `ana`, `eve` or `gil` is now."""
        return viewer_for(self.user(name))

    def basic(self, name: str) -> str:
        """Return the value of an Authorization header."""
        text = f"{name}:{PASSWORD}"
        return f"Basic {base64.b64encode(text.encode()).decode()}"

    def client(self, name: str) -> Client:
        """Return a client that logs in with HTTP Basic on every request."""
        return Client(headers={"Authorization": self.basic(name)})

    def nobody(self) -> Client:
        """Return a client that does not log in."""
        return Client()

    def restrict(self, name: str, *codes: str) -> None:
        """Leave a user with exactly these permission codes."""
        Group.objects.filter(name=f"only {name}").delete()
        only = create_group(by=SERVER, name=f"only {name}", permissions=codes)
        self.user(name).groups.set([only])


def create_world() -> World:
    now = timezone.now()
    install(administrator=FirstAdministrator(email="admin@example.net", password=PASSWORD))
    User.objects.update(username="admin")
    root = Space.objects.get(parent__isnull=True)
    acme = _create_space("Acme", parent=root)
    acme_east = _create_space("Acme East", parent=acme)
    globex = _create_space("Globex", parent=root)
    every = create_group(by=SERVER, name=EVERYTHING, permissions=ALL_CODES)
    for name, space in (("ana", acme), ("eve", acme_east), ("gil", globex)):
        _create_user(name, space, every)
    home = create_aggregator(by=SERVER, name="home", ip="198.51.100.10", space=root)
    away = create_aggregator(by=SERVER, name="away", ip="198.51.100.20", space=root)
    bond = create_bond(
        by=SERVER, aggregator=home, secondary_aggregator=away, space=acme, name="site-1"
    )
    dhcp, static, pppoe = _create_legs(bond)
    globex_bond = create_bond(by=SERVER, aggregator=home, space=globex, name="globex-1")
    return World(
        now=now,
        root=root,
        acme=acme,
        acme_east=acme_east,
        globex=globex,
        group=RoutingGroup.objects.get(is_default=True),
        home=home,
        away=away,
        bond=bond,
        bonder=bond.bonder,
        dhcp_leg=dhcp,
        static_leg=static,
        pppoe_leg=pppoe,
        globex_bond=globex_bond,
    )


def nodes_to_update() -> set[str]:
    """Return the names of the nodes that wait for a config update."""
    waiting = ConfigUpdate.objects.filter(status="pending")
    return set(waiting.values_list("node__name", flat=True))


def settle_updates() -> None:
    """Forget the config updates so far, so that a test sees those of its own."""
    ConfigUpdate.objects.all().delete()


def _create_space(name: str, *, parent: Space) -> Space:
    return create_space(
        by=SERVER,
        name=name,
        key=name.lower().replace(" ", "-"),
        parent=parent,
        use_parent_aggregators=True,
        use_parent_qos_profiles=True,
        use_parent_mobile_provider_profiles=True,
    )


def _create_user(name: str, space: Space, group: Group) -> User:
    return create_user(
        by=SERVER,
        email=f"{name}@example.net",
        username=name,
        space=space,
        groups=[group],
        password=PASSWORD,
    )


def _create_legs(bond: Bond) -> tuple[Leg, Leg, Leg]:
    dhcp = create_leg(
        by=SERVER,
        bond=bond,
        type=LegType.DHCP,
        down_kbps=50_000,
        up_kbps=9_500,
        interface="eth1",
    )
    static = create_leg(
        by=SERVER,
        bond=bond,
        type=LegType.STATIC,
        down_kbps=15_000,
        up_kbps=2_000,
        interface="eth2",
        ip="198.51.100.86",
        prefix=30,
        gateway="198.51.100.85",
    )
    pppoe = create_leg(
        by=SERVER,
        bond=bond,
        type=LegType.PPPOE,
        down_kbps=25_000,
        up_kbps=5_000,
        interface="eth3",
        username="line7@isp.example",
        password="secret7",
    )
    return dhcp, static, pppoe
