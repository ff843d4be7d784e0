"""Distribution metadata of the agent, which is installed on its own."""

from setuptools import setup

setup(
    name="picket-agent",
    version="0.1.0",
    description="Measures a machine and sends what it finds to a Picket gateway",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=["agent", "agent.checks"],
    package_dir={"agent": "."},
    install_requires=["psutil>=5.9"],
    entry_points={"console_scripts": ["picket-agent = agent.cli:main"]},
)
