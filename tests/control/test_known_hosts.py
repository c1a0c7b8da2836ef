"""The known hosts are asked by real ICMP, over the loopback."""

import asyncio
import socket

import pytest

from openbond.server.control.known_hosts import echo_request, fault_of_hosts

TOKEN = bytes(range(16))


def may_ping() -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except PermissionError:
            continue
        return True
    return False


needs_icmp = pytest.mark.skipif(not may_ping(), reason="this process may not send ICMP")


@needs_icmp
def test_hosts_that_answer_are_no_fault() -> None:
    assert asyncio.run(fault_of_hosts(["127.0.0.1", "127.0.0.2", "localhost"])) == ""


@needs_icmp
def test_a_host_that_cannot_be_reached_is_named() -> None:
    # No machine has an address of the former class E on a route of its own.
    fault = asyncio.run(fault_of_hosts(["127.0.0.1", "240.0.0.1"], seconds=0.05))

    assert fault == "The known host 240.0.0.1 does not answer."


def test_a_name_that_does_not_exist_is_named() -> None:
    fault = asyncio.run(fault_of_hosts(["no such host"]))

    assert fault == "The known host no such host has no address: its name cannot be resolved."


def test_no_hosts_are_no_fault() -> None:
    assert asyncio.run(fault_of_hosts([])) == ""


def test_an_echo_request_has_the_checksum_that_makes_its_sum_nothing() -> None:
    request = echo_request(socket.AF_INET, TOKEN, 3)

    words = [int.from_bytes(request[at : at + 2]) for at in range(0, len(request), 2)]
    total = sum(words)
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    assert total == 0xFFFF
    assert request[0] == 8
