"""A certificate authority of this home's own, and the server certificate that agents verify against it."""

import datetime
import ipaddress
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
RENEW_DAYS = 30


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files: the authority that clients trust, and what the server shows and keeps."""

    ca: Path
    certificate: Path
    private_key: Path


@dataclass(frozen=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def is_good(self, now: datetime.datetime) -> bool:
        return self.certificate.not_valid_after_utc - now > datetime.timedelta(days=RENEW_DAYS)


def ensure(directory: Path, names: Collection[str] = (), *, now: datetime.datetime | None = None) -> TlsFiles:
    """The files under `directory`, made if they are not there.

    The server certificate is for localhost, this host's name and `names` (host names or IP addresses); it is
    made anew when under 30 days are left or it lacks a name. The authority stays as long as it can: agents
    trust it. Raises OSError where the directory cannot be written.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = TlsFiles(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    wanted = {"localhost", "127.0.0.1", "::1", socket.gethostname().lower(), *names}
    authority = _load(files.ca, directory / "ca.key")
    if authority is None or not authority.is_good(now):
        authority = _authority(now)
        _save(authority, files.ca, directory / "ca.key")
    server = _load(files.certificate, files.private_key)
    if server is None or not server.is_good(now) or not _serves(server, wanted, authority):
        _save(_server(wanted, authority, now), files.certificate, files.private_key)
    return files


def _serves(server: _Pair, wanted: set[str], authority: _Pair) -> bool:
    """Whether it has every wanted name, and the authority's signature."""
    found = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    try:
        server.certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # noqa: BLE001 - of several libraries; each means that it is not ours
        return False
    return set(_alternatives(wanted)) <= set(found)


def _authority(now: datetime.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Picket at {socket.gethostname()}")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return _Pair(builder.sign(key, hashes.SHA256()), key)


def _server(names: set[str], authority: _Pair, now: datetime.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        _builder(_name("Picket gateway"), issuer.subject, key, now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(authority_key, critical=False)
    )
    return _Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    """What every certificate has; valid from an hour ago, since clocks of agents differ."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _alternatives(names: set[str]) -> list[x509.GeneralName]:
    return [_alternative(name) for name in sorted(names)]


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _load(certificate: Path, key: Path) -> _Pair | None:
    try:
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        pair = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != pair.public_key():
        return None
    return _Pair(pair, loaded)


def _save(pair: _Pair, certificate: Path, key: Path) -> None:
    secret = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, secret, 0o600)
    _write(certificate, pair.certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by others on the way."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
        opened.write(content)
    part.replace(path)
