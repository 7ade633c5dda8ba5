"""Used tokens in a Redis server that several machines share.

All that one use reads and changes is one script, so that uses never overlap. A restart, or a replica that takes over,
may have lost the last uses, and shows as another ``run_id``; what was evicted or flushed shows in the count. After
either, tokens issued before are refused by their age.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from cds_hooks.clients.replays.on_server import USE_SECONDS, ServerReplayStore
from cds_hooks.clients.replays.store import MOST_TOKENS, ReplayStoreUnavailable, token_hash
from cds_hooks.settings.mistakes import WrongSetting

FAULTS = (RedisError, OSError, TimeoutError)
_RECORDING = "tandem:{used-tokens}"
"""A hash: since when uses are recorded and by which run of the server; per client how many tokens are held, and the
latest expiry of those that were forgotten. The braces keep all keys on one node of a cluster."""
_TRIAL = f"{_RECORDING}/trial"
"""Beside the keys of the clients, whose names may be any word behind a colon."""

_USE = """
local client, token, till, now, most, clock = unpack(ARGV)
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local known = redis.call('HMGET', KEYS[1], 'since', 'run', 'held:' .. client, 'forgotten:' .. client)
local since, held, forgotten = known[1], tonumber(known[3] or '0'), known[4] or '-inf'
if not since or known[2] ~= run or redis.call('ZCARD', KEYS[2]) ~= held then
  since = clock
  redis.call('HSET', KEYS[1], 'since', since, 'run', run)
end
local expired = redis.call('ZREVRANGEBYSCORE', KEYS[2], '(' .. now, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
if expired[2] then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. now)
  if forgotten == '-inf' or tonumber(expired[2]) > tonumber(forgotten) then forgotten = expired[2] end
end
local said = 'first'
if (forgotten ~= '-inf' and tonumber(till) <= tonumber(forgotten)) or redis.call('ZSCORE', KEYS[2], token) then
  said = 'used'
elseif redis.call('ZCARD', KEYS[2]) >= tonumber(most) then
  said = 'full'
else
  redis.call('ZADD', KEYS[2], till, token)
end
redis.call('HSET', KEYS[1], 'held:' .. client, redis.call('ZCARD', KEYS[2]), 'forgotten:' .. client, forgotten)
return {said, since}
"""


def server_at(url: SecretStr) -> Any:
    """The server, not connected to; :class:`WrongSetting`, which quotes nothing, if its address cannot be read."""
    # A use is never repeated by the client: it could have been recorded, and would then seem to be a copy.
    once = Retry(NoBackoff(), 0)
    try:
        server: Any = Redis.from_url(
            url.get_secret_value(), socket_timeout=USE_SECONDS, socket_connect_timeout=USE_SECONDS, retry=once
        )
        server.connection_pool.make_connection()  # only this looks at the parameters behind ``?``
    except (ValueError, TypeError, RedisError):
        words = "cannot be read: a password has @ : / ? # percent-encoded, and behind ? stands what redis-py knows"
        raise WrongSetting("redis", words) from None
    return server


class RedisReplayStore(ServerReplayStore):
    """For several processes on several machines."""

    def __init__(self, url: SecretStr, clock: Callable[[], float] = time.time, most: int = MOST_TOKENS) -> None:
        """``url``: such as ``rediss://user:password@host:6379/0``; it is connected to at the first use.

        :raises WrongSetting: it cannot be read.
        """
        super().__init__(clock, most, FAULTS)
        self._redis = server_at(url)
        self._script = self._redis.register_script(_USE)

    async def first_use(self, client: str, jti: str, until: float, now: float) -> bool:
        """See :class:`ReplayStore`."""
        keys = [_RECORDING, f"{_RECORDING}:{client}"]
        given = [client, token_hash(jti), repr(until), repr(now), self._most, repr(self._clock())]
        with self._asking():
            said, since = await self._script(keys=keys, args=given)
        self.since = float(since)
        (self._full.add if said == b"full" else self._full.discard)(client)
        if said == b"full":
            raise ReplayStoreUnavailable("full")
        return bool(said == b"first")

    async def try_out(self) -> None:
        """See :class:`ReplayStore`."""
        with suppress(ReplayStoreUnavailable), self._asking():
            await self._redis.set(_TRIAL, b"", ex=1)
            since = await self._redis.hget(_RECORDING, "since")
            self.since = float(since) if since else self._clock()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
