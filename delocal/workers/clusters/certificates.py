"""Certificates for scheduler, workers and service: one authority that signs for all of them."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROLES = ("scheduler", "worker", "service")
DAYS = 825  # of certificates; the authority lasts ten years
AUTHORITY_DAYS = 3650


def make_certificates(out: Path, days: int = DAYS) -> list[Path]:
    """Write an authority, and for each role a folder with all that it needs; return the folders.

    The authority is not replaced where there is one: made anew, certificates of the same
    authority go together with those made before. Its key, ``ca.key``, is needed for that only.
    """
    out.mkdir(parents=True, exist_ok=True)
    key, authority = _authority(out)
    folders = []
    for role in ROLES:
        folder = out / role
        folder.mkdir(exist_ok=True)
        own = ec.generate_private_key(ec.SECP256R1())
        _write(folder / "ca.crt", _pem(authority))
        _write(folder / "tls.crt", _pem(_certificate(role, own.public_key(), key, authority, days)))
        _write(folder / "tls.key", _private(own), secret=True)
        folders.append(folder)
    return folders


def _authority(out: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_file, file = out / "ca.key", out / "ca.crt"
    if key_file.exists() and file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_file} is not a key that `delocal tls make` wrote")
        return key, x509.load_pem_x509_certificate(file.read_bytes())
    if key_file.exists() or file.exists():
        raise FileExistsError(f"{out} has one of ca.key, ca.crt only; choose an empty folder")
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("delocal authority")
    builder = _builder(name, name, key.public_key(), AUTHORITY_DAYS)
    authority = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _private(key), secret=True)
    _write(file, _pem(authority))
    return key, authority


def _certificate(
    role: str,
    public: ec.EllipticCurvePublicKey,
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    days: int,
) -> x509.Certificate:
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]  # workers are both
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return (
        _builder(_name(f"delocal {role}"), authority.subject, public, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(issued_by, critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(f"delocal-{role}")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(file: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a file; a secret one is for its owner's eyes from the start."""
    file.unlink(missing_ok=True)
    mode = 0o600 if secret else 0o644
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
        opened.write(content)
