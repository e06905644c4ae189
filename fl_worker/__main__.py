"""custody worker: takes part in the rounds of one model, with data that stays where it is."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fl_worker import rounds
from fl_worker.client import Connection, Gateway, Membership, WireError
from fl_worker.data import read_shard
from fl_worker.home import Home, HomeError, Identity, create, load
from fl_worker.mendable import Mendable
from fl_worker.stopping import INTERRUPTED, Stopped, stopped_by_signals
from sealed.keys import KeyFileError
from sealed.records import RecordError, number_at

REFUSED, USAGE = 1, 2


def say(line: str) -> None:
    """Each line at once, also into a pipe or a log."""
    print(line, flush=True)


def init(options: argparse.Namespace) -> None:
    home = create(options.home, Identity(options.name, options.organisation, options.model_id, options.genesis))
    say(f"keys and request for registration are in {home.path}")
    say(f"an admin registers it with: custody model admit {home.path / 'participant.json'}")


def run(options: argparse.Namespace) -> None:
    home = load(options.home)
    check_model(home, options.model_id)
    shard = read_shard(options.data)
    with home.locked(), stopped_by_signals():
        from fl_worker.faults import fault
        from fl_worker.model import parse_architecture
        from fl_worker.site import load_site
        from fl_worker.train import settle
        from fl_worker.worker import Worker

        settle(options.threads)
        simulated = fault(options.simulate_fault)
        if options.simulate_fault:
            say(f"THIS WORKER SIMULATES A FAULT: {options.simulate_fault}")
        expected = parse_architecture(options.architecture) if options.architecture else None
        with Connection(options.gateway, tell=say) as connection:
            gateway = joined(home, connection)
            Worker(home, gateway, load_site(options.site), options.data, shard, expected, simulated, say).run()


def check_model(home: Home, model: str | None) -> None:
    if model not in (None, home.identity.model):
        raise HomeError(f"{home.path} is registered for model {home.identity.model}, not for {model}")


def joined(home: Home, connection: Connection) -> Gateway:
    who = home.identity
    membership = Membership(connection, who.model, who.name, who.genesis, home.signing)
    return Gateway(connection, membership, who.genesis)


def status(options: argparse.Namespace) -> None:
    home = load(options.home)
    who, held = home.identity, home.held()
    say(f"{who.name} of {who.organisation}, model {who.model}, ledger {who.genesis}")
    say(f"holds version {held.number} ({held.version}), weights {held.weights}" if held else "holds no version yet")
    for kept in rounds.all_kept(home.rounds):
        say(f"round {number_at(kept.manifest, 'round')}: {outcome_of(kept)}")


def outcome_of(kept: rounds.KeptRound) -> str:
    outcome = kept.outcome()
    if outcome is None:
        return "sealed, not handed in yet"
    if outcome["outcome"] == "accepted":
        return f"accepted, block {outcome['receipt']['block']}, update {outcome['receipt']['manifest']}"
    return f"refused: {outcome['reason']}"


def train_once(options: argparse.Namespace) -> None:
    from fl_worker.model import initial_weights, parse_architecture
    from fl_worker.progress import TrainingProgress
    from fl_worker.site import load_site
    from fl_worker.train import Hyperparameters, seed_of, settle
    from sealed import tensors

    settle(options.threads)
    site, architecture = load_site(options.site), parse_architecture(options.architecture)
    examples = site.data(options.data)
    wish = Hyperparameters.read(dict(options.set))
    base = tensors.load(options.weights) if options.weights else initial_weights(architecture, wish.seed, site.model)
    began = time.perf_counter()
    seed = seed_of("train-once", wish.seed)
    trained = site.train(site.model(architecture), base, examples, wish, seed, TrainingProgress("training"))
    seconds = time.perf_counter() - began
    say(f"{trained.examples:,} examples in {seconds:.2f} s, self-reported {trained.self_reported}")
    say(f"weights {tensors.weights_hash(trained.weights)}")
    if options.out:
        tensors.save(options.out, trained.weights)


def hyperparameter(text: str) -> tuple[str, int | str]:
    name, _, value = text.partition("=")
    return name, int(value) if value.lstrip("-").isdecimal() else value


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody worker", description=__doc__.partition(": ")[2] if __doc__ else None)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    add_init(verbs.add_parser("init", help="make keys and a request for registration"))
    add_run(verbs.add_parser("run", help="take part in rounds until stopped"))
    shown = verbs.add_parser("status", help="what this site holds and handed in")
    shown.add_argument("--home", type=Path, required=True)
    shown.set_defaults(act=status)
    add_train_once(verbs.add_parser("train-once", help="one local training, without any server"))
    return parser


def add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--home", type=Path, required=True, help="the worker's own folder")
    parser.add_argument("--name", required=True, help="of the participant, such as site-1")
    parser.add_argument("--organisation", required=True, metavar="MSP", help="such as Org1MSP")
    parser.add_argument("--model-id", required=True)
    parser.add_argument(
        "--genesis", required=True, metavar="HASH", help="of the ledger; have the operator tell it to you"
    )
    parser.set_defaults(act=init)


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gateway", required=True, metavar="URL")
    parser.add_argument("--home", type=Path, required=True, help="the folder that `init` made")
    parser.add_argument("--data", type=Path, required=True, help="a data file, with shard.json beside it")
    parser.add_argument("--model-id", help="refuse to start for another model than this")
    parser.add_argument("--architecture", help="train no other than this, such as mlp-64-64-10")
    parser.add_argument(
        "--simulate-fault", default="", metavar="NAME", help="do harm, to test the others (fl_worker/faults.py)"
    )
    add_training(parser)
    parser.set_defaults(act=run)


def add_train_once(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--architecture", default="mlp-64-64-10", help="or, say, simple-cnn,in_channels=3")
    parser.add_argument("--weights", type=Path, help="safetensors to start from (default: initial weights)")
    parser.add_argument("--set", type=hyperparameter, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, help="where to write the trained weights")
    add_training(parser)
    parser.set_defaults(act=train_once)


def add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", type=Path, metavar="FILE.py", help="a site's own model, data, train or score")
    parser.add_argument(
        "--threads", type=int, default=1, help="of a training; with another number the weights may differ"
    )


def carry_out(act: Callable[[], None]) -> int:
    """What a person can mend becomes one sentence and an exit code."""
    try:
        act()
    except Stopped:
        say("stopped; what was sealed is kept and handed in at the next start")
        return 0
    except KeyboardInterrupt:
        say("\nstopped; what was sealed is kept and handed in at the next start")
        return INTERRUPTED
    except WireError as error:
        return complain(error, REFUSED)
    except (Mendable, KeyFileError, RecordError, OSError) as error:
        return complain(error, USAGE)
    return 0


def complain(error: Exception, code: int) -> int:
    print(f"custody worker: {error}", file=sys.stderr)
    return code


def main(argv: list[str] | None = None) -> int:
    options = arguments().parse_args(argv)
    return carry_out(lambda: options.act(options))


if __name__ == "__main__":
    sys.exit(main())
