"""The mesh's CA and the certificates of those that are not meshnode, made with the openssl command."""

from machines import run


class Authority:
    """A root and an issuer below it, P-256, as meshnode's own CA has them."""

    def __init__(self, directory):
        self.directory = directory
        self.make("root", "/O=cluster.local/CN=root", None,
                  "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        self.make("issuer", "/O=cluster.local/CN=issuer", "root",
                  "basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign,cRLSign")

    def path(self, name):
        return f"{self.directory}/{name}"

    def make(self, name, subject, issuer, *extensions):
        key, request, certificate = (self.path(f"{name}.{kind}") for kind in ("key", "csr", "crt"))
        with open(self.path(f"{name}.ext"), "w") as file:
            file.write("subjectKeyIdentifier=hash\n" + "\n".join(extensions) + "\n")
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        run("openssl", "req", "-new", "-key", key, "-subj", subject, "-out", request)
        signer = ["-CA", self.path(f"{issuer}.crt"), "-CAkey", self.path(f"{issuer}.key"), "-CAcreateserial"] \
            if issuer else ["-signkey", key]
        run("openssl", "x509", "-req", "-in", request, *signer, "-days", "2", "-sha256", "-extfile",
            self.path(f"{name}.ext"), "-out", certificate)

    def workload(self, name, namespace):
        """A key, `NAME.key`, and a chain, `NAME.pem`, of a service account."""
        self.make(name, "/", "issuer", f"subjectAltName=critical,URI:spiffe://cluster.local/ns/{namespace}/sa/{name}",
                  "keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth,clientAuth",
                  "basicConstraints=critical,CA:FALSE", "authorityKeyIdentifier=keyid")
        with open(self.path(f"{name}.pem"), "w") as chain:
            for part in (name, "issuer"):
                with open(self.path(f"{part}.crt")) as file:
                    chain.write(file.read())
