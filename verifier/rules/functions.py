"""Every function of the contract: what it takes, what it announces, and the rules that it follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sealed.records import LIMIT, LIMITS, Record, check, encode, parse, record_at, record_id, text_at
from verifier.report import Broken
from verifier.rules import (
    acknowledgement,
    completion,
    dataset,
    erasure,
    freeze,
    hold,
    model,
    participant,
    policy,
    promotion,
    quarantine,
    rollback,
    root,
    round,  # noqa: A004  the noun is the contract's
    update,
    validation,
    version,
)
from verifier.rules.call import Call, Outcome, Signed, demand

SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Function:
    event: str
    arguments: tuple[str, ...]
    run: Callable[..., Record]


FUNCTIONS = {
    "RegisterModel": Function("ModelRegistered", ("model.1", "version.1"), model.register_model),
    "RegisterParticipant": Function(
        "ParticipantRegistered", ("participant.1", SIGNATURE), participant.register_participant
    ),
    "SetParticipantStatus": Function(
        "ParticipantStatusSet", ("participant-status.1",), participant.set_participant_status
    ),
    "RotateParticipantKey": Function(
        "ParticipantKeyRotated", ("participant-key.1", SIGNATURE), participant.rotate_participant_key
    ),
    "RegisterDataset": Function("DatasetRegistered", ("dataset.1",), dataset.register_dataset),
    "ProposePolicy": Function("PolicyProposed", ("policy-proposal.1",), policy.propose_policy),
    "ApprovePolicy": Function("PolicyApproved", ("policy-approval.1",), policy.approve_policy),
    "OpenRound": Function("RoundOpened", ("round.1",), round.open_round),
    "AnchorUpdates": Function("UpdatesAnchored", ("anchor-batch.1",), update.anchor_updates),
    "CloseRound": Function("RoundClosed", ("close.1",), round.close_round),
    "RegisterModelUpdate": Function("VersionRegistered", ("version.1",), version.register_model_update),
    "RecordValidation": Function("ValidationRecorded", ("validation.1",), validation.record_validation),
    "Promote": Function("VersionPromoted", ("promotion.1",), promotion.promote),
    "RequestRollback": Function("RollbackRequested", ("rollback-request.1",), rollback.request_rollback),
    "ApproveRollback": Function("RollbackApproved", ("rollback-approval.1",), rollback.approve_rollback),
    "RejectRollback": Function("RollbackRejected", ("rollback-rejection.1",), rollback.reject_rollback),
    "RollbackModel": Function("ModelRolledBack", ("rollback.1",), rollback.rollback_model),
    "ReviewBreakGlass": Function("BreakGlassReviewed", ("break-glass-review.1",), rollback.review_break_glass),
    "AckRollback": Function("RollbackAcknowledged", ("ack-batch.1",), acknowledgement.acknowledge_rollback),
    "Freeze": Function("ModelFrozen", ("freeze.1",), freeze.freeze),
    "Resume": Function("ModelResumed", ("resume.1",), freeze.resume),
    "Quarantine": Function("VersionQuarantined", ("quarantine.1",), quarantine.quarantine),
    "SetHold": Function("HoldSet", ("hold.1",), hold.set_hold),
    "AnchorRoot": Function("RootAnchored", ("root.1",), root.anchor_root),
    "RecordErasure": Function("ErasureRecorded", ("erasure.1",), erasure.record_erasure),
    "CompleteTraining": Function("TrainingCompleted", ("completion.1",), completion.complete_training),
}


def invoke(call: Call) -> Outcome:
    if call.function not in FUNCTIONS:
        raise Broken(f"there is no function {call.function} that writes")
    function = FUNCTIONS[call.function]
    demand(len(call.arguments) == len(function.arguments), f"{call.function} takes {len(function.arguments)} arguments")
    return first_answer(call) or run(call, function)


def first_answer(call: Call) -> Outcome | None:
    """The same record again is success with the first answer, and changes nothing."""
    answered = call.get(f"record/{record_id(call.arguments[0])}")
    if answered is None or text_at(answered, "function") != call.function:
        return None
    if call.function == "SetHold":
        hold.demand_still_true(call, record_at(answered, "result"))
    return Outcome({}, encode(record_at(answered, "result")), "")


def run(call: Call, function: Function) -> Outcome:
    arguments = [read(raw, expected) for raw, expected in zip(call.arguments, function.arguments, strict=True)]
    result: Record = {**function.run(call, *arguments), "id": record_id(call.arguments[0])}
    answered: Record = {"function": call.function, "result": result, "txid": call.txid}
    call.put(f"record/{record_id(call.arguments[0])}", answered)
    return Outcome(call.writes, encode(result), f"{function.event}.v1")


def read(raw: bytes, expected: str) -> Signed | str:
    if expected == SIGNATURE:
        return raw.decode("ascii")
    record = parse(raw, limit=LIMITS.get(expected, LIMIT))
    check(record)
    demand(record["schema"] == expected, f"{expected} is needed, not {record['schema']}")
    return Signed(raw, record)
