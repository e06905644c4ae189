"""The pointer: which version is live. It moves forward only, one number a move, whatever the move is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sealed.records import Record, flag_at, number_at, text_at
from verifier.rules.call import Signed, demand
from verifier.rules.model import Model


@dataclass(frozen=True, slots=True)
class Pointer:
    to: str
    seq: int
    move: int  # the newest move that was no freeze or resume
    frozen: bool


def pointer_of(model: Model) -> Pointer:
    head = model.call.need(model.key("pointer", "head"))
    return Pointer(text_at(head, "to"), number_at(head, "seq"), number_at(head, "move"), flag_at(head, "frozen"))


def demand_not_frozen(model: Model) -> None:
    demand(not pointer_of(model).frozen, f"{model.name} is frozen")


def demand_current_epoch(model: Model, epoch: int) -> None:
    demand(epoch == model.epoch, f"epoch {epoch} is over: {model.name} is in epoch {model.epoch}")


def demand_expected(model: Model, record: Record) -> None:
    move, expected = pointer_of(model).move, number_at(record, "expected_seq")
    demand(expected == move, f"expects move {expected}, and the pointer's newest is {move}")


def advance(model: Model, signed: Signed, kind: str, to: str, epoch: int, reason: str = "") -> int:
    seq = pointer_of(model).seq + 1
    moved = Pointer(to, seq, seq, pointer_of(model).frozen)
    return write_move(model, signed, kind, moved, {"epoch": epoch, "reason_code": reason})


def move_in_place(model: Model, signed: Signed, kind: str, reason: str, *, frozen: bool) -> int:
    now = pointer_of(model)
    moved = replace(now, seq=now.seq + 1, frozen=frozen)
    return write_move(model, signed, kind, moved, {"epoch": model.epoch, "reason_code": reason})


def write_move(model: Model, signed: Signed, kind: str, moved: Pointer, why: Record) -> int:
    move: Record = {"kind": kind, "move": moved.move, "seq": moved.seq, "to": moved.to}
    model.call.keep(model.key("pointer", moved.seq), signed, {**move, **why})
    model.call.put(model.key("pointer", "head"), {**move, "frozen": moved.frozen})
    return moved.seq
