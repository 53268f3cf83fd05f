"""XML signatures: put one on a document, and tell whether one that came with a document is good.

Accepted are RSA and ECDSA with SHA-256 or better, over the whole document, by the very certificate that was entrusted
to the hub beforehand. A certificate that only comes inside the document proves nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import InvalidCertificate, InvalidDigest, InvalidInput, InvalidSignature, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from broadcasts.cap.opening import SIGNATURE_NS
from broadcasts.cap.tree import local

KEY_BITS = 3072
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


class Signed(StrEnum):
    """What is known about a document's signature."""

    NONE = "none"
    UNKNOWN = "unknown"
    """There is one, and no certificate to check it by. The standard forbids to refuse a document for that alone."""
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, repr=False)
class SigningKey:
    """The hub's own key and certificate, as PEM. Never printed."""

    private_pem: bytes
    certificate_pem: bytes


def new_key(name: str, *, now: datetime, until: datetime) -> SigningKey:
    """Make an RSA key and a certificate that it signs itself."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=True,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(private, hashes.SHA256())
    )
    return SigningKey(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


def sign(root: etree._Element, key: SigningKey) -> etree._Element:
    """Return the document with an enveloped signature as its last element."""
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signer.namespaces = {None: SIGNATURE_NS}  # type: ignore[dict-item]
    return signer.sign(root, key=key.private_pem, cert=key.certificate_pem.decode("ascii"))


def signatures_in(root: etree._Element) -> list[etree._Element]:
    """Return the signatures a document carries."""
    return list(root.iterchildren(f"{{{SIGNATURE_NS}}}Signature"))


class _Verifier(XMLVerifier):
    """signxml, and right where a default namespace is declared twice: by the document and again by its signature.

    libxml2 copies both to a part that is canonicalised by itself, and the wrong one wins. Exclusive canonicalisation
    that is told to keep every prefix in scope comes to the same and is right.
    """

    def _c14n(
        self, nodes: Any, algorithm: CanonicalizationMethod, inclusive_ns_prefixes: list[str] | None = None
    ) -> bytes:
        plain = algorithm in (CanonicalizationMethod.CANONICAL_XML_1_0, CanonicalizationMethod.CANONICAL_XML_1_1)
        if plain and isinstance(nodes, etree._Element) and local(nodes) == "SignedInfo":
            prefixes = [prefix for prefix in nodes.nsmap if prefix]
            return bytes(etree.tostring(nodes, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes))
        return bytes(super()._c14n(nodes, algorithm, inclusive_ns_prefixes=inclusive_ns_prefixes))


def verify(root: etree._Element, certificate_pem: str, *, now: datetime) -> Signed:
    """Return whether the document is signed by the owner of a certificate, as a whole and in this very form."""
    found = signatures_in(root)
    if not found:
        return Signed.NONE
    if not certificate_pem:
        return Signed.UNKNOWN
    config = SignatureConfiguration(
        require_x509=True,
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
    )
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        if not certificate.not_valid_before_utc <= now.astimezone(UTC) <= certificate.not_valid_after_utc:
            return Signed.BAD
        result = _Verifier().verify(root, x509_cert=certificate, expect_config=config)
    except (InvalidSignature, InvalidDigest, InvalidCertificate, InvalidInput, SignXMLException):
        return Signed.BAD
    except (ValueError, TypeError, KeyError, LookupError, UnsupportedAlgorithm, etree.LxmlError):
        return Signed.BAD  # nonsense where a signature should be
    covered = (result[0] if isinstance(result, list) else result).signed_xml
    return Signed.GOOD if covered is not None and _is_all_of(covered, root) else Signed.BAD


def _is_all_of(covered: etree._Element, root: etree._Element) -> bool:
    """Return whether what the signature covers is this document, and not another one that was wrapped into it."""
    if local(covered) != "alert":
        return False
    return bare(root) == bare(covered)


def bare(tree: etree._Element) -> bytes:
    """Return a document as its signature sees it: without comments and without the signature."""
    copy = etree.fromstring(etree.tostring(tree, with_tail=False))
    for item in signatures_in(copy):
        _take_out(item)
    return bytes(etree.tostring(copy, method="c14n", with_comments=False))


def _take_out(item: etree._Element) -> None:
    """Remove an element and keep the white space after it, as the signature's transform does."""
    above, before = item.getparent(), item.getprevious()
    if above is None:
        return
    if item.tail and before is not None:
        before.tail = (before.tail or "") + item.tail
    elif item.tail:
        above.text = (above.text or "") + item.tail
    above.remove(item)


def certificate_name(pem: str) -> str:
    """Return what a certificate is called. ValueError when it is none."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()
