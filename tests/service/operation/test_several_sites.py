"""Several hospitals in one process: each is answered by its own site file and knowledge."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cds_hooks.application.app import create_app
from cds_hooks.application.discovery import discover
from cds_hooks.clients.knowledge_in_use import load_in_use
from cds_hooks.operation import canaries
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import BadInput
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge, load_knowledge
from tests.support.commands.command import tandem
from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, PATIENT_VIEW, body, knowledge, order
from tests.support.memory.service import overridden, remembering, rows
from tests.support.trust.files import file_with
from tests.support.trust.signing import client, recorded, service
from tests.support.trust.sites import HEAD, PATIENT, by, cards, metric, stricter, wrong


def hospitals(tmp_path: Path, **changes: Any) -> tuple[Any, ...]:
    """One hospital with the built-in knowledge, and one with a site file of its own."""
    return client("north", "ec-1"), client("south", "ec-1", site=stricter(tmp_path), **changes)


def copied(folder: Path) -> Path:
    """A knowledge folder that may be changed."""
    shutil.copytree(KNOWLEDGE, folder, ignore=shutil.ignore_patterns("schema", "__pycache__"))
    return folder


def edited(folder: Path, file: str, old: str, new: str) -> Path:
    """The folder with one file changed."""
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    return folder


def answers(digest: str) -> re.Pattern[str]:
    """What a card says of the knowledge behind it."""
    return re.compile(rf"Knowledge {digest[:12]}\b")


def test_two_clients_with_different_site_files_get_different_verdicts_for_one_body(tmp_path: Path) -> None:
    own = load_knowledge(site=stricter(tmp_path)).digest
    with service(*hospitals(tmp_path), detail="full") as both:
        north, south = (cards(both, name, ORDER_SIGN, order(KETAMINE, PATIENT)) for name in ("north", "south"))
        assert both.get("/cds-services").status_code == 200
    assert north[0]["summary"] != south[0]["summary"]
    assert "hold" in south[0]["summary"].lower()
    assert answers(knowledge().digest).search(json.dumps(north))
    assert answers(own).search(json.dumps(south))


def test_a_row_of_a_card_holds_the_knowledge_of_its_client(tmp_path: Path) -> None:
    own = load_knowledge(site=stricter(tmp_path)).digest
    file = tmp_path / "memory.sqlite"
    with remembering(file, clients=hospitals(tmp_path), replay_store=recorded()) as both:
        for name in ("north", "south"):
            assert cards(both, name, ORDER_SIGN, order(KETAMINE, PATIENT))
    stored = set(rows(file, "SELECT tenant, knowledge FROM cards"))
    assert stored == {("north", knowledge().digest[:12]), ("south", own[:12])}


@pytest.mark.parametrize("key", ["site", "shadow_site", "knowledge", "shadow_knowledge"])
def test_a_wrong_file_of_one_client_ends_the_start_and_names_it(tmp_path: Path, key: str) -> None:
    file = wrong(tmp_path) if "site" in key else tmp_path
    clients = (client("north", "ec-1"), client("south", "ec-1", **{key: file}))
    with pytest.raises(BadInput, match=rf"^clients\.south\.{key}: [a-z]+\.yaml: ") as refused:
        create_app(Settings(clients=clients, replay_store=recorded()), knowledge())
    assert "\n" not in str(refused.value)


def test_a_wrong_file_in_the_shadow_of_everybody_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^shadow_site: wrong\.yaml: criteria: no criterion 'no\.such'"):
        create_app(Settings(shadow_site=wrong(tmp_path)), knowledge())


def test_a_knowledge_that_offers_other_services_is_refused(tmp_path: Path) -> None:
    folder = edited(copied(tmp_path / "own"), "services.yaml", "id: combination-therapy-patient-view", "id: other-view")
    with pytest.raises(BadInput, match=r"^clients\.south\.knowledge: .*services"):
        create_app(Settings(clients=(client("south", "ec-1", knowledge=folder),), replay_store=recorded()), knowledge())


def test_each_pair_of_folder_and_site_file_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[Path]()

    def loading(folder: Path = KNOWLEDGE, site: Path | None = None) -> Knowledge:
        read.append(folder)
        return load_knowledge(folder, site)

    monkeypatch.setattr("cds_hooks.clients.knowledge_in_use.load_knowledge", loading)
    folder, site = edited(copied(tmp_path / "own"), "services.yaml", "Says so when", "Says when"), stricter(tmp_path)
    clients = [client(name, "ec-1", knowledge=folder, site=site) for name in ("a", "b")]
    clients += [client("c", "ec-1", knowledge=folder), client("d", "ec-1", site=site), client("e", "ec-1")]
    used = load_in_use(Settings(clients=tuple(clients)), knowledge())
    assert read == [folder]
    assert used.of("a") is used.of("b")
    assert used.of("e") is knowledge()
    assert len({used.of(name).digest for name in "acde"}) == len(used.distinct) == 4
    assert used.of("d").medications is knowledge().medications, "what a site does not change is there once"


def test_one_digest_tells_whether_any_of_them_has_changed(tmp_path: Path) -> None:
    """By it a worker sees that it has loaded something else than was checked at the start."""

    def digest(**keys: Any) -> str:
        clients = client("north", "ec-1"), client("south", "ec-1", **keys)
        return load_in_use(Settings(clients=clients), knowledge()).digest

    site, other = stricter(tmp_path), stricter(tmp_path, 120)
    digests = [digest(), digest(site=site), digest(site=other), digest(shadow_site=site), digest(shadow_site=other)]
    assert len(set(digests)) == len(digests)
    assert digest(site=site) == digests[1]


def test_discovery_is_one_answer_with_what_any_client_needs(tmp_path: Path) -> None:
    facts = knowledge().facts
    fewer = {
        name: criterion
        for name, criterion in knowledge().criteria.items()
        if all("devices" not in facts[fact].inputs for fact in criterion.facts)
    }
    less, whole = replace(knowledge(), criteria=fewer), discover(knowledge())
    assert "devices" not in next(each.prefetch for each in discover(less).services if each.hook == "patient-view")
    assert discover(less, (knowledge(),)) == whole
    with service(*hospitals(tmp_path)) as both:
        listed = both.get("/cds-services").json()["services"]
    assert [each["prefetch"] for each in listed] == [dict(each.prefetch) for each in whole.services]


def test_each_knowledge_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = load_knowledge(site=stricter(tmp_path)).digest
    silent = {own: ("suicidality.current",), knowledge().digest: ()}
    monkeypatch.setattr(canaries, "silent_criteria", lambda each, _: silent[each.digest])
    with service(*hospitals(tmp_path), database=SecretStr("off")) as both:
        while (ready := both.get("/readyz")).json()["canaries"] == "not yet":
            pass
        assert ready.status_code == 503
        assert metric(both, "tandem_canary_silent{") == ['tandem_canary_silent{criterion="suicidality.current"} 1.0']


def test_one_knowledge_that_cannot_be_looked_at_does_not_hide_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[str]()

    def failing(each: Knowledge, _: date) -> tuple[str, ...]:
        looked.append(each.digest)
        if each is knowledge():
            raise LookupError
        return ()

    monkeypatch.setattr(canaries, "silent_criteria", failing)
    with service(*hospitals(tmp_path), database=SecretStr("off")) as both:
        while (ready := both.get("/readyz")).json()["canaries"] == "not yet":
            pass
    assert (ready.status_code, ready.json()["canaries"]) == (503, "failed")
    assert looked == [knowledge().digest, load_knowledge(site=stricter(tmp_path)).digest]


def test_a_reason_of_the_knowledge_of_a_client_is_kept_by_its_name(tmp_path: Path) -> None:
    folder = edited(copied(tmp_path / "own"), "cards.yaml", "code: other,", "code: our-own-reason,")
    file, clients = tmp_path / "memory.sqlite", (client("north", "ec-1"), client("south", "ec-1", knowledge=folder))
    with remembering(file, clients=clients, replay_store=recorded()) as both:
        (card,) = cards(both, "south", ORDER_SIGN, order(KETAMINE, PATIENT))
        assert "our-own-reason" in {reason["code"] for reason in card["overrideReasons"]}
        feedback = {"feedback": [overridden(card["uuid"], "our-own-reason")]}
        url = f"{ORDER_SIGN}/feedback"
        assert both.post(url, json=feedback, headers=by("south", url)).status_code == 200
    assert rows(file, "SELECT reason FROM feedback") == [("our-own-reason",)]


def test_probes_and_metrics_say_which_knowledge_decides_for_whom(tmp_path: Path) -> None:
    site = stricter(tmp_path, 120)
    own, other = (load_knowledge(site=file).digest for file in (stricter(tmp_path), site))
    north, south = hospitals(tmp_path)
    with service(north.model_copy(update={"shadow_site": site}), south, database=SecretStr("off")) as both:
        for probe in ("/healthz", "/readyz"):
            said = both.get(probe).json()
            assert said["knowledge"] == knowledge().digest
            assert said["knowledge_of_clients"] == {"south": own}
        told = metric(both, "tandem_knowledge_info{")
    ours = knowledge().digest
    expected = [("", ours, "live"), ("north", ours, "live"), ("south", own, "live"), ("north", other, "shadow")]
    assert sorted(told) == sorted(
        f'tandem_knowledge_info{{client="{name}",digest="{digest[:12]}",use="{use}"}} 1.0'
        for name, digest, use in expected
    )


def test_the_calls_of_a_client_with_its_own_knowledge_are_kept_apart(tmp_path: Path) -> None:
    own = load_knowledge(site=stricter(tmp_path)).digest
    folder = tmp_path / "calls"
    with service(*hospitals(tmp_path), capture=folder, database=SecretStr("off")) as both:
        for name in ("north", "south"):
            cards(both, name)
    kept = {path.parent: json.loads(path.read_bytes())["knowledge"] for path in folder.rglob("*.json")}
    assert kept == {folder: knowledge().digest, folder / "south": own}


def test_an_answered_form_is_read_as_the_site_of_its_client_writes_it(tmp_path: Path) -> None:
    site = tmp_path / "forms.yaml"
    site.write_text(HEAD + 'questionnaires:\n  phq9: [{questionnaire: intake-2026, style: "mood{number}"}]\n')
    url = "/fhir/QuestionnaireResponse/$extract"
    items = [{"linkId": f"mood{number}", "answer": [{"valueInteger": 1}]} for number in range(1, 10)]
    form = {"resourceType": "QuestionnaireResponse", "status": "completed", "authored": "2026-01-10"}
    form |= {"questionnaire": "intake-2026", "item": items}
    clients = client("north", "ec-1"), client("south", "ec-1", site=site)
    with service(*clients, database=SecretStr("off")) as both:
        read = {name: both.post(url, json=form, headers=by(name, url)).status_code for name in ("north", "south")}
    assert read == {"north": 422, "south": 200}


def test_cards_of_a_knowledge_that_is_not_that_of_the_app_lead_to_no_app(tmp_path: Path) -> None:
    fhir = "https://ehr.example/fhir"
    app: Any = {"name": "ehr", "title": "EHR", "issuer": fhir, "client_id": "tandem"}
    request = body(PATIENT_VIEW, PATIENT, fhirServer=fhir)
    with service(*hospitals(tmp_path), smart=(app,), public_url="https://tandem.example", database="off") as both:
        linked = {
            name: '"smart"' in both.post(PATIENT_VIEW, json=request, headers=by(name, PATIENT_VIEW)).text
            for name in ("north", "south")
        }
    assert linked == {"north": True, "south": False}


def test_check_config_says_who_decides(tmp_path: Path) -> None:
    site = stricter(tmp_path)
    own = load_knowledge(site=site)
    done = tandem("check-config", str(file_with(tmp_path, f'shadow_site = "{site}"', shadow_site=str(site))))
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert f"decides by: {knowledge().digest[:12]}, protocol {knowledge().protocol}" in said
    assert f"  decides by: {knowledge().digest[:12]}, protocol {knowledge().protocol}" in said
    assert f"  in its shadow: {own.digest[:12]}, protocol {own.protocol}" in said
    mistaken = file_with(tmp_path, site=str(wrong(tmp_path)), shadow_knowledge=str(tmp_path))
    done = tandem("check-config", str(mistaken))
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.removeprefix("tandem: tandem.toml:") for line in done.stderr.splitlines()] == [
        "8: clients.general.site: wrong.yaml: criteria: no criterion 'no.such'",
        "9: clients.general.shadow_knowledge: topics.yaml: cannot be read: No such file or directory",
    ]


def test_one_knowledge_folder_may_decide_for_all(tmp_path: Path) -> None:
    folder = edited(copied(tmp_path / "own"), "services.yaml", "Says so when", "Says when")
    done = tandem("check-config", str(file_with(tmp_path, f'knowledge = "{folder}"')))
    assert done.returncode == 0, done.stderr
    assert f"decides by: {load_knowledge(folder).digest[:12]}, protocol" in done.stdout
