"""Two real daemons: small packets in trains through the kernel, and keys made anew under load."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openbond.lab.bench.lines import LineShape
from openbond.lab.bench.pair import FAR_IP, Pair
from openbond.lab.bench.traffic import iperf_server, lost_while_rekeying
from openbond.lab.waiting import wait_until

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.timeout(180),
]
AMOUNT = 600
SEND = """
import socket, sys
to, amount = (sys.argv[1], 7100), int(sys.argv[2])
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.connect(to)
for number in range(amount):
    one.send(b"%09d" % number * 4)
"""
RECEIVE = """
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
one.bind((sys.argv[1], 7100))
one.settimeout(3.0)
print("ready", flush=True)
with open(sys.argv[2], "wb") as heard:
    for _ in range(int(sys.argv[3])):
        heard.write(one.recv(2048) + b"\\n")
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Pair(
        tmp_path_factory.mktemp("service"),
        name=f"obs{os.getpid()}",
        lines=(LineShape(), LineShape()),
        handshake_interval=1.0,
    ) as made:
        yield made


def test_a_burst_of_small_packets_arrives_as_it_was_sent(pair: Pair, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    argv = [sys.executable, "-c", RECEIVE, FAR_IP, str(heard), str(AMOUNT)]
    pair.programs.start("receive", pair.far.namespace.argv(argv))
    wait_until(
        lambda: ":7100" in pair.far.namespace.run(["ss", "-lun"]), what="it listens", patience=10
    )

    pair.site.namespace.run([sys.executable, "-c", SEND, FAR_IP, str(AMOUNT)])
    wait_until(lambda: pair.programs.find("receive") is None, what="all came", patience=10)

    lines = heard.read_bytes().split()
    assert lines == [b"%09d" % number * 4 for number in range(AMOUNT)]
    assert pair.status(pair.far).counters["dropped_unwritten"] == 0


def test_new_keys_every_second_under_load_lose_no_packet(pair: Pair, tmp_path: Path) -> None:
    with iperf_server(pair):
        found = lost_while_rekeying(pair, seconds=6.0, directory=tmp_path)

    assert found.missing == 0
    assert found.handshakes >= 8
