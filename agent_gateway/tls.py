"""The gateway's side of TLS: version 1.2 or better, no session tickets."""

from pathlib import Path
from typing import Protocol

from OpenSSL import SSL, crypto
from twisted.internet import ssl


class TlsFiles(Protocol):
    """Paths of PEM files: the certificate with its chain, and its key."""

    @property
    def certificate(self) -> Path:
        """The certificate, the intermediate ones after it."""

    @property
    def private_key(self) -> Path:
        """Its private key."""


def context_factory(files: TlsFiles) -> ssl.CertificateOptions:
    """What Twisted makes TLS connections from. Raises OSError or OpenSSL.crypto.Error."""
    first, *chain = _certificates(files.certificate.read_bytes())
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, files.private_key.read_bytes())
    options = ssl.CertificateOptions(privateKey=key, certificate=first, extraCertChain=chain)
    context = options.getContext()
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return options


def _certificates(pem: bytes) -> list[crypto.X509]:
    end = b"-----END CERTIFICATE-----"
    blocks = [block + end for block in pem.split(end)[:-1]]
    return [crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks]
