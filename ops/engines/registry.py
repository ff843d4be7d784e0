"""Every engine by name."""

from ops.engines.cassandra import Cassandra
from ops.engines.engine import Engine
from ops.engines.mariadb import MariaDB
from ops.engines.postgresql import PostgreSQL
from ops.engines.rabbitmq import RabbitMQ
from ops.engines.solr import Solr

# The slowest to start come first, so that starting them all takes no longer than the slowest.
ENGINES: dict[str, type[Engine]] = {
    "cassandra": Cassandra,
    "rabbitmq": RabbitMQ,
    "solr": Solr,
    "mariadb": MariaDB,
    "postgresql": PostgreSQL,
}
