"""The knowledge that ships, read once."""

import pytest

from mappings.load import Knowledge, load_knowledge


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return load_knowledge()
