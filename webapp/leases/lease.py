"""Taking a lease, keeping it, and giving it back.

Only the database's clock counts, so the clocks of those who ask may differ as they like. A holder who asks at
least every third of the lease's length keeps it; one that is gone loses it when the length has passed.

A holder that was held up may work on past the end without knowing it. So what a lease guards must either bear
being done twice, or carry the `epoch`, which grows with each change of holder, and refuse an older one.
"""

from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, F, Func

from webapp.leases.models import Lease


class NowMs(Func):
    """The database's clock: milliseconds since the epoch, in UTC whatever its time zone."""

    arity = 0
    output_field = BigIntegerField()
    template = "(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) * 1000)::bigint"

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:
        """SQLite's, which is this machine's."""
        template = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
        return self.as_sql(compiler, connection, template=template)

    def as_mysql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        """MariaDB's and MySQL's."""
        template = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000)"
        return self.as_sql(compiler, connection, template=template)


def thd_take(name: str, holder: str, length_ms: int) -> int | None:
    """Take the lease or keep it: its epoch, or None while another holder has it.

    To ask for what is held already is one read; once in a third of the length it writes.
    """
    found = _read(name)
    if found.holder == holder and found.left_ms * 3 > length_ms * 2:
        return int(found.epoch)
    until_ms = NowMs() + length_ms
    mine = Lease.objects.filter(name=name, holder=holder)
    free = Lease.objects.filter(name=name, until_ms__lte=NowMs())
    with transaction.atomic():
        kept = mine.update(until_ms=until_ms)
        taken = kept or free.update(holder=holder, until_ms=until_ms, epoch=F("epoch") + 1)
        return mine.get().epoch if taken else None


def thd_give_back(name: str, holder: str) -> None:
    """Let another take it at once; nothing, where it is another's."""
    with transaction.atomic():
        Lease.objects.filter(name=name, holder=holder).update(until_ms=0)


def _read(name: str) -> Any:
    """The lease, with the `left_ms` of it; made, where nobody has asked for it before."""
    leases = Lease.objects.filter(name=name).annotate(left_ms=F("until_ms") - NowMs())
    found = leases.first()
    if found is None:
        Lease.objects.get_or_create(name=name)
        found = leases.get()
    return found
