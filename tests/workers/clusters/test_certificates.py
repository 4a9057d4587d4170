"""Certificates: each role has a folder that is complete, and one authority signs for all."""

import stat

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from delocal.workers.clusters.certificates import ROLES, make_certificates
from delocal.workers.clusters.processes import certificate_files


def load(file):
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_each_role_has_what_it_needs_and_the_authority_signed_it(tmp_path):
    folders = make_certificates(tmp_path)
    assert [folder.name for folder in folders] == list(ROLES)
    for folder in folders:
        authority, certificate, _ = certificate_files(folder)
        verifier = (
            PolicyBuilder()
            .store(Store([load(authority)]))
            .build_server_verifier(x509.DNSName(f"delocal-{folder.name}"))
        )
        assert len(verifier.verify(load(certificate), [])) == 2


def test_keys_are_for_their_owner_only(tmp_path):
    make_certificates(tmp_path)
    keys = list(tmp_path.rglob("*.key"))
    assert len(keys) == 1 + len(ROLES)
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_made_again_certificates_are_new_and_the_authority_stays(tmp_path):
    make_certificates(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.crt")}
    make_certificates(tmp_path, days=10)
    changed = {file.name for file, content in before.items() if file.read_bytes() != content}
    assert changed == {"tls.crt"}


def test_half_an_authority_is_refused(tmp_path):
    make_certificates(tmp_path)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(FileExistsError, match="choose an empty folder"):
        make_certificates(tmp_path)
