"""Random policies and connections, dense enough that every outcome is common."""

ROOTS = ("meshnode-system", "istio-system")
NAMESPACES = ("shop", "pay", "meshnode-system", "istio-system")
DOMAINS = ("cluster.local", "other.org")
ACCOUNTS = ("web", "db", "default")
SOURCES = (
    "10.0.0.1", "10.0.1.7", "192.0.2.9", "::ffff:10.0.0.1", "::ffff:192.0.2.9", "fd00::1", "fd00:1::2", "2001:db8::5",
)
BLOCKS = (
    "10.0.0.0/24", "10.0.0.1", "10.0.0.1/8", "0.0.0.0/0", "::/0", "fd00::/16", "fd00::1", "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.1", "::ffff:0:0/96", "::ffff:10.0.1.0/120", "192.0.2.0/28", "2001:db8::/32", "fd00:1::2/64",
)
PORTS = (80, 8080, 9090)
POD_BLOCKS = ("10.9.0.0/16", "10.9.0.1", "fd09::/16", "::ffff:10.9.0.0/112", "0.0.0.0/0", "fd09::2")
L7_KEYS = (
    "request.headers[x-a]", "request.auth.claims[iss]", "request.auth.principal", "remote.ip", "connection.sni",
    "request.auth.audiences", "request.auth.presenter",
)
TIMES = (None, None, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-01T01:00:00+01:00")


class Generator:
    def __init__(self, random):
        self.random = random

    def chance(self, probability):
        return self.random.random() < probability

    def some(self, make, most=2):
        return [make() for _ in range(self.random.randint(1, most))]

    # Values

    def namespace(self):
        return self.random.choice(NAMESPACES[:3])

    def principal(self):
        return "%s/ns/%s/sa/%s" % (self.random.choice(DOMAINS), self.namespace(), self.random.choice(ACCOUNTS))

    def pattern(self, text):
        form = self.random.randrange(8)
        cut = self.random.randint(1, len(text))
        if form == 0:
            return "*"
        if form in (1, 2):
            return text[:cut] + "*"
        if form in (3, 4):
            return "*" + text[-cut:]
        return text

    def principal_pattern(self):
        return ("spiffe://" if self.chance(0.15) else "") + self.pattern(self.principal())

    def namespace_pattern(self):
        return self.pattern(self.namespace())

    def account(self):
        account = self.random.choice(ACCOUNTS)
        return account if self.chance(0.4) else self.namespace() + "/" + account

    def block(self):
        return self.random.choice(BLOCKS)

    def port(self):
        return str(self.random.choice(PORTS))

    # Rules

    def source(self):
        source = {}
        makers = {
            "principals": self.principal_pattern, "namespaces": self.namespace_pattern,
            "serviceAccounts": self.account, "ipBlocks": self.block,
        }
        for name in self.random.sample(sorted(makers), self.random.choice((1, 1, 1, 2))):
            inverse = "not" + name[0].upper() + name[1:]
            source[inverse if self.chance(0.35) else name] = self.some(makers[name])
        if self.chance(0.06):
            source[self.random.choice(("requestPrincipals", "notRequestPrincipals"))] = ["*"]
        if self.chance(0.04):
            source[self.random.choice(("remoteIpBlocks", "notRemoteIpBlocks"))] = ["1.2.3.4"]
        if self.chance(0.03):
            source = {"requestPrincipals": ["a"]}
        return {"source": source}

    def operation(self):
        if self.chance(0.04):
            return {"operation": {"paths": ["/x"]}}
        operation = {self.random.choice(("ports", "ports", "notPorts")): self.some(self.port)}
        if self.chance(0.08):
            name = self.random.choice(("hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"))
            operation[name] = ["GET"]
        return {"operation": operation}

    def condition(self):
        if self.chance(0.12):
            return {"key": self.random.choice(L7_KEYS), self.random.choice(("values", "notValues")): ["a"]}
        makers = {
            "source.ip": self.block, "source.namespace": self.namespace_pattern,
            "source.principal": self.principal_pattern, "source.serviceAccount": self.account,
            "destination.ip": lambda: self.random.choice(POD_BLOCKS), "destination.port": self.port,
        }
        key = self.random.choice(sorted(makers))
        condition = {"key": key}
        form = self.random.randrange(5)
        if form != 4:
            condition["values" if form < 3 else "notValues"] = self.some(makers[key])
        else:
            condition["values"], condition["notValues"] = self.some(makers[key]), self.some(makers[key])
        return condition

    def rule(self):
        if self.chance(0.12):
            return {}
        rule = {}
        if self.chance(0.7):
            rule["from"] = self.some(self.source)
        if self.chance(0.35):
            rule["to"] = self.some(self.operation)
        if self.chance(0.3):
            rule["when"] = self.some(self.condition)
        return rule

    # Objects

    def scope(self):
        return self.random.choice(("shop", "shop", "shop", "pay", "meshnode-system", "istio-system"))

    def metadata(self, name, index):
        metadata = {"name": "%s%d" % (name, index), "namespace": self.scope()}
        created = self.random.choice(TIMES)
        if created:
            metadata["creationTimestamp"] = created
        return metadata

    def selector(self):
        return {"matchLabels": {"app": self.random.choice("ab")}}

    def policy(self, index):
        metadata, spec = self.metadata("p", index), {}
        action = self.random.choices(("ALLOW", "DENY", "AUDIT", "CUSTOM", None), (40, 25, 12, 7, 10))[0]
        if action:
            spec["action"] = action
        if not self.chance(0.08):
            spec["rules"] = [self.rule() for _ in range(self.random.choice((1, 1, 2, 3)))]
        if self.chance(0.3):
            spec["selector"] = self.selector()
        elif self.chance(0.04):
            spec["targetRefs"] = [{"kind": "Service", "name": "api"}]
        if self.chance(0.12):
            spec["dryRun"] = True
        elif self.chance(0.08):
            metadata["annotations"] = {"istio.io/dry-run": self.random.choice(("true", "true", "false"))}
        group = self.random.choice(("security.istio.io/v1", "meshnode.dev/v1"))
        return {"apiVersion": group, "kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec}

    def mode(self):
        return {"mode": self.random.choice(("STRICT", "STRICT", "PERMISSIVE", "DISABLE", "UNSET"))}

    def authentication(self, index):
        metadata, spec = self.metadata("a", index), {}
        if self.chance(0.8):
            spec["mtls"] = self.mode()
        if self.chance(0.5):
            spec["selector"] = self.selector()
            if self.chance(0.6):
                spec["portLevelMtls"] = {port: self.mode() for port in self.some(self.port)}
        return {
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": metadata, "spec": spec,
        }

    def pod(self, index):
        labels = {"app": self.random.choice("ab")} if self.chance(0.85) else {}
        namespace = self.random.choice(("shop", "shop", "shop", "pay", "istio-system"))
        addresses = ["10.9.0.%d" % (index + 1), "fd09::%d" % (index + 1)]
        return {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "w%d" % index, "namespace": namespace, "labels": labels},
            "status": {"podIPs": [{"ip": address} for address in addresses]},
        }

    def connection(self, pods):
        pod = self.random.choice(pods)
        address = self.random.choice(pod["status"]["podIPs"])["ip"]
        if "." in address and self.chance(0.2):
            address = "::ffff:" + address
        return (
            "%s/%s" % (pod["metadata"]["namespace"], pod["metadata"]["name"]),
            None if self.chance(0.25) else self.principal(), self.random.choice(SOURCES), address,
            self.random.choice(PORTS),
        )

    def world(self, connections):
        pods = [self.pod(index) for index in range(self.random.randint(1, 3))]
        objects = [self.policy(index) for index in range(self.random.choice((0, 1, 1, 2, 2, 3, 4, 5)))]
        objects += [self.authentication(index) for index in range(self.random.choice((0, 0, 0, 1, 1, 2, 3)))]
        self.random.shuffle(objects)
        return pods + objects, [self.connection(pods) for _ in range(connections)]
