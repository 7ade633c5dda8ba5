"""Used tokens in the PostgreSQL database that several machines share; whichever inserts a token first lets it in.

The database may lose what it has recorded: it is restored from a copy, or another server takes over that lacks the
last commits. Either changes the identity of the place where the tokens are kept. It is compared at each use: tables are
replaced under open connections, and a pooler between may hide that another server answers. From a new place on, the
tokens from before are refused by their age.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias, TypeVar

import asyncpg
from sqlalchemy import URL

from cds_hooks.clients.replays.on_server import USE_SECONDS, ServerReplayStore
from cds_hooks.clients.replays.store import MOST_TOKENS, ReplayStoreUnavailable, token_hash

T = TypeVar("T")
Connection: TypeAlias = Any
"""A connection of the driver, which has no type hints."""

_FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_CONNECTIONS = 4
MOST_AT_ONCE = 10_000
"""How many expired tokens one use forgets, so that it takes no longer than it may; the others are refused anyway."""
_TIDY_SECONDS = 60.0

# The timeline is read from the name of the log that is being written: a server that takes over tells its new one in
# pg_control_checkpoint() only after its next checkpoint, which may take minutes.
_PLACE = """
(SELECT concat_ws('/', system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
    (SELECT oid FROM pg_database WHERE datname = current_database()), 'used_tokens'::regclass::oid)
  FROM pg_control_system())
"""
_RECORDING = f"""
INSERT INTO token_recording (id, since, place) SELECT 1, $1::float8, {_PLACE}
ON CONFLICT (id) DO UPDATE SET place = excluded.place,
  since = CASE token_recording.place WHEN excluded.place THEN token_recording.since ELSE excluded.since END
RETURNING since
"""
# The lock on the share makes a use wait for one who forgets tokens of this client, and then see what was forgotten.
_USE = f"""
WITH share AS MATERIALIZED (SELECT forgotten FROM token_shares WHERE client = $1 FOR SHARE),
  first AS (INSERT INTO used_tokens (client, token, until) SELECT $1, $2, $3 FROM share WHERE $3 > forgotten
            ON CONFLICT DO NOTHING RETURNING true)
SELECT EXISTS (SELECT FROM first) AS is_first, EXISTS (SELECT FROM share) AS is_whole,
  (SELECT since FROM token_recording WHERE place = {_PLACE}) AS since
"""  # noqa: S608 - of constants
_SHARE = "INSERT INTO token_shares (client, forgotten) VALUES ($1, '-Infinity') ON CONFLICT DO NOTHING"
_MARK = """
UPDATE token_shares SET forgotten = greatest(forgotten,
  (SELECT max(until) FROM used_tokens WHERE client = $1 AND until < $2)) WHERE client = $1
"""
_FORGET = """
DELETE FROM used_tokens WHERE ctid = ANY(ARRAY(SELECT ctid FROM used_tokens WHERE client = $1
  AND until <= (SELECT forgotten FROM token_shares WHERE client = $1) LIMIT $2))
"""
_COUNT = """
SELECT count(*) FROM used_tokens WHERE client = $1
  AND until > (SELECT forgotten FROM token_shares WHERE client = $1)
"""
_IS_USED = "SELECT EXISTS (SELECT FROM used_tokens WHERE client = $1 AND token = $2)"
_TRIAL = "INSERT INTO used_tokens (client, token, until) VALUES ('', '', 0)"


class SharedReplayStore(ServerReplayStore):
    """For several processes on several machines, and across restarts.

    Each process counts the tokens of a client anew every minute; between two counts it knows only of its own.
    """

    def __init__(
        self,
        url: URL,
        clock: Callable[[], float] = time.time,
        most: int = MOST_TOKENS,
        seconds: float = USE_SECONDS,
    ) -> None:
        """``url``: of the database; it is connected to at the first use. ``seconds``: how long a use may take."""
        super().__init__(clock, most, _FAULTS)
        self._url, self._seconds = url, seconds
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._held: dict[str, int] = {}
        self._tidied: dict[str, float] = {}

    async def first_use(self, client: str, jti: str, until: float, now: float) -> bool:
        """See :class:`ReplayStore`."""
        token = token_hash(jti)
        return await self._guarded(lambda connection: self._use(connection, client, token, until, now))

    async def try_out(self) -> None:
        """See :class:`ReplayStore`."""
        with suppress(ReplayStoreUnavailable):
            await self._guarded(_tried)

    async def aclose(self) -> None:
        """Close the connections; what is in progress on them is given up."""
        if self._pool is not None:
            self._pool.terminate()

    async def _guarded(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        with self._asking():
            async with asyncio.timeout(self._seconds), self._connection() as connection:
                return await work(connection)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection; one on which work was broken off is not used again, and not waited for."""
        connections = self._pool or await self._connections()
        connection = await connections.acquire()
        try:
            yield connection
        except (*_FAULTS, asyncio.CancelledError):
            connection.terminate()
            raise
        finally:
            await connections.release(connection)

    async def _connections(self) -> Any:
        """The connections; none is made before it is needed."""
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    **_connect_arguments(self._url),
                    min_size=0,
                    max_size=_CONNECTIONS,
                    init=self._find_recording,
                    server_settings={
                        "statement_timeout": str(int(self._seconds * 1000)),
                        "synchronous_commit": "on",  # else a crash of the server could undo a use
                    },
                )
        return self._pool

    async def _find_recording(self, connection: Connection) -> None:
        self.since = await connection.fetchval(_RECORDING, self._clock())

    async def _use(self, connection: Connection, client: str, token: bytes, until: float, now: float) -> bool:
        if await self._is_full(connection, client, now):
            if await connection.fetchval(_IS_USED, client, token):
                return False
            self._full.add(client)
            raise ReplayStoreUnavailable("full")
        self._full.discard(client)
        is_first, is_whole, since = await connection.fetchrow(_USE, client, token, until)
        if not is_whole or since is None:
            await self._begin_anew(connection)
            raise ReplayStoreUnavailable("store")
        self.since = since
        self._held[client] += is_first
        return bool(is_first)

    async def _is_full(self, connection: Connection, client: str, now: float) -> bool:
        """Whether a client holds as many tokens as it may, after those that have expired were forgotten."""
        moment = asyncio.get_running_loop().time()
        late = moment - self._tidied.get(client, float("-inf")) > _TIDY_SECONDS
        if late or self._held[client] >= self._most:
            self._held[client] = await _forget(connection, client, now)
            self._tidied[client] = moment
        return self._held[client] >= self._most

    async def _begin_anew(self, connection: Connection) -> None:
        """The tables were emptied, or are in another place: what was used before is not known any more."""
        await connection.execute("DELETE FROM token_recording")
        await self._find_recording(connection)
        self._held.clear()
        self._tidied.clear()


async def _forget(connection: Connection, client: str, now: float) -> int:
    """Forget the expired tokens of a client, and say how many it holds."""
    async with connection.transaction():
        await connection.execute(_SHARE, client)
        await connection.execute(_MARK, client, now)
        await connection.execute(_FORGET, client, MOST_AT_ONCE)
        return int(await connection.fetchval(_COUNT, client))


async def _tried(connection: Connection) -> None:
    trial = connection.transaction()
    await trial.start()
    try:
        await connection.execute(_TRIAL)
    finally:
        await trial.rollback()


def _connect_arguments(url: URL) -> dict[str, Any]:
    """What the driver is to be given; what SQLAlchemy takes for itself is left out."""
    _, arguments = url.get_dialect()().create_connect_args(url)
    return {name: value for name, value in arguments.items() if not name.startswith("prepared_statement_")}
