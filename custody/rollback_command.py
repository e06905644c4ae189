"""custody rollback: ask for a rollback, approve or reject one, carry it out; each act signed with your own key."""

from __future__ import annotations

import argparse
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping

from custody.connection import UsageError, add_door, add_person, door_of, person_of, run
from custody.door import Committed, Door
from sealed.records import Value, encode

HOUR_S = 3600


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    return run(lambda: int(options.act(options) or 0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody rollback", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    request = _verb(verbs, "request", "ask to go back to a version that was live before", _request)
    request.add_argument("model")
    request.add_argument("--to", required=True, metavar="VERSION", help="version id, or its number")
    request.add_argument(
        "--reason-code", required=True, metavar="CODE", help="such as data_quality; docs/records.md lists them"
    )
    request.add_argument("--reason", default="", help="free text: only its salted hash goes on the ledger")
    request.add_argument("--hours", type=int, default=24, help="how long the request stands")

    for name, act, what in (
        ("approve", _approve, "agree, as another person than the one who asked"),
        ("reject", _reject, "refuse"),
        ("execute", _execute, "carry an approved request out"),
    ):
        verb = _verb(verbs, name, what, act)
        verb.add_argument("model")
        verb.add_argument("request", help="the id that `request` printed")
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    what: str,
    act: Callable[[argparse.Namespace], None],
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=what)
    add_door(verb)
    add_person(verb)
    verb.set_defaults(act=act)
    return verb


def request_record(model: str, to: str, seq: int, reason_code: str, text_hash: str, expires_at: int) -> bytes:
    fields: dict[str, Value] = {
        "schema": "rollback-request.1",
        "model": model,
        "to": to,
        "expected_seq": seq,
        "reason_code": reason_code,
        "text_hash": text_hash,
        "incident": "",
        "priority": "normal",
        "quarantine": [],
        "break_glass": False,
        "drill": False,
        "expires_at": expires_at,
    }
    return encode(fields)


def execution_record(request: Mapping[str, Value], request_id: str) -> bytes:
    """RollbackModel repeats what was approved, so that the contract can compare."""
    kept = {name: request[name] for name in ("model", "to", "expected_seq", "reason_code", "quarantine")}
    return encode({**kept, "schema": "rollback.1", "request": request_id, "decision": ""})


def _request(options: argparse.Namespace) -> None:
    with door_of(options) as door:
        seq = int(door.read(f"/model/{options.model}/pointer")["move"])
        expires_at = int(time.time()) + options.hours * HOUR_S
        to = _version_id(door, options.model, options.to)
        text_hash = _salted_hash(options.reason)
        record = request_record(options.model, to, seq, options.reason_code, text_hash, expires_at)
        done = door.act(person_of(options), "RequestRollback", [record])
    print(f"asked: {done.result['id']} (block {done.block}); another person approves it:")
    print(f"  custody rollback approve {options.model} {done.result['id']} --as THEIR_KEY.pem")


def _approve(options: argparse.Namespace) -> None:
    done = _answer(options, "ApproveRollback", {"schema": "rollback-approval.1"})
    print(f"approved (block {done.block}); the operator carries it out:")
    print(f"  custody rollback execute {options.model} {options.request} --as OPERATOR_KEY.pem")


def _reject(options: argparse.Namespace) -> None:
    done = _answer(options, "RejectRollback", {"schema": "rollback-rejection.1", "text_hash": ""})
    print(f"rejected (block {done.block})")


def _answer(options: argparse.Namespace, function: str, fields: Mapping[str, Value]) -> Committed:
    record = encode({**fields, "model": options.model, "request": options.request})
    with door_of(options) as door:
        return door.act(person_of(options), function, [record])


def _execute(options: argparse.Namespace) -> None:
    with door_of(options) as door:
        request = door.state(f"rollback/{options.request}")["record"]
        done = door.act(person_of(options), "RollbackModel", [execution_record(request, options.request)])
    print(
        f"committed: pointer move {done.result['seq']} (block {done.block}); effective once every site has acknowledged"
    )


def _version_id(door: Door, model: str, wish: str) -> str:
    if wish.isdigit() and len(wish) < 64:
        return str(door.read(f"/model/{model}/versions/{wish}")["id"])
    if len(wish) != 64:
        raise UsageError(f"--to takes a version's number or its whole id (64 hex digits), not {wish!r}")
    return wish


def _salted_hash(text: str) -> str:
    """Printed with its salt, because whoever must show the text later needs both; neither goes on the ledger."""
    if not text:
        return ""
    salt = secrets.token_hex(16)
    print(f"keep with your reason: salt {salt}")
    return hashlib.sha256(f"{salt}|{text}".encode()).hexdigest()
