"""Holds: the keys that a version needs, to be opened or recomputed, must not be erased."""

from __future__ import annotations

from collections.abc import Sequence

from sealed.records import Record, flag_at, list_at, number_at, parse, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import Model, model_of, set_status
from verifier.rules.version import version_of


def set_hold(call: Call, signed: Signed) -> Record:
    model, version = model_of(call, signed), text_at(signed.record, "version")
    model.demand_granted("operator")
    steps = steps_to(model, version)
    held = flag_at(signed.record, "held")
    demand(flag_at(call.need(f"status/{version}"), "held") != held, f"version {version} is so already")
    set_status(model, version, held=held)
    for step in steps:
        needing = needed_by(model, step) - {version} | ({version} if held else set())
        call.put(f"needed/{step}", {"by": [*sorted(needing)]})
    head = call.get(f"hold/{version}/head")
    number = number_at(head, "number") + 1 if head else 1
    call.keep(f"hold/{version}/{number}", signed)
    call.put(f"hold/{version}/head", {"number": number})
    return {"number": number}


def demand_still_true(call: Call, answer: Record) -> None:
    """Only a hold may be set, released and set again in the same bytes: the first answer would mislead."""
    version = text_at(parse(call.arguments[0]), "version")
    newest = number_at(call.need(f"hold/{version}/head"), "number")
    demand(answer["number"] == newest, f"hold {answer['number']} was said again, after hold {newest}")


def steps_to(model: Model, version: str) -> Sequence[str]:
    """The version, and those before it down to the first whole one among them: its parent is needed to recompute it."""
    steps, parent = [version], text_at(version_of(model, version), "parent")
    while parent:
        steps.append(parent)
        before = version_of(model, parent)
        whole = text_at(before, "blob", "codec") == "whole.1"
        parent = "" if whole else text_at(before, "parent")
    return steps


def needed_by(model: Model, version: str) -> set[str]:
    state = model.call.get(f"needed/{version}")
    return set(map(str, list_at(state, "by"))) if state else set()
