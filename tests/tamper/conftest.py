import pytest

from tests.tamper.bundles import Good
from tests.verifier.forge import Forge
from tests.verifier.story import Story, a_short_life


@pytest.fixture(scope="session")
def told() -> Good:
    forge = Forge()
    story = Story(forge)
    a_short_life(story)
    return Good(story, forge)


@pytest.fixture
def good(told: Good) -> Good:
    """A good ledger of one's own to bend: the story and its blocks are shared, and nobody changes them."""
    return Good(told.story, told.forge)
