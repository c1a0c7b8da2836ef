"""The pages of aggregators and bonders tell how their machines are provisioned."""

import pytest

from openbond.server.fleet.models import Node
from tests.web.signed_in import signed_in
from tests.world import World


def path_of(node: Node) -> str:
    return f"/{node.kind}s/{node.pk}/"


@pytest.mark.parametrize("name", ["home", "bonder"])
def test_the_key_of_a_node_comes_on_a_click_to_whoever_may_see_it(name: str, world: World) -> None:
    ana, node = signed_in(world, "ana"), getattr(world, name)
    Node.objects.filter(pk=node.pk).update(space=world.acme)
    assert f'hx-get="{path_of(node)}key/"' in ana.get(path_of(node)).content.decode()

    part = ana.get(f"{path_of(node)}key/").content.decode()

    assert f"openbond node enroll --server testserver --key {node.key} --ca-fingerprint" in part
    assert signed_in(world, "gil").get(f"{path_of(node)}key/").status_code == 404
    world.restrict("ana", "view_bond")
    assert ana.get(f"{path_of(node)}key/").status_code == 403


def test_a_shared_aggregator_keeps_its_key(world: World) -> None:
    ana = signed_in(world, "ana")

    page = ana.get(path_of(world.home))

    assert page.status_code == 200
    assert "Key and command" not in page.content.decode()
    assert ana.get(f"{path_of(world.home)}key/").status_code == 404
