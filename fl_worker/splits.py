"""How one pool of examples is dealt to several sites. Pure: labels, a number of sites and a seeded generator in, the
examples of each site out; every example goes to exactly one site."""

from collections.abc import Callable

import numpy as np

from fl_worker.mendable import Mendable
from fl_worker.metrics import Integers

DEALS = 1_000  # of a Dirichlet split, until nobody is left without enough
FEWEST = 2  # examples a site


class SplitError(Mendable):
    """The examples cannot be dealt as asked."""


def iid(labels: Integers, sites: int, order: np.random.Generator) -> list[Integers]:
    return [np.sort(part) for part in np.array_split(order.permutation(len(labels)), sites)]


def by_class(labels: Integers, sites: int, order: np.random.Generator) -> list[Integers]:
    """Every class belongs to one site; with more sites than classes, evenly to several."""
    kinds = np.unique(labels)
    groups = min(sites, len(kinds))
    parts: list[list[Integers]] = [[] for _ in range(sites)]
    for rank, kind in enumerate(kinds):
        owners = [site for site in range(sites) if site % groups == rank % groups]
        examples = order.permutation(np.flatnonzero(labels == kind))
        for site, share in zip(owners, np.array_split(examples, len(owners)), strict=True):
            parts[site].append(share)
    return [np.sort(np.concatenate(part)) for part in parts]


def shards(labels: Integers, sites: int, order: np.random.Generator) -> list[Integers]:
    """Sorted by label, cut into two shards a site, two dealt to each (McMahan et al. 2017)."""
    shuffled = order.permutation(len(labels))
    cuts = np.array_split(shuffled[np.argsort(labels[shuffled], kind="stable")], 2 * sites)
    deal = order.permutation(2 * sites)
    return [np.sort(np.concatenate([cuts[a], cuts[b]])) for a, b in zip(deal[::2], deal[1::2], strict=True)]


def dirichlet(labels: Integers, sites: int, order: np.random.Generator, alpha: float) -> list[Integers]:
    """Each class is shared out by a draw from Dirichlet(alpha): small alphas make sites differ."""
    for _ in range(DEALS):
        parts = dirichlet_once(labels, sites, order, alpha)
        if min(map(len, parts)) >= min(FEWEST, len(labels) // sites):
            return parts
    raise SplitError(f"{DEALS} deals with alpha {alpha} left a site without examples: try a larger alpha, fewer sites")


def dirichlet_once(labels: Integers, sites: int, order: np.random.Generator, alpha: float) -> list[Integers]:
    parts: list[list[Integers]] = [[] for _ in range(sites)]
    for kind in np.unique(labels):
        examples = order.permutation(np.flatnonzero(labels == kind))
        shares = order.dirichlet(np.full(sites, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(examples)).astype(np.int64)
        for site, share in enumerate(np.split(examples, cuts)):
            parts[site].append(share)
    return [np.sort(np.concatenate(part)) for part in parts]


SPLITS: dict[str, Callable[[Integers, int, np.random.Generator], list[Integers]]] = {
    "iid": iid,
    "classes": by_class,
    "shards": shards,
}


def split(name: str, labels: Integers, sites: int, order: np.random.Generator, alpha: float) -> list[Integers]:
    if not 1 <= sites <= len(labels):
        raise SplitError(f"{len(labels)} examples cannot be dealt to {sites} sites")
    if name == "dirichlet":
        return dirichlet(labels, sites, order, alpha)
    return SPLITS[name](labels, sites, order)


def hold_out(labels: Integers, count: int, order: np.random.Generator) -> Integers:
    """`count` examples with every class in its share, by largest remainder."""
    kinds, there = np.unique(labels, return_counts=True)
    if not len(kinds) <= count < len(labels):
        raise SplitError(f"{count} of {len(labels)} examples cannot be set apart: {len(kinds)} classes want one each")
    exact = there * count / len(labels)
    wanted = np.maximum(np.floor(exact).astype(np.int64), 1)
    for kind in np.argsort(-(exact - wanted), kind="stable")[: max(count - int(wanted.sum()), 0)]:
        wanted[kind] += 1
    drawn = [order.permutation(np.flatnonzero(labels == kind))[:n] for kind, n in zip(kinds, wanted, strict=True)]
    return np.sort(np.concatenate(drawn))
