"""TLSA records of certificates (RFC 6698 §2.1)."""

import base64
import hashlib
import ssl

from .processes import run

CERTIFICATE, PUBLIC_KEY = 0, 1
WHOLE, SHA256, SHA512 = 0, 1, 2


def record(certificate_file, usage, selector, matching_type):
    """In a zone file's words, of the first certificate of the file."""
    data = _selected(certificate_file, selector)
    if matching_type == SHA256:
        data = hashlib.sha256(data).digest()
    elif matching_type == SHA512:
        data = hashlib.sha512(data).digest()
    return f"{usage} {selector} {matching_type} {data.hex()}"


def _selected(certificate_file, selector):
    if selector == CERTIFICATE:
        text = run(["openssl", "x509", "-in", certificate_file])
        return ssl.PEM_cert_to_DER_cert(text)
    text = run(["openssl", "x509", "-in", certificate_file, "-noout", "-pubkey"])
    body = [line for line in text.splitlines() if not line.startswith("-----")]
    return base64.b64decode("".join(body))
