"""The authority and its server certificate, down to a real handshake in memory."""

import datetime
import ssl
import stat
from pathlib import Path

import pytest

from picket import tls


def handshake(files: tls.TlsFiles, name: str) -> None:
    """A client that trusts the authority alone meets the server under `name`; raises ssl.SSLError."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(files.certificate, files.private_key)
    trusting = ssl.create_default_context(cafile=str(files.ca))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == "TLSv1.3"


def content(files: tls.TlsFiles) -> list[bytes]:
    return [path.read_bytes() for path in (files.ca, files.certificate, files.private_key)]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "picket.example.org", "192.0.2.7"])
def test_a_client_that_trusts_the_authority_meets_the_server_by_each_name(tmp_path: Path, name: str) -> None:
    handshake(tls.ensure(tmp_path, ["picket.example.org", "192.0.2.7"]), name)


def test_a_name_that_was_not_given_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(tls.ensure(tmp_path), "elsewhere.example.org")


def test_another_authority_is_refused(tmp_path: Path) -> None:
    ours, theirs = tls.ensure(tmp_path / "ours"), tls.ensure(tmp_path / "theirs")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tls.TlsFiles(theirs.ca, ours.certificate, ours.private_key), "localhost")


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    tls.ensure(tmp_path / "tls")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert modes["server.key"] == modes["ca.key"] == 0o600
    assert set(modes) == {"ca.pem", "ca.key", "server.pem", "server.key"}


def test_they_are_made_once(tmp_path: Path) -> None:
    assert content(tls.ensure(tmp_path)) == content(tls.ensure(tmp_path))


def test_the_server_certificate_is_renewed_under_the_same_authority(tmp_path: Path) -> None:
    first = content(tls.ensure(tmp_path))
    today = datetime.datetime.now(datetime.UTC)
    expiry = datetime.timedelta(days=tls.SERVER_DAYS)
    early = tls.ensure(tmp_path, now=today + expiry - datetime.timedelta(days=31))
    assert content(early) == first
    late = tls.ensure(tmp_path, now=today + expiry - datetime.timedelta(days=29))
    assert content(late)[0] == first[0]
    assert content(late)[1] != first[1]


def test_a_new_name_makes_a_new_server_certificate(tmp_path: Path) -> None:
    first = content(tls.ensure(tmp_path))
    assert content(tls.ensure(tmp_path, ["new.example.org"]))[0] == first[0]
    handshake(tls.ensure(tmp_path, ["new.example.org"]), "new.example.org")


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    files = tls.ensure(tmp_path)
    files.certificate.write_text("torn")
    handshake(tls.ensure(tmp_path), "localhost")
