"""custody datasets: prepare example data for a federation, look at it, commit to one's own.

OUT/metadata.json                        hashes, histograms and commitments: for the operator, holds no secret
OUT/site-1/train.safetensors             what site-1 trains on
OUT/site-1/shard.json                    its commitment, the salt, a model that fits: never leaves the site
OUT/validator/{probe,test}.safetensors   for the validator alone
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fl_worker.data import (
    DataError,
    Shard,
    check_sha256,
    file_sha256,
    load_examples,
    new_shard,
    read_shard,
    shard_path,
    write_shard,
)
from fl_worker.histograms import drawn
from fl_worker.mendable import Mendable
from fl_worker.metrics import Integers
from fl_worker.sources import DOWNLOADED, OFFLINE, Pool, pool
from fl_worker.splits import SPLITS, hold_out, split
from sealed import tensors

PROBE_AT_MOST = 2_000  # examples; diagnosis scores it many times


class Apart:
    """Which examples of the pool are the validator's and which are dealt to sites."""

    def __init__(self, labels: Integers, own_test: int, share: float, order: np.random.Generator) -> None:
        everything = np.arange(len(labels))
        held = round(len(labels) * share)
        self.test = everything[-own_test:] if own_test else hold_out(labels, held, order)
        rest = np.setdiff1d(everything, self.test)
        self.probe = rest[hold_out(labels[rest], min(held, PROBE_AT_MOST), order)]
        self.training = np.setdiff1d(rest, self.probe)


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    source = pool(options.dataset, options.cache, options.image_size, options.channels)
    order = np.random.default_rng(options.seed)
    apart = Apart(source.labels, source.own_test, options.held_out, order)
    dealt = split(options.split, source.labels[apart.training], options.num_clients, order, options.alpha)
    sites = {f"site-{number}": apart.training[part] for number, part in enumerate(dealt, 1)}
    forget_old_sites(options.out, sites.keys())
    files = {f"{site}/train.safetensors": picked for site, picked in sites.items()}
    files |= {"validator/probe.safetensors": apart.probe, "validator/test.safetensors": apart.test}
    for name, picked in files.items():
        write_examples(options.out / name, source, picked)
        print(f"{len(picked):>7,} examples  {options.out / name}")
    shards = {site: commit(options.out / site / "train.safetensors", source.architecture) for site in sites}
    metadata = described(options, source, files, shards)
    (options.out / "metadata.json").write_text(json.dumps(metadata, indent=1, sort_keys=True) + "\n")
    return metadata


def forget_old_sites(out: Path, sites: Iterable[str]) -> None:
    """A smaller federation prepared into the same folder must not keep the larger one's sites; only files that an
    earlier metadata.json names are touched."""
    if not (out / "metadata.json").exists():
        return
    for site in {name.partition("/")[0] for name in read_metadata(out)["files"]} - {"validator", *sites}:
        for file in ("train.safetensors", "shard.json"):
            (out / site / file).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else lies there
            (out / site).rmdir()


def write_examples(path: Path, source: Pool, picked: Integers) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    constants = {"mean": np.array(source.mean, np.float32), "std": np.array(source.std, np.float32)}
    examples = {"inputs": source.inputs[picked], "labels": source.labels[picked]}
    tensors.save(path, {**examples, **constants, "classes": np.array(len(source.classes), np.int64)})


def commit(data: Path, architecture: Mapping[str, int | str] | None = None) -> Shard:
    """The commitment to a data file; one made before stands as long as the file is the same."""
    try:
        return read_shard(data)
    except DataError:
        shard = new_shard(data, len(load_examples(data)), architecture)
        write_shard(data, shard)
        return shard


def described(
    options: argparse.Namespace, source: Pool, files: Mapping[str, Integers], shards: Mapping[str, Shard]
) -> dict[str, Any]:
    return {
        "dataset": options.dataset.partition(":")[0],
        "origin": source.origin,
        "split": {"name": options.split, "alpha": str(options.alpha), "seed": options.seed},
        "classes": source.classes,
        "architecture": source.architecture,
        "files": {name: file_entry(options.out / name, source, picked) for name, picked in files.items()},
        "duplicates": duplicates(source, files),
        "datasets": list(ledger_entries(options, files, shards)),
    }


def file_entry(path: Path, source: Pool, picked: Integers) -> dict[str, Any]:
    histogram = np.bincount(source.labels[picked], minlength=len(source.classes)).tolist()
    return {"sha256": file_sha256(path), "examples": len(picked), "histogram": histogram}


def duplicates(source: Pool, files: Mapping[str, Integers]) -> dict[str, int]:
    """How many examples of probe and test set also lie, byte for byte, at a site."""
    at_sites = {
        source.inputs[i].tobytes() for name, picked in files.items() if name.startswith("site-") for i in picked
    }
    held = {kind: files[f"validator/{kind}.safetensors"] for kind in ("probe", "test")}
    return {kind: sum(source.inputs[i].tobytes() in at_sites for i in picked) for kind, picked in held.items()}


def ledger_entries(
    options: argparse.Namespace, files: Mapping[str, Integers], shards: Mapping[str, Shard]
) -> Iterator[dict[str, Any]]:
    """What RegisterDataset wants to know, without the model's name."""
    title = options.dataset.partition(":")[0]
    for kind in ("probe", "test"):
        name = f"validator/{kind}.safetensors"
        yield {
            "dataset": f"{title}-{kind}",
            "kind": kind,
            "version": options.version,
            "sha256": file_sha256(options.out / name),
            "examples": len(files[name]),
            "participant": "",
        }
    for site, shard in shards.items():
        yield shard_entry(f"{title}-{site}", options.version, site, shard)


def shard_entry(name: str, version: str, participant: str, shard: Shard) -> dict[str, Any]:
    return {
        "dataset": name,
        "kind": "shard",
        "version": version,
        "sha256": shard.commitment,
        "examples": shard.examples,
        "participant": participant,
    }


def read_metadata(directory: Path) -> dict[str, Any]:
    try:
        metadata: dict[str, Any] = json.loads((directory / "metadata.json").read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{directory} is not a folder that `custody datasets prepare` made: {error}") from error
    return metadata


def check_files(directory: Path, metadata: Mapping[str, Any]) -> None:
    for name, entry in metadata["files"].items():
        if not (directory / name).exists():
            raise DataError(f"{directory / name} is missing")
        check_sha256(directory / name, entry["sha256"])


def run_prepare(options: argparse.Namespace) -> None:
    metadata = prepare(options)
    print(f"\n{drawn(metadata)}\n\n{closing(options.out, metadata)}")


def closing(out: Path, metadata: Mapping[str, Any]) -> str:
    both = metadata["duplicates"]
    twice = f"{both['probe']} of the probe and {both['test']} of the test set are byte for byte at a site too"
    fits = metadata["architecture"]["name"]
    return f"{twice}. A model that fits: {fits}. Hashes and commitments: {out / 'metadata.json'}"


def run_show(options: argparse.Namespace) -> None:
    metadata = read_metadata(options.directory)
    print(drawn(metadata))
    check_files(options.directory, metadata)
    print(f"\nall {len(metadata['files'])} files have the SHA-256 that metadata.json says")


def run_commit(options: argparse.Namespace) -> None:
    shard = commit(options.data)
    entry = shard_entry(options.name or options.data.stem, options.version, options.participant, shard)
    print(json.dumps(entry, indent=2, sort_keys=True))
    print(f"the salt is in {shard_path(options.data)}; keep it, and do not hand it on", file=sys.stderr)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody datasets", description="Data for a federation: prepare, show, commit to.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    add_prepare(verbs.add_parser("prepare", help="deal a data set to sites, and set probe and test set apart"))
    show = verbs.add_parser("show", help="draw a prepared split and check its files")
    show.add_argument("directory", type=Path)
    show.set_defaults(act=run_show)
    own = verbs.add_parser("commit", help="commit to a site's own data file (writes shard.json beside it)")
    own.add_argument("data", type=Path)
    own.add_argument("--participant", default="site-1")
    own.add_argument("--name", help="of the data set on the ledger (default: the file's)")
    own.add_argument("--version", default="1")
    own.set_defaults(act=run_commit)
    return parser


def add_prepare(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--dataset", default="digits", help=f"{', '.join([*OFFLINE, *DOWNLOADED])} or folder:PATH (default digits)")
    add("--num-clients", type=int, default=3)
    add("--split", choices=[*SPLITS, "dirichlet"], default="iid")
    add("--alpha", type=float, default=0.5, help="of the Dirichlet split: the smaller, the more sites differ")
    add("--seed", type=int, default=7)
    add("--held-out", type=share, default=0.2, help="share of the examples for probe and for test set, each (0.2)")
    add("--version", default="1", help="of the sets, as the ledger will name them")
    add("--image-size", type=int, default=64, help="folder: pixels a side")
    add("--channels", type=int, choices=[1, 3], default=3, help="folder: grey or colour")
    add("--cache", type=Path, default=Path.home() / ".cache" / "custody", help="where downloads are kept")
    add("--out", type=Path, required=True)
    parser.set_defaults(act=run_prepare)


def share(text: str) -> float:
    if not 0 < (value := float(text)) < 0.5:
        raise argparse.ArgumentTypeError("must lie between 0 and 0.5")
    return value


def main(argv: list[str] | None = None) -> int:
    options = arguments().parse_args(argv)
    try:
        options.act(options)
    except (Mendable, OSError) as error:
        print(f"custody datasets: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
