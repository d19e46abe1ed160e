"""One mail to many domains through every Postfix of the lab, and what became of it domain by domain."""

from .lab import POSTFIX_INSTANCES
from .testing import Skip, check, check_equal, wait_until


class Mailing:
    def __init__(self, lab, label, domains, instances=tuple(POSTFIX_INSTANCES)):
        """The label keeps this mailing's recipients apart from others'; domains may differ in letter case only."""
        self._lab = lab
        self._label = label
        self._domains = domains
        self._instances = lab.postfix_names(instances)
        if not self._instances:
            raise Skip("no Postfix can be had")

    def recipient(self, instance, domain):
        # Postfix drops a second recipient that differs in letter case only, so such domains get another local part.
        return f"{self._label}-{instance}{'' if domain.islower() else '-upper'}@{domain}"

    def send(self, seconds=120):
        """Queues the mail at every instance and waits until each delivery was tried once."""
        for instance in self._instances:
            self._lab.postfix(instance).send(self._recipients(instance), self._message_id(instance))
        for instance in self._instances:
            self._lab.postfix(instance).wait_until_tried(self._recipients(instance), seconds)

    def retry_until_delivered(self, domains, seconds=90):
        """Has Postfix try what is queued again and again until these domains have their mail."""

        def all_delivered():
            missing = False
            for instance in self._instances:
                if any(
                    not self._lab.sinks.deliveries(self.recipient(instance, domain))
                    for domain in domains
                ):
                    self._lab.postfix(instance).retry_now()
                    missing = True
            return not missing

        wait_until(all_delivered, seconds, "Postfix delivers what was deferred at first", pause=2)

    def must_be_delivered(self, instance, domain, kind):
        """Delivered once, to this kind of host alone; returns what that host saw."""
        postfix, address = self._lab.postfix(instance), self.recipient(instance, domain)
        deliveries = self._lab.sinks.deliveries(address)
        check_equal(
            [entry["kind"] for entry in deliveries],
            [kind],
            f"hosts that took the mail to {address} ({self._last(instance, domain)})",
        )
        check_equal(deliveries[0]["message_id"], self._message_id(instance), "message id")
        check(address not in postfix.queue(), f"{address} is still queued")
        return deliveries[0]

    def must_be_held(self, instance, domain):
        """No host heard of the recipient, and the mail waits; returns the reason Postfix gives."""
        reason = self.must_wait(instance, domain)
        check("configuration problem" not in reason, f"held for another reason: {reason}")
        return reason

    def must_wait(self, instance, domain):
        """As must_be_held(), also when Postfix was answered TEMP, which it calls a configuration problem."""
        address = self._must_be_told_to_nobody(instance, domain)
        queue = self._lab.postfix(instance).queue()
        check(address in queue, f"{address} is not queued: {self._last(instance, domain)}")
        return queue[address] or ""

    def must_be_returned(self, instance, domain):
        """No host heard of the recipient, and Postfix has given up at once."""
        address = self._must_be_told_to_nobody(instance, domain)
        outcomes = self._lab.postfix(instance).outcomes(address)
        check_equal([status for status, _ in outcomes], ["bounced"], f"outcomes of {address}")

    def _must_be_told_to_nobody(self, instance, domain):
        address = self.recipient(instance, domain)
        check_equal(self._lab.sinks.kinds_told(address), set(), f"hosts that heard of {address}")
        return address

    def _recipients(self, instance):
        return [self.recipient(instance, domain) for domain in self._domains]

    def _message_id(self, instance):
        return f"{self._label}-{instance}@lab.test"

    def _last(self, instance, domain):
        outcomes = self._lab.postfix(instance).outcomes(self.recipient(instance, domain))
        return outcomes[-1] if outcomes else "never tried"
