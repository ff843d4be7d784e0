"""Measures as the result of an agent's check: what its http_json check reads.

`{"state": "ok"|"err", "status": text, "metrics": [{"type", "name", "value"}, …]}`, each name as
`<owner>_<name>`.
"""

from collections.abc import Collection

from statslib.stats import Stats


def check_form(owners: Collection[Stats]) -> dict[str, object]:
    """One check result for all of them; every number in it is finite."""
    problems = [f"{owner.name}: {owner.unready}" for owner in owners if owner.unready]
    return {
        "state": "err" if problems else "ok",
        "status": "; ".join(problems) or f"up: {', '.join(owner.name for owner in owners)}",
        "metrics": [
            {"type": kind, "name": f"{owner.name}_{name}", "value": value}
            for owner in owners
            for name, kind, value in owner.metrics()
        ],
    }
