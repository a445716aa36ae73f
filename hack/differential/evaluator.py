"""An evaluator of L4 policy that shares nothing with the Swift one: written from the policy design's sentences.

It reads the objects as a user writes them (dictionaries in the shape of the manifests) and answers for one
connection: allowed or denied, why, by which policy and rule, what dry-run policies would have changed, and which
AUDIT policies record it. Where it is slow it stays slow: it is meant to be read next to the design.
"""

import datetime
import ipaddress

# Fields that need HTTP, or a proxy that looked into it; the agent at L4 does not.
L7_SOURCE = ("requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks")
L7_OPERATION = ("hosts", "notHosts", "methods", "notMethods", "paths", "notPaths")
L4_KEYS = (
    "source.ip", "source.namespace", "source.principal", "source.serviceAccount",
    "destination.ip", "destination.port",
)
IDENTITY_FIELDS = ("principals", "namespaces", "serviceAccounts")


def string_matches(pattern, text):
    """Exact, prefix `a*`, suffix `*a`, presence `*`. No regular expressions."""
    if pattern == "*":
        return text != ""
    if pattern.startswith("*"):
        return text.endswith(pattern[1:])
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def canonical_address(text):
    """An IPv4 address that is written as IPv6 is the IPv4 address."""
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def canonical_block(text):
    """A block or a single address; a block of mapped addresses is the IPv4 block."""
    base, _, length = text.partition("/")
    address = ipaddress.ip_address(base)
    bits = int(length) if length else address.max_prefixlen
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None and bits >= 96:
        address, bits = mapped, bits - 96
    return ipaddress.ip_network((address, bits), strict=False)


def block_contains(text, address):
    block = canonical_block(text)
    return block.version == address.version and address in block


class Identity:
    """`trust domain / ns / namespace / sa / account`, from a certificate; a plaintext peer has none."""

    def __init__(self, principal):
        self.principal = principal
        parts = principal.split("/")
        self.namespace, self.account = parts[2], parts[4]


class Connection:
    def __init__(self, principal, source, destination, port):
        self.identity = Identity(principal) if principal else None
        self.source = canonical_address(source)
        self.destination = canonical_address(destination)
        self.port = port


def value_matches(field, value, connection, policy_namespace):
    """Whether one positive value of a field holds; the peer has an identity where the field is about it."""
    if field == "principals":
        wanted = value[len("spiffe://"):] if value.startswith("spiffe://") else value
        return string_matches(wanted, connection.identity.principal)
    if field == "namespaces":
        return string_matches(value, connection.identity.namespace)
    if field == "serviceAccounts":
        # Without `/` it is in the policy's namespace.
        wanted = value if "/" in value else policy_namespace + "/" + value
        return string_matches(wanted, connection.identity.namespace + "/" + connection.identity.account)
    if field == "ipBlocks":
        return block_contains(value, connection.source)
    if field == "destinationIps":
        return block_contains(value, connection.destination)
    if field == "ports":
        return int(value) == connection.port
    raise ValueError(field)


def field_matches(field, values, negated, connection, policy):
    """Values OR; a negated field holds if none of them does. Unknown means denied, both ways."""
    if field in IDENTITY_FIELDS and connection.identity is None:
        return negated and policy.action != "ALLOW"
    found = any(value_matches(field, value, connection, policy.namespace) for value in values)
    return found != negated


WHEN_FIELDS = {
    "source.ip": "ipBlocks",
    "source.namespace": "namespaces",
    "source.principal": "principals",
    "source.serviceAccount": "serviceAccounts",
    "destination.ip": "destinationIps",
    "destination.port": "ports",
}


def fields_match(element, names, connection, policy):
    """The fields of one source or operation AND."""
    for name in names:
        if element.get(name) and not field_matches(name, element[name], False, connection, policy):
            return False
        inverse = "not" + name[0].upper() + name[1:]
        if element.get(inverse) and not field_matches(name, element[inverse], True, connection, policy):
            return False
    return True


def condition_matches(condition, connection, policy):
    if condition["key"] not in L4_KEYS:
        return True  # Only reached outside ALLOW: what is not L4 is taken out, and what is left is nothing.
    field = WHEN_FIELDS[condition["key"]]
    if condition.get("values") and not field_matches(field, condition["values"], False, connection, policy):
        return False
    if condition.get("notValues") and not field_matches(field, condition["notValues"], True, connection, policy):
        return False
    return True


def needs_l7(rule):
    for source in rule.get("from") or []:
        if any(source["source"].get(name) for name in L7_SOURCE):
            return True
    for operation in rule.get("to") or []:
        if any(operation["operation"].get(name) for name in L7_OPERATION):
            return True
    return any(condition["key"] not in L4_KEYS for condition in rule.get("when") or [])


def rule_matches(rule, connection, policy):
    """`from`, `to`, `when` AND; the elements of `from` and of `to` OR."""
    if policy.action == "ALLOW" and needs_l7(rule):
        return False
    sources = rule.get("from") or []
    if sources and not any(
        fields_match(s["source"], ("principals", "namespaces", "serviceAccounts", "ipBlocks"), connection, policy)
        for s in sources
    ):
        return False
    operations = rule.get("to") or []
    if operations and not any(fields_match(o["operation"], ("ports",), connection, policy) for o in operations):
        return False
    return all(condition_matches(c, connection, policy) for c in rule.get("when") or [])


class Policy:
    """An AuthorizationPolicy and whom it is about."""

    def __init__(self, manifest, roots):
        metadata, spec = manifest["metadata"], manifest.get("spec") or {}
        self.namespace, self.name = metadata["namespace"], metadata["name"]
        self.action = spec.get("action") or "ALLOW"
        self.rules = spec.get("rules") or []
        self.selector = (spec.get("selector") or {}).get("matchLabels") or {}
        self.is_for_waypoints = bool(spec.get("targetRefs"))
        annotation = (metadata.get("annotations") or {}).get("istio.io/dry-run")
        self.is_dry_run = bool(spec.get("dryRun")) or annotation == "true"
        self.is_root = self.namespace in roots

    @property
    def key(self):
        return self.namespace + "/" + self.name

    @property
    def rank(self):
        """Policies are looked at mesh-wide first, then the namespace's, then those with a selector; by name."""
        scope = 2 if self.selector else 0 if self.is_root else 1
        return (scope, self.namespace, self.name)

    def applies_to(self, pod):
        if self.is_for_waypoints:
            return False
        if not self.is_root and pod["namespace"] != self.namespace:
            return False
        return all(pod["labels"].get(key) == value for key, value in self.selector.items())

    def matching_rule(self, connection):
        for index, rule in enumerate(self.rules):
            if rule_matches(rule, connection, self):
                return index
        return None


class PeerAuthentication:
    def __init__(self, manifest, roots):
        metadata, spec = manifest["metadata"], manifest.get("spec") or {}
        self.namespace, self.name = metadata["namespace"], metadata["name"]
        # The oldest wins; objects without a timestamp are younger than those with one; then namespace/name.
        created = metadata.get("creationTimestamp")
        seconds = datetime.datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp() if created else 0
        self.age = (created is None, seconds, self.namespace, self.name)
        self.mode = (spec.get("mtls") or {}).get("mode") or "UNSET"
        self.selector = (spec.get("selector") or {}).get("matchLabels") or {}
        self.ports = {
            int(port): (value or {}).get("mode") or "UNSET"
            for port, value in (spec.get("portLevelMtls") or {}).items()
        }
        self.is_root = self.namespace in roots

    def selects(self, pod):
        return pod["namespace"] == self.namespace and all(
            pod["labels"].get(key) == value for key, value in self.selector.items()
        )


class World:
    """The objects of one case; policies in one of the `roots` are mesh-wide."""

    def __init__(self, objects, roots):
        self.policies = sorted(
            (Policy(o, roots) for o in objects if o["kind"] == "AuthorizationPolicy"), key=lambda p: p.rank
        )
        self.authentications = sorted(
            (PeerAuthentication(o, roots) for o in objects if o["kind"] == "PeerAuthentication"), key=lambda p: p.age
        )

    def demands_tls(self, pod, port):
        """Workload over namespace over mesh, UNSET asks the next; DISABLE is PERMISSIVE for inbound."""
        levels = []
        own = [a for a in self.authentications if a.selector and a.selects(pod)]
        if own:
            levels += [own[0].ports.get(port, "UNSET"), own[0].mode]
        wide = [a for a in self.authentications if not a.selector]
        for level in (
            [a for a in wide if not a.is_root and a.namespace == pod["namespace"]],
            [a for a in wide if a.is_root],
        ):
            if level:
                levels.append(level[0].mode)
        decided = [mode for mode in levels if mode != "UNSET"]
        return bool(decided) and decided[0] == "STRICT"

    def decide(self, policies, connection):
        """CUSTOM, DENY, ALLOW in that order: (allowed, reason, decider)."""
        for action in ("CUSTOM", "DENY"):
            for policy in policies:
                if policy.action == action:
                    rule = policy.matching_rule(connection)
                    if rule is not None:
                        reason = "POLICY_DENY" if action == "DENY" else "CUSTOM_DENY"
                        return (False, reason, "%s[%d]" % (policy.key, rule))
        allows = [policy for policy in policies if policy.action == "ALLOW"]
        if not allows:
            return (True, "NO_ALLOW_POLICY", "-")
        for policy in allows:
            rule = policy.matching_rule(connection)
            if rule is not None:
                return (True, "ALLOW_MATCH", "%s[%d]" % (policy.key, rule))
        return (False, "NO_ALLOW_MATCH", ",".join(policy.key for policy in allows))

    def evaluate(self, pod, connection):
        """(verdict, reason, decider, dry run, audits): all text."""
        applying = [policy for policy in self.policies if policy.applies_to(pod)]
        audits = [
            policy.key
            for policy in applying
            if policy.action == "AUDIT" and not policy.is_dry_run and policy.matching_rule(connection) is not None
        ]
        allowed, reason, decider = self.decide([p for p in applying if not p.is_dry_run], connection)
        would_be_allowed = self.decide(applying, connection)[0]
        if connection.identity is None and self.demands_tls(pod, connection.port):
            allowed, reason, decider, would_be_allowed = False, "PLAINTEXT_REFUSED", "-", False
        dry_run = "-"
        if allowed != would_be_allowed:
            effect = "would-allow" if would_be_allowed else "would-deny"
            turning = [p.key for p in applying if p.is_dry_run and self.turns(p, applying, connection, effect)]
            dry_run = effect + ":" + ",".join(sorted(turning))
        return ("allow" if allowed else "deny", reason, decider, dry_run, ",".join(audits) or "-")

    @staticmethod
    def turns(policy, applying, connection, effect):
        """Whether a policy in dry run is one that turns the verdict, all of them being in force."""
        matches = policy.matching_rule(connection) is not None
        if effect == "would-allow":
            return policy.action == "ALLOW" and matches
        if policy.action == "ALLOW":
            return not any(p.action == "ALLOW" and p.matching_rule(connection) is not None for p in applying)
        return policy.action in ("CUSTOM", "DENY") and matches
