"""What the people and services of a ledger can do, rightly or wrongly: the verbs of `bent.py`."""

from collections.abc import Callable
from unittest.mock import patch

from custody.federation import genesis_version, model_record
from sealed.judge import Judgement, JudgeState
from sealed.keys import SigningKey
from sealed.records import Record, Value, encode, parse, record_at, record_id, records_at, text_at
from sealed.versions import seal_version
from tests.verifier.story import GRANTS, MODEL, NO_REASON, PROBE, Site, Story
from verifier.rules import acknowledgement, participant, update, validation

Act = Callable[[Story], object]


def changed(record: bytes, **fields: Value) -> bytes:
    return encode({**parse(record, limit=1 << 20), **fields})


# --- participants, sets, policies


def join_without_proof(story: Story) -> None:
    site = Site("site-d")
    site.signing.sign = SigningKey.generate().sign  # type: ignore[method-assign]
    story.join(site)


def join_with_a_used_key(story: Story) -> None:
    story.join(Site("site-d", story.sites["site-a"].signing))


def status(name: str, number: int, word: str, who: str = "anna", decision: str = "") -> Act:
    return lambda story: story.set_status(name, number, word, who, decision)


def propose(story: Story, who: str = "olga", **fields: Value) -> bytes:
    record: Record = {
        "schema": "policy-proposal.1", "model": MODEL, "number": 2, "policy": story.policy,
        "grants": [{"msp": msp, "role": role} for msp, role in GRANTS], "keys": story.recipients(),
    }  # fmt: skip
    raw = encode({**record, **fields})
    story.ledger.submit(who, "ProposePolicy", raw)
    story.proposal = raw
    return raw


def approve_policy(who: str) -> Act:
    return lambda story: story.say(who, "ApprovePolicy", "policy-approval.1", proposal=record_id(story.proposal))


def two_proposals(story: Story) -> None:
    story.asked = propose(story, policy={**story.policy, "severe_drop": 300})
    propose(story)
    approve_policy("paul")(story)


def approve_first(story: Story) -> None:
    story.say("paul", "ApprovePolicy", "policy-approval.1", proposal=record_id(story.asked))


# --- another model on the same ledger

OTHER = "other"


def register_other(who: str = "anna", genesis_of: Record | None = None, **fields: Value) -> Act:
    def act(story: Story) -> None:
        weights = story.weights[story.versions[0]]
        sealed = seal_version(weights, None, model=OTHER, number=0, parent="", genesis=story.ledger.genesis)
        first = changed(genesis_version(OTHER, sealed.weights, sealed.record), **(genesis_of or {}))
        made = model_record(OTHER, story.ledger.genesis, {"name": "x"}, first, story.recipients(), story.policy, GRANTS)
        story.ledger.submit(who, "RegisterModel", changed(made, **fields), first)

    return act


def of_other(who: str, function: str, schema: str, field: str, of: Callable[[Story], str]) -> Act:
    """Something of this model, called by the name of the other one."""

    def act(story: Story) -> None:
        more = NO_REASON if field == "version" else {}
        story.ledger.submit(who, function, encode({"schema": schema, "model": OTHER, field: of(story), **more}))

    return act


# --- rounds


def open_with(**fields: Value) -> Act:
    def act(story: Story) -> None:
        story.round += 1
        record: Record = {
            "schema": "round.1", "model": MODEL, "number": story.round, "epoch": story.epoch, "base": story.live,
            "participants": ["site-a"], "policy": 1, "hyperparameters": {}, "deadline_at": story.ledger.now_s() + 600,
        }  # fmt: skip
        story.ledger.submit("aggregator", "OpenRound", encode({**record, **fields}))

    return act


def close_with(**fields: Value) -> Act:
    def act(story: Story) -> None:
        record: Record = {"round": story.round, "outcome": "sealed", "reason_code": "completed"}
        story.say("aggregator", "CloseRound", "close.1", **{**record, **story.seal_of(story.round), **fields})

    return act


def one_update(story: Story) -> None:
    story.open_round()
    story.anchor([story.update(story.sites["site-a"])])


def all_updates(story: Story) -> None:
    story.anchor([story.update(site) for site in story.sites.values()])


def accept_whatever_is_signed(items: Callable[[Story], list[tuple[bytes, str]]]) -> Act:
    def act(story: Story) -> None:
        with patch.object(update, "refusal", lambda *_: ""):
            story.anchor(items(story))

    return act


def accept_unsigned(story: Story) -> None:
    manifest, _ = story.update(story.sites["site-b"])
    with patch.object(update, "unproven", lambda *_: ""):
        story.anchor([(manifest, story.update(story.sites["site-a"])[1])])


def refuse_a_good_one(story: Story) -> None:
    with patch.object(update, "refusal", lambda *_: "late"):
        story.anchor([story.update(story.sites["site-b"])])


# --- versions


def register_with(change: Callable[[Story, Record], Record]) -> Act:
    def act(story: Story) -> None:
        record = parse(story.version_record(), limit=1 << 20)
        story.register(encode({**record, **change(story, record)}))

    return act


def without_first(story: Story, record: Record) -> Record:
    del story
    return {"included": [*records_at(record, "included")[1:]]}


def counted_twice(story: Story, record: Record) -> Record:
    """Included, and excluded as well, so that the number of updates is right and the one left out is not missed."""
    included = records_at(record, "included")
    twice = story.excluded(text_at(included[0], "participant"), "norm.1", 3)
    return {"included": [*included[:-1]], "excluded": [twice]}


def more_examples(story: Story, record: Record) -> Record:
    del story
    included = records_at(record, "included")
    return {"included": [{**included[0], "examples": 49}, *included[1:]]}


def fields_changed(**fields: Value) -> Callable[[Story, Record], Record]:
    def change(story: Story, record: Record) -> Record:
        del story, record
        return fields

    return change


def other_parent(story: Story, record: Record) -> Record:
    del record
    return {"parent": story.versions[0]}


def again(story: Story) -> None:
    """A second aggregate of a round that has one."""
    record = parse(story.version_record(number=story.round), limit=1 << 20)
    story.register(encode(record))


def replay_with_the_excluded(story: Story) -> None:
    story.register(story.version_record("replay", story.round))


def replay_on_own_grounds(story: Story) -> None:
    story.register(story.version_record("replay", story.round, [story.excluded("site-c", "norm.1", 9)]))


def bad_version_left_behind(story: Story) -> None:
    bad = story.grow(8000)
    story.roll_back(bad, story.versions[-2], [bad])
    story.set_status("site-c", 1, "excluded", who="aggregator", decision=bad)


# --- scores, decisions, the pointer


def judged(decision: str, target: str = "") -> Act:
    """The validator says one thing, the recorded decision another."""

    def act(story: Story) -> None:
        def biased(policy: Record, state: JudgeState, metrics: Record, pointer: str, version: str) -> Judgement:
            del policy, pointer, version
            return Judgement(decision, "improved", int(str(metrics["accuracy_bp"])), 0, target, state)

        with patch.object(validation, "judge", biased):
            story.validate(story.versions[-1], 8000)

    return act


def validate(**how: object) -> Act:
    return lambda story: story.validate(story.versions[-1], 9100, **how)  # type: ignore[arg-type]


def scored_by(who: str) -> Act:
    return lambda story: story.say(
        who, "RecordValidation", "validation.1", version=story.versions[-1], purpose="probe", evaluator="",
        dataset={"sha256": PROBE, "version": "1"}, metrics={"accuracy_bp": 9100, "loss_micro": 1, "examples": 100},
    )  # fmt: skip


def candidate(story: Story) -> None:
    story.collect()
    story.register(story.version_record())


def promising(story: Story) -> None:
    candidate(story)
    story.validate(story.versions[-1], 9300)


def failing(story: Story) -> None:
    candidate(story)
    story.validate(story.versions[-1], 8000)


def promote(story: Story) -> None:
    story.promote(story.versions[-1])


def promote_stale(story: Story) -> None:
    story.move -= 1
    promote(story)


def moves(function: str, schema: str, seq: int, who: str = "olga") -> Act:
    return lambda story: story.say(who, function, schema, expected_seq=seq, **NO_REASON)


# --- rollbacks


def request(who: str = "olga", to: int = 0, **fields: Value) -> Act:
    def act(story: Story) -> None:
        story.asked = story.request(story.versions[to], who, **fields)

    return act


def request_with_quarantine(*left_behind: int, **fields: Value) -> Act:
    def act(story: Story) -> None:
        fields["quarantine"] = [story.versions[index] for index in left_behind]
        story.request(story.versions[0], "olga", **fields)

    return act


def and_then(*acts: Act) -> Act:
    def act(story: Story) -> None:
        for one in acts:
            one(story)

    return act


def approve(who: str = "paul") -> Act:
    return lambda story: story.approve(story.asked, who)


def carry_out(who: str = "olga", **fields: Value) -> Act:
    def act(story: Story) -> None:
        story.carry_out(changed(story.asked, **fields) if fields else story.asked, who)

    return act


def carry_out_elsewhere(story: Story) -> None:
    story.say("olga", "RollbackModel", "rollback.1", to=story.versions[1], request=record_id(story.asked), decision="",
              expected_seq=story.move, reason_code="data_quality", quarantine=[])  # fmt: skip


def reject(who: str) -> Act:
    return lambda story: story.say(who, "RejectRollback", "rollback-rejection.1", request=record_id(story.asked),
                                   text_hash="")  # fmt: skip


def wait(seconds: int) -> Act:
    return lambda story: story.ledger.wait(seconds)  # type: ignore[attr-defined]


def emergency(story: Story) -> None:
    request(break_glass=True, reason_code="security_incident")(story)
    carry_out()(story)


def review(who: str, verdict: str = "justified") -> Act:
    return lambda story: story.say(who, "ReviewBreakGlass", "break-glass-review.1", request=record_id(story.asked),
                                   verdict=verdict, text_hash="")  # fmt: skip


def automatic(to: int, who: str = "aggregator") -> Act:
    return lambda story: story.say(who, "RollbackModel", "rollback.1", to=story.versions[to], expected_seq=story.move,
                                   request="", decision=story.versions[-1], reason_code="regression_auto",
                                   quarantine=[])  # fmt: skip


def acknowledged_with_other_weights(story: Story) -> None:
    with patch.object(acknowledgement, "refusal", lambda *_: ""):
        story.acknowledge(["site-a"], weights="0f" * 32)


# --- the rest


def of_version(function: str, schema: str, index: int, **fields: Value) -> Act:
    return lambda story: story.say("olga", function, schema, version=story.versions[index], **{**NO_REASON, **fields})


def erase_first_version(story: Story) -> None:
    blob = text_at(story.records[story.versions[0]], "blob", "sha256")
    story.say("aggregator", "RecordErasure", "erasure.1", blob=blob, participant="", wraps=1, reason_code="other")


def root(number: int, entries: int, who: str = "aggregator") -> Act:
    record = encode({"schema": "root.1", "log": "a", "number": number, "root": "0d" * 32, "entries": entries})
    return lambda story: story.ledger.submit(who, "AnchorRoot", record)


def complete(index: int) -> Act:
    return lambda story: story.say("aggregator", "CompleteTraining", "completion.1", version=story.versions[index],
                                   reason_code="completed", summary={})  # fmt: skip


def site_with(signing_public: str = "", sealing_public: str = "") -> Act:
    def act(story: Story) -> None:
        site = Site("site-d")
        site.signing.public = signing_public or site.signing.public
        site.sealing.public = sealing_public or site.sealing.public
        with patch.object(participant, "signed_by", lambda *_: True):
            story.join(site)

    return act


def excluded_by_aggregator(name: str, **fields: Value) -> Act:
    def act(story: Story) -> None:
        record: Record = {
            "participant": name, "number": 1, "status": "excluded", "reason_code": "poisoning_suspected",
            "text_hash": "", "evidence": "0e" * 32, "decision": story.versions[-1],
        }  # fmt: skip
        story.say("aggregator", "SetParticipantStatus", "participant-status.1", **{**record, **fields})

    return act


def exclude_undecided(story: Story) -> None:
    with patch.object(participant, "took_part", lambda *_: True):
        excluded_by_aggregator("site-a", decision="")(story)


def scored(
    index: int = -1, purpose: str = "rescore", sha256: str = PROBE, version: str = "1", examples: int = 100
) -> Act:
    return lambda story: story.say(
        "validator", "RecordValidation", "validation.1", version=story.versions[index], purpose=purpose, evaluator="",
        dataset={"sha256": sha256, "version": version},
        metrics={"accuracy_bp": 9100, "loss_micro": 1, "examples": examples},
    )  # fmt: skip


def rolled_back_to(index: int) -> Act:
    return and_then(request(to=index), approve(), carry_out())


def two_candidates(story: Story) -> None:
    promising(story)
    candidate(story)


def failing_and_another(story: Story) -> None:
    failing(story)
    candidate(story)


def automatic_citing(index: int, to: int, **fields: Value) -> Act:
    def act(story: Story) -> None:
        record: Record = {
            "to": story.versions[to], "expected_seq": story.move, "request": "", "decision": story.versions[index],
            "reason_code": "regression_auto", "quarantine": [],
        }  # fmt: skip
        story.say("aggregator", "RollbackModel", "rollback.1", **{**record, **fields})

    return act


def replay(story: Story) -> None:
    story.register(story.version_record("replay", story.round))


def replay_of_the_bad_round(story: Story) -> None:
    story.register(story.version_record("replay", 2))


def claimed(who: str, function: str, *arguments: bytes) -> Act:
    return lambda story: story.ledger.claim(who, function, *arguments)  # type: ignore[attr-defined]


def one_sealed(story: Story) -> None:
    story.collect(["site-a"])


def stored_with_loss(story: Story, record: Record) -> Record:
    del story
    return {"blob": {**record_at(record, "blob"), "codec": "bf16.1"}}


def all_excluded(story: Story, record: Record) -> Record:
    del record
    return {"included": [], "excluded": [story.excluded(name, "norm.1", 1) for name in sorted(story.sites)]}


def register_without_update(story: Story) -> None:
    included: list[Value] = [{"examples": 40, "participant": "site-b", "update": ZERO}]
    record = changed(story.version_record(), included=included)
    story.ledger.claim("aggregator", "RegisterModelUpdate", record)  # type: ignore[attr-defined]


def counts_out_site_b(story: Story, record: Record) -> Record:
    rest = [item for item in records_at(record, "included") if item["participant"] != "site-b"]
    return {"included": [*rest], "excluded": [story.excluded("site-b", "excluded.1", 1)]}


def erase_under_another_name(story: Story) -> None:
    manifest = parse(story.manifests[1][0])
    record: Record = {
        "schema": "erasure.1", "model": OTHER, "blob": text_at(manifest, "blob", "sha256"), "wraps": 1,
        "participant": manifest["participant"], "reason_code": "other",
    }  # fmt: skip
    story.ledger.submit("aggregator", "RecordErasure", encode(record))


FREEZE = encode({"schema": "freeze.1", "model": MODEL, "expected_seq": 1, **NO_REASON})
RESUME = encode({"schema": "resume.1", "model": MODEL, "expected_seq": 1, **NO_REASON})
NO_BATCH = encode({"schema": "anchor-batch.1", "items": [{"manifest": FREEZE.decode(), "signature": "00" * 64}]})
ZERO = "00" * 32
A_DIFF: Record = {"cid": "bafkrei" + "a" * 52, "codec": "xor.1", "sha256": "0c" * 32, "size": 9}
ONE = "01" + "00" * 31  # the neutral element of Ed25519
