"""What the core learns of the bonds' networks."""

import pytest

from openbond.lab.core_routes import KernelRoute, networks_behind_bonds, plan_core_routes

A, B = "198.51.100.11", "198.51.100.12"
NET = "203.0.113.0/28"


@pytest.mark.parametrize(
    ("announced", "held", "steps"),
    [
        pytest.param({A: [NET], B: []}, {}, [f"replace {NET} via {A}"], id="a network appears"),
        pytest.param({A: [NET], B: []}, {NET: A}, [], id="nothing changed"),
        pytest.param({A: [], B: [NET]}, {NET: A}, [f"replace {NET} via {B}"], id="a bond moved"),
        pytest.param({A: [NET], B: [NET]}, {NET: B}, [], id="while two hold it, the old one stays"),
        pytest.param({A: [NET], B: [NET]}, {}, [f"replace {NET} via {A}"], id="two at once"),
        pytest.param({A: [], B: []}, {NET: A}, [f"delete {NET}"], id="a network is withdrawn"),
    ],
)
def test_the_core_follows_the_aggregator_that_holds_the_network(
    announced: dict[str, list[str]], held: dict[str, str], steps: list[str]
) -> None:
    planned = plan_core_routes(announced=announced, held=held)

    spelled = [" ".join(step.words()).removeprefix("route ") for step in planned]
    assert [words.replace(" proto 186", "") for words in spelled] == steps


def test_only_networks_behind_a_bond_are_announced() -> None:
    routes = [
        KernelRoute(dst="default", dev="eth0"),
        KernelRoute(dst="240.0.0.0/31", dev="tun1", scope="link"),
        KernelRoute(dst="255.254.0.2/31", dev="tun4000000001", scope="link"),
        KernelRoute(dst="203.0.113.16/28", dev="tun1", scope="link"),
        KernelRoute(dst="203.0.113.0/28", dev="tun2", scope="link"),
        KernelRoute(dst="203.0.113.32/28", type="unreachable"),
    ]

    assert networks_behind_bonds(routes) == ["203.0.113.0/28", "203.0.113.16/28"]
