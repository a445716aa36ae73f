"""Signs an X509-SVID with the issuer of the mesh's own CA, for a peer that is no agent of ours.

usage: issue.py CA-DIRECTORY IDENTITY DIRECTORY [--expired | --stranger]

CA-DIRECTORY is where `meshnode agent` keeps its authority. Writes chain.pem (leaf first), key.pem and root.pem into
DIRECTORY. With --expired the certificate ended an hour ago; with --stranger it is signed by an authority that was made
for the purpose and that nobody knows.
"""

import argparse
import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR = datetime.timedelta(hours=1)


def read_authority(directory):
    """The certificate and key that the newest generation signs with, and the roots that peers are checked against."""
    numbers = [int(name.removeprefix("authority-")) for name in os.listdir(directory) if name.startswith("authority-")]
    generation = f"{directory}/authority-{max(numbers)}"
    read = lambda name: open(f"{generation}/{name}", "rb").read()
    key = serialization.load_pem_private_key(read("ca-key.pem"), password=None)
    return x509.load_pem_x509_certificate(read("ca-cert.pem")), key, read("root-cert.pem")


def make_stranger(now):
    """The issuer of another mesh, which has the same name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cluster.local")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - HOUR).not_valid_after(now + 24 * HOUR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256()))
    return certificate, key


def sign(identity, public_key, issuer, issuer_key, begin, end):
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usages = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False)
    return (
        x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(issuer.subject).public_key(public_key)
        .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usages, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(issuer_key, hashes.SHA256()))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("authority")
    parser.add_argument("identity")
    parser.add_argument("directory")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--expired", action="store_true")
    kind.add_argument("--stranger", action="store_true")
    options = parser.parse_args()
    now = datetime.datetime.utcnow().replace(microsecond=0)
    issuer, issuer_key, roots = read_authority(options.authority)
    if options.stranger:
        issuer, issuer_key = make_stranger(now)
    begin, end = (now - 2 * HOUR, now - HOUR) if options.expired else (now - HOUR, now + 24 * HOUR)
    # An issuer that was made a moment ago signs nothing that is older.
    begin = begin if options.expired else max(begin, issuer.not_valid_before)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = sign(options.identity, key.public_key(), issuer, issuer_key, begin, end)
    os.makedirs(options.directory, exist_ok=True)
    pem = serialization.Encoding.PEM
    files = {
        "chain.pem": leaf.public_bytes(pem) + issuer.public_bytes(pem),
        "key.pem": key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        "root.pem": roots,
    }
    for name, content in files.items():
        descriptor = os.open(f"{options.directory}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)


main()
