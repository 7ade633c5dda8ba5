"""The public keys of a JWK set: which are usable, and for which algorithm."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from fhir_plugin.errors import BadInput
from fhir_plugin.record.datatypes import UNDECODABLE

PublicKey = ECKey | RSAKey

CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
MOST_KEYS = 100
RSA_BITS = range(2048, 8193)
"""Shorter keys can be broken; longer keys make verification too slow."""


_BITS_OF_A_LETTER = 6


class _Keys(msgspec.Struct, frozen=True):
    keys: list[dict[str, msgspec.Raw]]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a JWK set that can verify signatures."""

    keys: tuple[PublicKey, ...]

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The key with that id for the algorithm; without an id, the only key for the algorithm."""
        fitting = [key for key in self.keys if fits(key, algorithm) and kid in (None, key.kid)]
        return fitting[0] if len(fitting) == 1 or (fitting and kid is not None) else None


def fits(key: PublicKey, algorithm: str) -> bool:
    """Whether type, curve, declared algorithm and declared use of the key match the algorithm."""
    if key.get("alg") not in (None, algorithm) or key.get("use") not in (None, "sig"):
        return False
    if "verify" not in (key.get("key_ops") or ("verify",)):
        return False
    if isinstance(key, ECKey):
        return CURVES.get(algorithm) == key.curve_name
    return algorithm.startswith(("RS", "PS"))


def read_key_set(content: bytes) -> KeySet:
    """The public keys of a JWK set; symmetric, private, weak and unknown keys are skipped.

    :raises BadInput: it is not a JWK set, or contains no usable key.
    """
    try:
        listed = msgspec.json.decode(content, type=_Keys).keys
    except UNDECODABLE:
        raise BadInput('is no JWK set: expected {"keys": [...]}') from None
    if len(listed) > MOST_KEYS:
        raise BadInput(f"holds more than {MOST_KEYS} keys")
    keys = tuple(key for members in listed if (key := _public_key(members)) is not None)
    if not keys:
        raise BadInput("holds no public key of type EC or RSA (2048 to 8192 bits) that can be used")
    return KeySet(keys)


def _public_key(members: dict[str, msgspec.Raw]) -> PublicKey | None:
    if "d" in members or "k" in members or _is_short(members):
        return None
    try:
        key = JWKRegistry.import_key({name: msgspec.json.decode(value) for name, value in members.items()})
    except (JoseError, UnsupportedAlgorithm, msgspec.MsgspecError, ValueError, TypeError, KeyError, RecursionError):
        return None
    if isinstance(key, RSAKey):
        return key if key.public_key.key_size in RSA_BITS else None
    return key if isinstance(key, ECKey) else None


def _is_short(members: dict[str, msgspec.Raw]) -> bool:
    """Whether the encoded modulus is too short. Checked before import, because the library warns about weak keys."""
    return "n" in members and len(bytes(members["n"])) * _BITS_OF_A_LETTER < RSA_BITS.start
