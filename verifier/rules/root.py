"""Roots of logs that belong to no model, such as who read what: numbered, of the organisation that began the log."""

from sealed.records import Record, number_at, text_at
from verifier.rules.call import Call, Signed, demand


def anchor_root(call: Call, signed: Signed) -> Record:
    demand(call.actor.role == "aggregator", f"{call.actor.subject} is {call.actor.role!r}, not aggregator")
    record, log = signed.record, text_at(signed.record, "log")
    number, entries = number_at(record, "number"), number_at(record, "entries")
    head = call.get(f"root/{log}/head") or {"entries": 0, "msp": call.actor.msp, "number": 0}
    demand(head["msp"] == call.actor.msp, f"the log {log} is {head['msp']}'s")
    demand(number == number_at(head, "number") + 1, f"root {number} of {log} does not follow root {head['number']}")
    demand(entries >= number_at(head, "entries"), "a log only grows")
    call.keep(f"root/{log}/{number}", signed)
    call.put(f"root/{log}/head", {"entries": entries, "msp": call.actor.msp, "number": number})
    return {"number": number}
