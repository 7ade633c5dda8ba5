"""The knowledge that ships, read once."""

import pytest

from mappings.load import Knowledge
from tests.knowledge.conftest import shipped


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return shipped()
