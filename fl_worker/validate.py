"""custody validator: scores versions on sets that no site trains on, and says what it found under its own name."""

import argparse
import json
import sys
from pathlib import Path

from fl_worker import home
from fl_worker.client import ApiKey, Connection, Gateway, WireError
from fl_worker.data import file_sha256
from fl_worker.door import Door
from fl_worker.mendable import Mendable
from fl_worker.stopping import INTERRUPTED, Stopped, stopped_by_signals
from sealed.keys import KeyFileError
from sealed.records import RecordError

REFUSED, USAGE = 1, 2


def say(line: str) -> None:
    print(line, flush=True)


def init(options: argparse.Namespace) -> None:
    options.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    say(home.sealing_key(options.home).public)


def run(options: argparse.Namespace) -> None:
    with stopped_by_signals():
        from fl_worker.site import load_site
        from fl_worker.train import settle
        from fl_worker.validator import Validator, read_set

        settle(options.threads)
        site = load_site(options.site)
        sets = {"probe": read_set("probe", options.probe, site), "test": read_set("test", options.test, site)}
        with Connection(options.ledger, tell=say) as ledger, Connection(options.gateway, tell=say) as connection:
            door = Door(ledger, secret(options.token_file))
            genesis = door.genesis()
            gateway = Gateway(connection, ApiKey(secret(options.api_key_file)), genesis)
            key = home.sealing_key(options.home)
            validator = Validator(gateway, door, key, genesis, site, sets, options.trigger_class, say)
            if options.model_id:
                validator.check_sets(options.model_id)
            validator.run()


def secret(path: Path) -> str:
    return path.read_text("ascii").strip()


def rescore(options: argparse.Namespace) -> None:
    """What a version's file scores on a set: for whoever doubts a validator's word."""
    from fl_worker.model import parse_architecture
    from fl_worker.site import load_site
    from fl_worker.train import settle
    from fl_worker.validator import scored
    from sealed import tensors

    settle(options.threads)
    site = load_site(options.site)
    architecture = parse_architecture(options.architecture)
    weights = tensors.load(options.weights)
    metrics = scored(site, site.model(architecture), weights, site.data(options.set), options.trigger_class)
    identity = {"weights": tensors.weights_hash(weights), "set": file_sha256(options.set)}
    say(json.dumps({**identity, "metrics": metrics}, sort_keys=True))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody validator", description=__doc__.partition(": ")[2] if __doc__ else None)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    made = verbs.add_parser("init", help="make the key that opens versions, and print its public half")
    made.add_argument("--home", type=Path, required=True)
    made.set_defaults(act=init)
    add_run(verbs.add_parser("run", help="score versions until stopped"))
    add_rescore(verbs.add_parser("rescore", help="score a weights file, without any server"))
    return parser


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gateway", required=True, metavar="URL")
    parser.add_argument("--ledger", required=True, metavar="URL", help="the ledger's door")
    parser.add_argument("--token-file", type=Path, required=True, help="of the validator at the ledger's door")
    parser.add_argument("--api-key-file", type=Path, required=True, help="of the validator at the gateway")
    parser.add_argument("--home", type=Path, required=True, help="the folder that `init` made")
    parser.add_argument("--probe", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--model-id", help="check at the start that its policy asks for these very sets")
    add_scoring(parser)
    parser.set_defaults(act=run)


def add_rescore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, required=True, help="a version's safetensors file")
    parser.add_argument("--set", type=Path, required=True)
    parser.add_argument("--architecture", required=True, help="such as mlp-64-64-10 or simple-cnn,in_channels=3")
    add_scoring(parser)
    parser.set_defaults(act=rescore)


def add_scoring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", type=Path, metavar="FILE.py", help="a site's own model, data or score")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trigger-class", type=int, metavar="CLASS", help="also look for a back door to this class")


def main(argv: list[str] | None = None) -> int:
    options = arguments().parse_args(argv)
    try:
        options.act(options)
    except Stopped:
        say("stopped")
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Mendable, WireError, KeyFileError, RecordError, OSError) as error:
        print(f"custody validator: {error}", file=sys.stderr)
        return REFUSED if isinstance(error, WireError) else USAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
