"""webapp.nodes.enrol and .assignments."""

from typing import Any

from eventframework.catalogue import NodeRegistered
from rpc import idl
from tests.webapp.base import TenantTestCase, outboxed
from webapp.accounts.keys import create_key
from webapp.errors import Refused
from webapp.nodes.assignments import thd_assignments
from webapp.nodes.enrol import Welcome, thd_hello
from webapp.nodes.models import Node


class EnrolTest(TenantTestCase):
    def hello(self, **said: Any) -> Welcome:
        usual: dict[str, Any] = {
            "protocol": 2,
            "version": "1",
            "host": "db1",
            "platform": "Linux",
            "machine": "m1",
        }
        who = {"key": self.key.key, "secret": self.key.secret, "address": "192.0.2.7"}
        return thd_hello(idl.Hello(**(usual | who | said)))

    def refusal(self, **said: Any) -> str:
        with self.assertRaises(Refused) as caught:
            self.hello(**said)
        return caught.exception.code

    def test_the_first_hello_makes_a_node_named_after_its_host(self) -> None:
        welcome = self.hello()
        node = self.account.nodes.get(pk=welcome.node_id)
        self.assertEqual((node.name, node.ip_address, node.agent_platform), ("db1", "192.0.2.7", "Linux"))
        told = NodeRegistered(account_id=self.account.pk, node_id=node.pk, name="db1")
        self.assertEqual(outboxed(), [told])
        self.assertNotEqual(node.secret_hash, welcome.node_secret)

    def test_an_agent_comes_back_to_its_node_by_the_secret_it_was_given(self) -> None:
        first = self.hello()
        again = self.hello(node=first.node_id, node_secret=first.node_secret, host="renamed")
        self.assertEqual((again.node_id, again.node_secret), (first.node_id, ""))
        self.assertEqual(len(outboxed()), 1)
        self.assertEqual(self.account.nodes.get(pk=first.node_id).name, "db1")

    def test_a_machine_without_the_nodes_secret_is_refused(self) -> None:
        first = self.hello()
        for secret in ("", "wrong", None):
            self.assertEqual(self.refusal(node=first.node_id, node_secret=secret), "bad_node_secret")

    def test_a_clone_becomes_a_node_of_its_own(self) -> None:
        first = self.hello()
        clone = self.hello(node=first.node_id, node_secret=first.node_secret, machine="m2")
        self.assertNotEqual(clone.node_id, first.node_id)
        self.assertTrue(clone.node_secret)
        again = self.hello(node=clone.node_id, node_secret=clone.node_secret, machine="m2")
        self.assertEqual(again.node_id, clone.node_id)

    def test_a_hello_whose_answer_was_lost_makes_no_second_node(self) -> None:
        first, second = self.hello(), self.hello()
        self.assertEqual(first.node_id, second.node_id)
        self.assertEqual(len(outboxed()), 1)
        self.assertEqual(self.refusal(node=first.node_id, node_secret=first.node_secret), "bad_node_secret")

    def test_a_node_in_use_is_not_handed_to_whoever_names_its_machine(self) -> None:
        first = self.hello()
        self.hello(node=first.node_id, node_secret=first.node_secret)
        self.assertNotEqual(self.hello().node_id, first.node_id)

    def test_another_accounts_node_is_unknown_here(self) -> None:
        first = self.hello()
        theirs = create_key(self.elsewhere, "theirs")
        moved = self.hello(
            key=theirs.key, secret=theirs.secret, node=first.node_id, node_secret=first.node_secret
        )
        self.assertEqual(moved.account_id, self.elsewhere.pk)
        self.assertNotEqual(moved.node_id, first.node_id)
        self.assertEqual(Node.objects.get(pk=first.node_id).account, self.account)

    def test_a_key_that_may_only_read_enrols_nothing(self) -> None:
        reader = create_key(self.account, "reader", ["read"])
        self.assertEqual(self.refusal(key=reader.key, secret=reader.secret), "no_permission")
        self.assertEqual(self.refusal(secret="ps_wrong"), "bad_key")
        self.assertEqual(self.refusal(machine=""), "bad_hello")
        self.assertEqual(self.account.nodes.count(), 1)

    def test_a_version_1_agent_is_known_by_its_address(self) -> None:
        old = {"protocol": 1, "machine": "", "host": ""}
        first, second = self.hello(**old), self.hello(**old)
        other = self.hello(**old | {"address": "2001:db8::1"})
        self.assertEqual(first.node_id, second.node_id)
        self.assertNotEqual(other.node_id, first.node_id)
        self.assertEqual(self.account.nodes.get(pk=first.node_id).name, "192.0.2.7")

    def test_what_an_agent_says_may_be_long_odd_or_missing(self) -> None:
        said = {"host": "h\0" * 999, "version": None, "platform": "p" * 999, "machine": "m" * 999}
        first = self.hello(**said, address="fe80::1%eth0")
        node = self.account.nodes.get(pk=first.node_id)
        self.assertEqual((node.ip_address, node.host[:3], len(node.machine)), ("fe80::1", "hhh", 255))
        again = self.hello(**said, node=first.node_id, node_secret=first.node_secret)
        self.assertEqual(again.node_id, first.node_id)

    def test_a_node_runs_the_set_of_its_protocol(self) -> None:
        new, old = self.hello(), self.hello(protocol=1, machine="")
        checks = {one.check: one.interval_s for one in thd_assignments(self.account.pk, new.node_id)}
        self.assertEqual(set(checks), {"cpu", "mem", "disk", "net", "io", "loadaverage", "processes"})
        self.assertEqual(set(checks.values()), {10})
        classic = {one.check: one.interval_s for one in thd_assignments(self.account.pk, old.node_id)}
        self.assertEqual(classic, dict.fromkeys(["cpu", "mem", "disk", "net", "loadaverage"], 60))

    def test_another_accounts_assignments_are_unknown(self) -> None:
        with self.assertRaises(Refused):
            thd_assignments(self.account.pk, self.foreign_node.pk)
