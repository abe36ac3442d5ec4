# SPDX-License-Identifier: Apache-2.0
"""A test authority and servers' certificates, made by openssl in a directory of the test's."""

import pathlib
import subprocess

NAME = "www.example.test"
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def _openssl(folder: pathlib.Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=30)


def make_authority(folder: pathlib.Path, name: str) -> None:
    """NAME.pem and NAME.key"""
    _openssl(
        folder, "req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2",
        "-subj", f"/CN={name}",
    )


def make_certificate(folder: pathlib.Path, name: str, authority: str, subject: str, days: int = 2) -> None:
    """NAME.pem and NAME.key for `subject`, "DNS:…" or "IP:…"; one of 0 days has expired when a second is over."""
    _openssl(folder, "req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=server")
    (folder / f"{name}.ext").write_text(f"subjectAltName={subject}\n")
    _openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
        "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.pem",
    )


def make_all(folder: pathlib.Path) -> None:
    make_authority(folder, "ca")
    make_authority(folder, "other-ca")
    make_certificate(folder, "good", "ca", f"DNS:{NAME}")
    make_certificate(folder, "expired", "ca", f"DNS:{NAME}", days=0)
    make_certificate(folder, "foreign", "other-ca", f"DNS:{NAME}")
