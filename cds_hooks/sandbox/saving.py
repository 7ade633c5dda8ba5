"""A call of the sandbox as a de-identified replay file."""

from __future__ import annotations

import asyncio
import secrets

import msgspec

from cds_hooks.protocol.requests import read_call
from cds_hooks.replay.files import write_replay
from cds_hooks.replay.recording import Recorder
from cds_hooks.sandbox.firing import CallResult
from fhir_plugin.errors import BadInput
from mappings.schema.load import Knowledge

_SECRET_BYTES = 32


async def replay_file(result: CallResult, knowledge: Knowledge) -> bytes:
    """The file, de-identified with a secret of its own, so that two files of one patient cannot be linked.

    :raises BadInput: nothing was assessed.
    :raises RecordUnavailable: the de-identified record does not suffice for an answer.
    """
    decision = result.trace.decision
    if decision is None:
        raise BadInput("nothing was assessed, so there is nothing to replay")
    call = read_call(msgspec.json.encode(result.built.request), result.built.service.hook)
    recorder = await asyncio.to_thread(Recorder, knowledge, secrets.token_bytes(_SECRET_BYTES))
    return write_replay(await recorder.replay(call, decision.record, decision.facts.as_of))
