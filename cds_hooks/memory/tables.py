"""The tables. Timestamps are milliseconds since 1970 in UTC; patients appear only as keyed hashes."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

CARDS = Table(
    "cards",
    METADATA,
    Column("uuid", String(36), primary_key=True),
    Column("shown_at", BigInteger, nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("service", String(80), nullable=False),
    Column("rule", String(120), nullable=False),
    Column("role", String(20), nullable=False),
    Column("indicator", String(10), nullable=False),
    Column("mode", String(10), nullable=False),
    Column("knowledge", String(12), nullable=False),
    Column("patient", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("suggestions", Text, nullable=False),
    Index(None, "shown_at"),
)
"""One row for each card shown; ``suggestions`` holds their uuids as a JSON array."""

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("card", String(36), ForeignKey("cards.uuid", ondelete="CASCADE"), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("outcome_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("comment", Text, nullable=False),
    Column("accepted", Text, nullable=False),
    UniqueConstraint("card", "digest"),
    Index(None, "received_at"),
)
"""Every feedback entry for a card, including changes of mind; a repeated item is one row, by its ``digest``.

``accepted`` holds the positions of the accepted suggestions as a JSON array.
"""

FIRINGS = Table(
    "firings",
    METADATA,
    Column("day", Date, primary_key=True),
    Column("tenant", String(64), primary_key=True),
    Column("service", String(80), primary_key=True),
    Column("mode", String(10), primary_key=True),
    Column("rule", String(120), primary_key=True),
    Column("said", String(20), primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""Daily counts of outcomes by rule: calls, cards by indicator, criteria by verdict. No patient data."""

USED_TOKENS = Table(
    "used_tokens",
    METADATA,
    Column("client", String(64), primary_key=True),
    Column("token", LargeBinary(16), primary_key=True),
    Column("until", Double, nullable=False),
    Index(None, "client", "until"),
)
"""Hashes of the tokens of each client that were used, until they expire, in seconds since 1970."""

TOKEN_SHARES = Table(
    "token_shares",
    METADATA,
    Column("client", String(64), primary_key=True),
    Column("forgotten", Double, nullable=False),
)
"""The latest expiry among the tokens of a client that were forgotten, in seconds since 1970."""

TOKEN_RECORDING = Table(
    "token_recording",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("since", Double, nullable=False),
    Column("place", String(120), nullable=False),
)
"""One row: since when each use is recorded, in seconds since 1970, and where (``cds_hooks/clients/replays``)."""
