"""Django's settings, made from Picket's own: `picket.settings` says where each comes from."""

from pathlib import Path
from urllib.parse import urlsplit

import picket.settings
from webapp import database

_picket = picket.settings.load()
_public = urlsplit(_picket.web.public_url)
_here = Path(__file__).parent
_https = _public.scheme == "https"

DEBUG = False
SECRET_KEY = _picket.secret_key
PUBLIC_URL = _picket.web.public_url.rstrip("/")
ALLOWED_HOSTS = [
    *_picket.web.allowed_hosts,
    *filter(None, [_public.hostname, _picket.web.listen.host]),
    "localhost",
    "127.0.0.1",
    "[::1]",
]
ROOT_URLCONF = "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "webapp.accounts",
    "webapp.nodes",
    "webapp.api",
    "webapp.operations",
    "webapp.dashboard",
    "webapp.leases",
    "webapp.outbox",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "webapp.security.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_here / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.dashboard.account.operator",
            ]
        },
    }
]
DATABASES = {"default": database.entry(_picket.database.url, _picket.home)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"] if _public.netloc else []
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_HTTPONLY = SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "picket_session"
CSRF_COOKIE_NAME = "picket_csrf"
# The web process speaks plain HTTP; where the public address is https, a proxy of ours stands before it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SILENCED_SYSTEM_CHECKS = [
    "security.W005",
    "security.W021",
]  # Other hosts of the domain are not ours to promise.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = _here / "static" / "built"
LOGGING_CONFIG = None
