"""What the agent and the hook runner say to each other: JSON lines over DIR/run/bonding/hooks.sock.

`Start` is answered at once and done in its turn; `Stop` is answered when the hooks have ended, so
that what they are stopped for can be taken away. Both are harmless when repeated.
"""

import asyncio
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from openbond.node.lines import NoAnswer, ask
from openbond.node.plan.values import Hook, HookKind

ANSWER_WITHIN_S = 2.0
# Many hooks may hang for their 30 s each; an apply does not wait for ever.
STOPPED_WITHIN_S = 300.0


class HookObject(Struct, frozen=True, kw_only=True):
    """One object with hooks; `environment` holds the variables of its kind and nothing else."""

    kind: HookKind
    id: int
    bond_id: int
    environment: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.kind} {self.id}"


class Start(Struct, frozen=True, kw_only=True, tag="start"):
    object: HookObject


class Stop(Struct, frozen=True, kw_only=True, tag="stop"):
    object: HookObject


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    pass


Request: TypeAlias = Start | Stop | Status


class Answer(Struct, frozen=True, kw_only=True):
    """The objects that are started, in their order."""

    started: list[HookObject]
    refused: str = ""


_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


def encode_line(value: Request | Answer) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises msgspec.DecodeError."""
    return _decoder.decode(line)


def object_of(hook: Hook) -> HookObject:
    return HookObject(
        kind=hook.kind, id=hook.id, bond_id=hook.bond_id, environment=dict(hook.environment)
    )


def hook_of(item: HookObject) -> Hook:
    return Hook(item.kind, item.id, item.bond_id, tuple(item.environment.items()))


def ask_runner(path: Path, request: Request) -> Answer:
    """Ask from a thread that may wait. Raises NoAnswer, also when the runner refuses."""
    within_s = STOPPED_WITHIN_S if isinstance(request, Stop) else ANSWER_WITHIN_S
    line = asyncio.run(ask(path, encode_line(request), within_s=within_s))
    try:
        answer = msgspec.json.decode(line, type=Answer)
    except msgspec.DecodeError as error:
        raise NoAnswer(f"the hook runner's answer is unreadable: {error}") from error
    if answer.refused:
        raise NoAnswer(answer.refused)
    return answer
