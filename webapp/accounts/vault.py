"""Keeps secrets that must be read back, encrypted by a key derived from the secret key of the settings.

A secret key that was changed goes to SECRET_KEY_FALLBACKS, and still opens what it closed.
"""

import base64
import functools

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def close(secret: str) -> str:
    """`secret`, encrypted by the newest key."""
    return _cipher().encrypt(secret.encode()).decode()


def read(encrypted: str) -> str:
    """What `close` was given; cryptography.fernet.InvalidToken when no key of ours opens it."""
    return _cipher().decrypt(encrypted.encode()).decode()


def _cipher() -> MultiFernet:
    return _cipher_of(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@functools.lru_cache
def _cipher_of(*secret_keys: str) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key))) for key in secret_keys])


def _derived(secret_key: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=b"picket api key secrets").derive(secret_key.encode())
