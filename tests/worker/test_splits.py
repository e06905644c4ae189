"""Every example goes to exactly one site, however it is dealt."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl_worker.splits import SPLITS, SplitError, by_class, dirichlet, hold_out, split

NAMES = st.sampled_from([*SPLITS, "dirichlet"])


def labels_of(seed: int, count: int = 300, classes: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, count)


@given(NAMES, st.integers(0, 1000), st.integers(1, 12))
def test_every_example_goes_to_exactly_one_site(name: str, seed: int, sites: int) -> None:
    labels = labels_of(seed)
    parts = split(name, labels, sites, np.random.default_rng(seed), 1.0)
    assert len(parts) == sites
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    assert min(map(len, parts)) > 0


@given(NAMES, st.integers(0, 1000))
def test_the_same_seed_deals_the_same(name: str, seed: int) -> None:
    once, again = (split(name, labels_of(seed), 5, np.random.default_rng(seed), 0.5) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_by_class_gives_each_class_to_one_site() -> None:
    labels = labels_of(1)
    parts = by_class(labels, 4, np.random.default_rng(1))
    assert sorted(kind for part in parts for kind in np.unique(labels[part])) == list(range(10))


def test_with_more_sites_than_classes_a_class_is_shared_evenly() -> None:
    labels = np.repeat(np.arange(3), 100)
    parts = by_class(labels, 6, np.random.default_rng(1))
    assert [len(part) for part in parts] == [50] * 6
    assert all(len(np.unique(labels[part])) == 1 for part in parts)


def test_dirichlet_shares_grow_apart_as_alpha_falls() -> None:
    labels = labels_of(3, 5000)

    def spread(alpha: float) -> float:
        parts = dirichlet(labels, 5, np.random.default_rng(3), alpha)
        shares = np.array([np.bincount(labels[part], minlength=10) for part in parts]) / np.bincount(labels)
        return float(shares.std())

    assert spread(0.1) > 1.3 * spread(1.0) > 3 * spread(100.0)


@given(st.integers(0, 1000), st.integers(10, 290))
def test_what_is_held_out_has_every_class_in_its_share(seed: int, count: int) -> None:
    labels = labels_of(seed)
    held = hold_out(labels, count, np.random.default_rng(seed))
    assert len(np.unique(held)) == len(held)
    there, drawn = np.bincount(labels, minlength=10), np.bincount(labels[held], minlength=10)
    assert (drawn >= 1).all()
    assert (np.abs(drawn - there * count / 300) < 2).all()


@pytest.mark.parametrize("sites", [0, 301])
def test_more_sites_than_examples_are_refused(sites: int) -> None:
    with pytest.raises(SplitError, match="cannot be dealt"):
        split("iid", labels_of(1), sites, np.random.default_rng(1), 1.0)
