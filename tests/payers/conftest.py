"""The knowledge that ships, read once."""

from tests.knowledge.conftest import knowledge

__all__ = ["knowledge"]
