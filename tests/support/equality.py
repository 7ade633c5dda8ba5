"""Whether a change of the code changes an answer: every answer to many requests as a digest, and the difference.

::

    python -m tests.support.equality write before.txt
    python -m tests.support.equality compare before.txt

The requests are of every demo patient at every hook, of every chart in the case files, with each list of each input
long, and drawn at random, always the same ones. Compared are the cards, brief and in full, the facts, the findings and
what the app shows.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import hashlib
import json
import random
import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from cds_hooks.hooks.service import HookAnswer, HookService
from cds_hooks.protocol.errors import BadRequest
from cds_hooks.settings.readable import ReadableServers
from cds_hooks.settings.settings import Settings
from cds_hooks.smart.views import criteria, overview
from cds_hooks.web.course import sketch
from fhir_plugin.deciding.decide import Decision, decide
from fhir_plugin.errors import TandemError
from fhir_plugin.payers.dossier import build_dossier
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.record.inputs import INPUTS
from tests.support.conformance.ehr import SERVICES, request
from tests.support.fuzz.mutants import ODD, places
from tests.support.growth.lists import PATIENT, bundle, examples, long_lists, request_with, varied
from tests.support.hooks.calls import DAY, ESKETAMINE, KETAMINE, PATIENTS, SERTRALINE, TMS, called, knowledge, order
from tests.support.knowledge.cases import read_cases, record_of

_ROOT = Path(__file__).parents[2]
_LENGTH = 12
_DRAWN = 150
_OF_INNER_LISTS = 5
"""One of so many lists within a resource."""
_HOOKS = ("order-sign", "encounter-start", "patient-view", "order-select")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Of an object without a representation of its own."""
_SERVERS = FhirServers()
_SERVICES = {
    detail: HookService(knowledge(), Settings(detail=detail), _SERVERS, lambda: "id") for detail in ("brief", "full")
}


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every request by a name."""
    for url in SERVICES:
        for patient in PATIENTS:
            yield f"demo {url} {patient}", request(url, patient)
    for patient in PATIENTS:
        for what in (KETAMINE, ESKETAMINE, TMS, SERTRALINE):
            made = request(patient=patient)
            made["context"]["draftOrders"] = bundle([order(what, patient), order(TMS, patient, id="draft-2")])
            yield f"demo drafts {patient} {json.dumps(what)}", made
    for number, long in enumerate(long_lists()):
        if long.path and number % _OF_INNER_LISTS:
            continue
        yield f"long {long}", request_with(long, _LENGTH, _HOOKS[number % len(_HOOKS)])
    for number in range(_DRAWN):
        dice = random.Random(number)  # noqa: S311 - requests, no secrets
        yield f"drawn {number}", _mixed(dice, _HOOKS[number % len(_HOOKS)])
        yield f"mutated {number}", _mutated(dice)


def _mixed(dice: random.Random, hook: str) -> dict[str, Any]:
    """A request with several of each kind, on few days and at few times, with any status."""
    found = examples()
    drafts = [_changed(dice, dice.choice(found["drafts"])) for _ in range(dice.randint(1, 4))]
    made = request_with(next(iter(long_lists())), 0, hook)
    if "draftOrders" in made["context"]:
        made["context"]["draftOrders"] = bundle(drafts)
    for name in INPUTS:
        if name != "patient":
            many = [_changed(dice, dice.choice(found[name])) for _ in range(dice.choice((0, 1, 3, 20)))]
            made["prefetch"][name] = bundle(many)
    return made


def _changed(dice: random.Random, resource: dict[str, Any]) -> dict[str, Any]:
    member = {"Device": "patient", "AllergyIntolerance": "patient", "Coverage": "beneficiary"}
    made = varied(resource, dice.randint(0, 5), dice.choice(("times", "days", "alike")))
    made |= {member.get(resource["resourceType"], "subject"): {"reference": f"Patient/{PATIENT}"}}
    made["id"] = f"{resource['id']}-{dice.randint(0, 40)}"
    if "valueInteger" in made:
        made["valueInteger"] = dice.randint(0, 3)
    if "derivedFrom" in made and dice.random() < 0.5:
        del made["derivedFrom"]
    if "effectiveDateTime" in made and dice.random() < 0.1:
        del made["effectiveDateTime"]
    if "status" in made and dice.random() < 0.2:
        made["status"] = dice.choice(("active", "final", "stopped", "completed", "draft", "on-hold", "unknown"))
    return made


def _mutated(dice: random.Random) -> dict[str, Any]:
    """A request about a demo patient in which some values are odd."""
    made = copy.deepcopy(request(dice.choice(list(SERVICES)), dice.choice(list(PATIENTS))))
    for _ in range(dice.randint(1, 4)):
        path = dice.choice(places(made["prefetch"]))
        holder: Any = made["prefetch"]
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = dice.choice((dice.choice(ODD), holder[path[-1]], [holder[path[-1]]] * 2))
    return made


def answers() -> Iterator[tuple[str, bytes]]:
    """What is answered to each request, by its name."""
    for name, content in requests():
        yield name, _answer(content)
    for path in sorted((_ROOT / "mappings").rglob("*.cases.yaml")):
        for number, chart in enumerate(_charts(path)):
            decision = decide(record_of(chart), knowledge(), as_of=date(2026, 6, 1), ordered=("ketamine",))
            yield f"case {path.relative_to(_ROOT)} {number}", _decided(decision)


def _charts(path: Path) -> Iterator[dict[str, Any]]:
    """The charts of one case file; those of files of another shape are left out."""
    try:
        yield from read_cases(path)
    except (AssertionError, AttributeError, KeyError, TypeError):
        return


def _answer(content: dict[str, Any]) -> bytes:
    try:
        call = called(content)
    except BadRequest as refusal:
        return str(refusal).encode()
    (definition,) = (each for each in knowledge().services.services if each.hook == call.hook)
    told = []
    for service in _SERVICES.values():
        try:
            answer: HookAnswer = asyncio.run(service.answer(call, definition, DAY, ReadableServers(())))
        except TandemError as refusal:
            return str(refusal).encode()
        told.append(msgspec.json.encode((answer.cards, answer.silence)))
        told.append(_ADDRESS.sub("", repr(answer.ordered)).encode())
    return b"\n".join([*told, _decided(answer.decision) if answer.decision else b"no decision"])


def _decided(decision: Decision) -> bytes:
    """What follows from a record, and what the app shows of it."""
    facts = decision.facts
    told = [sorted(facts.named.items()), facts.vitals, facts.scores.assessments, facts.treatments.courses]
    told += [facts.treatments.sessions, facts.trials.trials, decision.findings, decision.recommendation]
    told += [overview(decision, knowledge()), criteria(decision, knowledge(), "ketamine")]
    told += [sketch(decision, knowledge()), build_dossier(decision, knowledge(), "tms")]
    return _ADDRESS.sub("", "\n".join(map(repr, told))).encode()


def _without_version(content: bytes) -> bytes:
    """Without the version of the knowledge, on drafts and dossiers: words for other purposes are no other answer."""
    digest = knowledge().digest.encode()
    return content.replace(digest, b"").replace(digest[:12], b"")


def main() -> int:
    """Write the digests, or say which answers are others."""
    reader = argparse.ArgumentParser(description="Compare the answers of two states of the code.")
    reader.add_argument("what", choices=("write", "compare"))
    reader.add_argument("file", type=Path)
    chosen = reader.parse_args()
    found = {name: hashlib.sha256(_without_version(content)).hexdigest() for name, content in answers()}
    if chosen.what == "write":
        chosen.file.write_text(json.dumps(found, indent=0), encoding="utf-8")
        sys.stdout.write(f"{len(found)} answers\n")
        return 0
    before = json.loads(chosen.file.read_text(encoding="utf-8"))
    others = sorted(name for name in before.keys() | found.keys() if before.get(name) != found.get(name))
    sys.stdout.write("".join(f"{name}\n" for name in others) + f"{len(others)} of {len(found)} answers are others\n")
    return int(bool(others))


if __name__ == "__main__":
    sys.exit(main())
