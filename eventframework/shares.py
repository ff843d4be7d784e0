"""Which member of a group works which partition: a pure function of who is there, the same for everybody."""

from collections import Counter
from collections.abc import Collection
from hashlib import blake2b


def assign(group: str, members: Collection[str], partitions: int) -> list[str]:
    """The member for each partition; loads differ by one at most. Raises ValueError where there is no member.

    Rendezvous hashing with bounded load: of all pairs of a member and a partition the one that scores highest
    is taken, then the next that neither takes a partition twice nor gives a member more than its share. So
    most partitions stay where they are when a member comes or goes.
    """
    if not members:
        raise ValueError(f"{group}: nobody to work its partitions")
    least, with_one_more = divmod(partitions, len(members))
    owners: dict[int, str] = {}
    loads: Counter[str] = Counter()
    for _, member, partition in sorted(_scores(group, members, partitions), reverse=True):
        may_take = loads[member] < least or (loads[member] == least and with_one_more > 0)
        if partition not in owners and may_take:
            with_one_more -= loads[member] == least
            owners[partition] = member
            loads[member] += 1
    return [owners[partition] for partition in range(partitions)]


def _scores(group: str, members: Collection[str], partitions: int) -> list[tuple[bytes, str, int]]:
    return [
        (blake2b(f"{group} {partition} {member}".encode(), digest_size=8).digest(), member, partition)
        for member in set(members)
        for partition in range(partitions)
    ]
