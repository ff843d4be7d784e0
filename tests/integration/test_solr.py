"""Solr as Picket's settings describe it: the core's schema, through pysolr."""

from typing import Any

import pysolr
import pytest


@pytest.fixture
def core(solr_url: str) -> pysolr.Solr:
    """This worker's core, emptied."""
    solr = pysolr.Solr(solr_url, always_commit=True, timeout=10)
    solr.delete(q="*:*")
    return solr


def _ids(core: pysolr.Solr, query: str, **parameters: Any) -> list[str]:
    return sorted(found["id"] for found in core.search(query, **parameters))


def _node(number: int, account: str, name: str, *tags: str) -> dict[str, Any]:
    return {"id": f"n{number:010x}", "account_id": account, "name": name, "tags": tags}


def test_a_written_node_is_found_by_the_beginning_of_a_word_in_its_name_or_tags(core: pysolr.Solr) -> None:
    core.add(
        [_node(1, "a1", "web-one.example.com", "Frontend"), _node(2, "a1", "db-one.example.com", "backend")]
    )

    assert _ids(core, "web") == ["n0000000001"]
    assert _ids(core, "fron") == ["n0000000001"]
    assert _ids(core, "one") == ["n0000000001", "n0000000002"]
    assert _ids(core, "web backend") == []


def test_a_filter_by_account_leaves_out_the_nodes_of_others(core: pysolr.Solr) -> None:
    core.add([_node(1, "a1", "web-one"), _node(2, "a2", "web-two")])

    assert _ids(core, "web", fq="account_id:a2") == ["n0000000002"]


def test_a_field_that_the_schema_does_not_name_can_be_searched_by_its_suffix(core: pysolr.Solr) -> None:
    core.add([_node(1, "a1", "web-one") | {"provider_s": "ec2"}, _node(2, "a1", "web-two")])

    assert _ids(core, "provider_s:ec2") == ["n0000000001"]


def test_a_document_written_again_replaces_the_first(core: pysolr.Solr) -> None:
    core.add([_node(1, "a1", "old")])
    core.add([_node(1, "a1", "new")])

    assert _ids(core, "old") == []
    assert _ids(core, "new") == ["n0000000001"]
