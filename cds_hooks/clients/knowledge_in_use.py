"""The knowledge of one process: which decides for which client, each loaded and checked once at the start."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from cds_hooks.settings.choices import KnowledgeChoice, live_choice, shadow_choice
from cds_hooks.settings.mistakes import WrongSetting
from cds_hooks.settings.settings import Settings
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.errors import KnowledgeError
from mappings.schema.load import Knowledge, load_knowledge, with_site


@dataclass(frozen=True, slots=True)
class KnowledgeInUse:
    """What decides for whom."""

    common: Knowledge
    """Of every client without one of its own, and of what has no caller: discovery, pages, the app."""
    own: Mapping[str, Knowledge] = field(default_factory=dict)
    """Of the clients with a site file or a folder of their own, by name."""
    shadows: Mapping[str, Knowledge] = field(default_factory=dict)
    """What decides in the shadow, by the name of the client; the empty name is that of an open service."""

    def of(self, client: str) -> Knowledge:
        """What decides for a client."""
        return self.own.get(client, self.common)

    @property
    def distinct(self) -> tuple[Knowledge, ...]:
        """Each that may decide an answer, once; the common one first."""
        return tuple({each.digest: each for each in (self.common, *self.own.values())}.values())

    @property
    def others(self) -> tuple[Knowledge, ...]:
        """Each but the common one."""
        return self.distinct[1:]

    @property
    def digest(self) -> str:
        """One digest of all, the shadows as well."""
        parts = [sorted((name, each.digest) for name, each in part.items()) for part in (self.own, self.shadows)]
        return hashlib.sha256(repr((self.common.digest, parts)).encode()).hexdigest()

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the knowledge of each client that has one of its own."""
        return {name: each.digest for name, each in self.own.items()}


def load_common(settings: Settings) -> Knowledge:
    """The knowledge of the service. :class:`WrongSetting` names the file at fault."""
    if settings.knowledge is None:
        with _named("site"):
            return load_knowledge(site=settings.site)
    with _named("knowledge"):
        knowledge = load_knowledge(settings.knowledge)
    if settings.site is None:
        return knowledge
    with _named("site"):
        return with_site(knowledge, settings.site)


def load_in_use(
    settings: Settings, common: Knowledge, attempt: Callable[[], AbstractContextManager[None]] = nullcontext
) -> KnowledgeInUse:
    """Load what clients have of their own, and the shadows; ``common`` is what the service itself has loaded.

    :raises WrongSetting: names the client and the key of its settings, and the file at fault; unless ``attempt``, in
        which each is loaded, takes it.
    """
    files, everybody = _Files(settings, common), live_choice(settings)
    own, shadows = dict[str, Knowledge](), dict[str, Knowledge]()
    for client in settings.clients or (None,):
        name, place = (client.name, f"clients.{client.name}.") if client else ("", "")
        live, shadow = live_choice(settings, client), shadow_choice(settings, client)
        if live != everybody:
            with attempt():
                own[name] = files.load(live, place)
        if shadow is not None:
            with attempt():
                shadows[name] = files.load(shadow, f"{place}shadow_")
    return KnowledgeInUse(common, own, shadows)


class _Files:
    """What has been loaded already: folders without a site file, and whole choices."""

    def __init__(self, settings: Settings, common: Knowledge) -> None:
        self._common = common
        self._loaded = {live_choice(settings): common}
        if common.site is None:
            self._loaded[KnowledgeChoice(settings.knowledge, None)] = common

    def load(self, choice: KnowledgeChoice, place: str) -> Knowledge:
        """The knowledge of a choice; ``place`` is the beginning of its keys in the settings."""
        folder = KnowledgeChoice(choice.folder, None)
        if folder not in self._loaded:
            self._loaded[folder] = self._folder(choice.folder or KNOWLEDGE, f"{place}knowledge")
        if choice.site is not None and choice not in self._loaded:
            # With the parts that the site does not change: they are there once, with all that they keep.
            with _named(f"{place}site"):
                self._loaded[choice] = with_site(self._loaded[folder], choice.site)
        return self._loaded[choice]

    def _folder(self, folder: Path, key: str) -> Knowledge:
        with _named(key):
            knowledge = load_knowledge(folder)
        if _offered(knowledge) != _offered(self._common):
            words = "services.yaml: must offer the services of all others: discovery is one answer"
            raise WrongSetting(key, words)
        return knowledge


def _offered(knowledge: Knowledge) -> set[tuple[str, str, str]]:
    return {(service.id, service.hook, service.speaks) for service in knowledge.services.services}


@contextmanager
def _named(key: str) -> Iterator[None]:
    try:
        yield
    except KnowledgeError as fault:
        raise WrongSetting(key, str(fault)) from None
