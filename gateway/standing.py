"""Where a model stands, as one consistent view of the index and of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import lineage, tasks, trainings
from gateway import lineage_db as rows
from gateway.kept_db import Spoiled, Training
from gateway.provenance.completion import Progress
from gateway.provenance.steps import FAILED, OPEN, PROBE, TEST, Candidate, Pointer, Round, Run, Standing
from gateway.tasks import Tasks


def standing(session: Session, offered: Tasks, model: str, now: int) -> Standing:
    _, policy = lineage.policy(session, model)
    epoch, newest = lineage.epoch(session, model), lineage.newest_round(session, model)
    round_ = _round(session, offered, newest) if newest else None
    return Standing(
        now=now,
        epoch=epoch,
        policy=policy["policy"],
        active=frozenset(row.participant for row in lineage.active_participants(session, model)),
        pointer=_pointer(session, offered, model),
        request_open=_request_open(session, model, now),
        complete=session.get(rows.Completion, model) is not None,
        round=round_,
        candidate=_candidate(session, offered, model, round_) if round_ and round_.epoch == epoch else None,
        run=_run(session, model),
    )


def _round(session: Session, offered: Tasks, row: rows.Round) -> Round:
    made = session.get(rows.RoundResult, ("aggregate", row.model, row.number, 0))
    record = row.record
    policy = session.get_one(rows.Policy, (row.model, record["policy"])).record["policy"]
    return Round(
        number=row.number,
        epoch=row.epoch,
        outcome=row.outcome,
        participants=frozenset(record["participants"]),
        handed_in=frozenset(update.participant for update in lineage.updates(session, row.model, row.number)),
        asked=_names(offered.offered(row.model, tasks.of_round(row.number))),
        deadline_at=row.deadline_at,
        quorum_bp=policy["round_quorum"],
        version=made.version if made else "",
        spoiled=session.get(Spoiled, (row.model, row.number)) is not None,
    )


def _candidate(session: Session, offered: Tasks, model: str, made_in: Round) -> Candidate | None:
    if not made_in.version:
        return None
    decision, status = lineage.decision(session, made_in.version), session.get_one(rows.Status, made_in.version)
    return Candidate(
        version=made_in.version,
        decision=decision.decision if decision else "",
        target=decision.target if decision else "",
        promoted=status.promoted,
        quarantined=status.quarantined,
        asked=bool(offered.offered(model, tasks.of_validation(made_in.version, PROBE))),
    )


def _pointer(session: Session, offered: Tasks, model: str) -> Pointer:
    head = lineage.pointer(session, model)
    move = lineage.move(session, model, head.move)
    asked_for_test = bool(offered.offered(model, tasks.of_validation(head.to, TEST)))
    return Pointer(
        to=head.to,
        move=head.move,
        kind=move.kind,
        reason_code=move.value["outcome"]["reason_code"],
        frozen=head.frozen,
        asked=_names(offered.offered(model, tasks.of_move(head.move))),
        acknowledged=lineage.acknowledged(session, model, head.move),
        test_asked=asked_for_test or lineage.is_validated(session, head.to, TEST),
    )


def _request_open(session: Session, model: str, now: int) -> bool:
    slot = session.get(rows.OpenRollback, model)
    if slot is None or not slot.request:
        return False
    return session.get_one(rows.Rollback, slot.request).expires_at >= now


def _run(session: Session, model: str) -> Run | None:
    row = trainings.newest_of(session, model)
    if row is None or row.state == trainings.ENDED:
        return None
    return Run(frozenset(row.participants), _progress(session, row))


def _progress(session: Session, run: Training) -> Progress:
    of_run = select(rows.Round).where(rows.Round.model == run.model, rows.Round.number >= run.first_round)
    closed = [row for row in session.scalars(of_run.order_by(rows.Round.number)) if row.outcome != OPEN]
    decisions = _decisions(session, run)
    live = lineage.decision(session, lineage.pointer(session, run.model).to)
    return Progress(
        wanted=run.rounds,
        rounds=len(closed),
        failed_in_a_row=_failed_in_a_row(session, run.model, closed),
        stop_asked=run.state == trainings.STOPPING,
        scores_bp=[decision.score for decision in decisions],
        live_score_bp=live.score if live else -1,
        rollbacks=sum(decision.decision == "rollback" for decision in decisions),
    )


def _decisions(session: Session, run: Training) -> Sequence[rows.Decision]:
    """On the versions that came of this run, oldest first."""
    of_run = (
        select(rows.Decision)
        .join(rows.Version, rows.Version.version == rows.Decision.version)
        .where(rows.Version.model == run.model, rows.Version.round >= run.first_round)
        .order_by(rows.Version.number)
    )
    return session.scalars(of_run).all()


def _failed_in_a_row(session: Session, model: str, closed: Sequence[rows.Round]) -> int:
    """Rounds that nothing came of; those that a rollback fenced off say nothing about who hands in."""
    spoiled = set(session.scalars(select(Spoiled.round).where(Spoiled.model == model)))
    epoch = lineage.epoch(session, model)
    newest_first = (row for row in reversed(closed) if row.epoch == epoch)
    return len(list(takewhile(lambda row: row.outcome == FAILED or row.number in spoiled, newest_first)))


def _names(recipients: frozenset[str]) -> frozenset[str]:
    return frozenset(recipient.rpartition("/")[2] for recipient in recipients)
