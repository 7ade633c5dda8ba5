"""A grammar for the text of a sig: "take 1 and 1/2 tablets by mouth twice daily", "50 mg for 7 days then 100 mg".

Words become tokens by the vocabulary of ``sig_words.yaml``; tokens become doses, frequencies, durations and
changes; these become phases. If any part of a sig is not understood, the whole sig is unknown, because half of a sig
read with confidence is worse than none. Words without a role in the grammar are skipped. A sig that is taken on some
days only, in a way that the grammar cannot tell, is ``restricted``: then nothing else may give the dose either.
"""

from __future__ import annotations

from fhir_plugin.facts.medications.sigs.grammar import SigParser
from fhir_plugin.facts.medications.sigs.stages import RESTRICTED, NotUnderstood, Restricted, Sig
from fhir_plugin.facts.medications.sigs.tokens import clear_part_cache, tokens_of
from mappings.schema.base.kept import keep
from mappings.schema.medications import Medications, SigToken

MAX_LENGTH = 1000
"""Characters; longer texts are leaflets, not sigs."""
_REFUSED = frozenset(("doubt", "unknown"))


def read_sig(text: str, medications: Medications) -> Sig | None:
    """The phases of a sig; ``None`` where it is empty, too long or not understood."""
    if not text or len(text) > MAX_LENGTH:
        return None
    tokens = tokens_of(text, medications)
    kept = _SIG_CACHE.get(tokens, _NOT_KEPT)  # another thread may clear the cache between two look-ups
    if not isinstance(kept, _NotKept):
        return kept
    sig = _read(tokens)
    if len(tokens) <= _MAX_CACHED_TOKENS and (sig is None or len(sig.phases) <= MAX_CACHED_PHASES):
        keep(_SIG_CACHE, tokens, sig, _MAX_CACHED_SIGS)
    return sig


class _NotKept:
    """In place of a sig that is not cached; ``None`` is one that was not understood."""


_NOT_KEPT = _NotKept()
_SIG_CACHE: dict[tuple[SigToken, ...], Sig | None] = {}
"""Parsed sigs by their tokens, cached across records: the tokens hold no text of the record."""
_MAX_CACHED_SIGS = 4096
_MAX_CACHED_TOKENS = 64
MAX_CACHED_PHASES = 16
"""A sig with more phases is not cached, so that no request can fill the memory."""


def _read(tokens: tuple[SigToken, ...]) -> Sig | None:
    kinds = [token.kind for token in tokens]
    beyond = RESTRICTED if "restrict" in kinds else None
    if not _REFUSED.isdisjoint(kinds):
        return beyond
    try:
        return SigParser(tokens).read()
    except Restricted:
        return RESTRICTED
    except NotUnderstood:
        return beyond


def clear_sig_cache() -> None:
    """Clear the caches, so that the next sig is read word by word and parsed again."""
    clear_part_cache()
    _SIG_CACHE.clear()


def read_frequency(text: str, medications: Medications) -> float | None:
    """Administrations per day of a bare frequency such as ``twice daily``; ``None`` where it is not one."""
    sig = read_sig(f"1 tablet {text}", medications)
    if sig is None or sig.prn or len(sig.phases) != 1 or len(sig.phases[0].intakes) != 1:
        return None
    return sig.phases[0].intakes[0].per_day
