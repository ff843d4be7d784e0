"""webapp.settings, .security and .health."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from django.conf import settings
from django.db import OperationalError, connection
from django.test import TestCase

from webapp.security import POLICY

CHECKOUT = Path(__file__).parents[2]


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Django's with the product's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PICKET_")}
    given = {
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "PYTHONPATH": str(CHECKOUT),
        "PICKET_SECRET_KEY": "0aZ-q" * 12,
    }
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=kept | given | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_public_set_up_passes_djangos_check_for_deployment() -> None:
    run = manage(
        "check", "--deploy", "--fail-level", "WARNING", PICKET_WEB__PUBLIC_URL="https://picket.example.com"
    )
    assert run.returncode == 0, run.stderr


def test_debug_is_off_whatever_the_environment_says() -> None:
    run = manage(
        "shell", "-c", "from django.conf import settings; print(settings.DEBUG)", DEBUG="1", DJANGO_DEBUG="1"
    )
    assert run.stdout.split()[-1] == "False", run.stderr


def test_the_sqlite_file_is_in_wal_mode_and_outlives_its_process(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert manage("migrate", "-v0", PICKET_HOME=home).returncode == 0
    ask = "from django.db import connection as c; print(c.cursor().execute('PRAGMA journal_mode').fetchone())"
    run = manage("shell", "-c", ask, PICKET_HOME=home)
    assert "('wal',)" in run.stdout, run.stderr
    assert (tmp_path / "picket.db").is_file()


class AnswersTest(TestCase):
    def test_every_answer_carries_the_content_security_policy(self) -> None:
        for path in ("/healthz", "/2.0/nodes", "/no/such/page"):
            self.assertEqual(self.client.get(path).headers["Content-Security-Policy"], POLICY)
        self.assertNotIn("unsafe", POLICY)

    def test_another_host_name_is_refused(self) -> None:
        self.assertEqual(self.client.get("/healthz", headers={"Host": "localhost"}).status_code, 200)
        self.assertEqual(self.client.get("/2.0/nodes", headers={"Host": "evil.example.com"}).status_code, 400)

    def test_the_process_is_ready_while_its_database_answers(self) -> None:
        self.assertEqual(self.client.get("/readyz").status_code, 200)
        with patch.object(connection, "cursor", side_effect=OperationalError):
            self.assertEqual(self.client.get("/readyz").status_code, 503)
            self.assertEqual(self.client.get("/healthz").status_code, 200)

    def test_passwords_are_hashed_by_argon2(self) -> None:
        self.assertEqual(settings.PASSWORD_HASHERS, ["django.contrib.auth.hashers.Argon2PasswordHasher"])
