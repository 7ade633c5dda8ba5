"""The knowledge that ships, read once."""

from functools import cache

import pytest

from mappings.load import Knowledge, load_knowledge

shipped = cache(load_knowledge)


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return shipped()
