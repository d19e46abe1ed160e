"""Certificates for the lab, made with openssl: a test CA, a foreign CA, and leaves good and bad.

All leaves share one key; making a leaf costs one run of openssl. A chain file holds leaf and key together.
"""

from .processes import run

GOOD = "good"
EXPIRED = "expired"
FOREIGN_CA = "foreign-ca"
SELF_SIGNED = "self-signed"
OTHER_NAME = "other-name"
CN_ONLY = "cn-only"
# By the foreign CA as well, but the chain brings that CA along, as usage 2 of DANE wants it (RFC 7672 §3.1.2).
WITH_CA = "with-ca"
KINDS = (GOOD, EXPIRED, FOREIGN_CA, SELF_SIGNED, OTHER_NAME, CN_ONLY, WITH_CA)


class Certificates:
    """Leaves live at FOLDER/KIND/NAME.pem, a name for every kind it was asked for."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        for kind in KINDS:
            (folder / kind).mkdir()
        self.ca_file = folder / "ca.pem"
        self.foreign_ca_file = folder / "foreign.pem"
        self._key = folder / "leaf.key"
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self._key])
        for name, subject in (("ca", "Lab CA"), ("foreign", "Foreign CA")):
            run(
                [
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-nodes",
                    "-days",
                    "30",
                    "-subj",
                    f"/CN={subject}",
                    "-keyout",
                    folder / f"{name}.key",
                    "-out",
                    folder / f"{name}.pem",
                ]
            )

    def chain_file(self, name, kind=GOOD, more_names=()):
        """A chain and key for this host name, with the fault of its kind."""
        target = self.folder / kind / f"{name}.pem"
        if not target.exists():
            self._issue(target, name, kind, more_names)
        return target

    def link(self, name, chain_file):
        """Uses an existing chain, which names this host too, for one more host name."""
        (self.folder / GOOD / f"{name}.pem").symlink_to(chain_file)

    def _issue(self, target, name, kind, more_names):
        certified = "somewhere-else.test" if kind == OTHER_NAME else name
        extensions = self.folder / "extensions"
        names = ",".join(f"DNS:{each}" for each in (certified, *more_names))
        extensions.write_text(
            "basicConstraints=CA:FALSE\n" if kind == CN_ONLY else f"subjectAltName={names}\n",
            encoding="ascii",
        )
        request = self.folder / "request"
        run(
            [
                "openssl",
                "req",
                "-new",
                "-key",
                self._key,
                "-subj",
                f"/CN={certified[:64]}",
                "-out",
                request,
            ]
        )
        authority = "foreign" if kind in (FOREIGN_CA, WITH_CA) else "ca"
        signer = (
            ["-signkey", self._key]
            if kind == SELF_SIGNED
            else [
                "-CA",
                self.folder / f"{authority}.pem",
                "-CAkey",
                self.folder / f"{authority}.key",
                "-CAcreateserial",
            ]
        )
        days = "-1" if kind == EXPIRED else "30"
        certificate = run(
            [
                "openssl",
                "x509",
                "-req",
                "-in",
                request,
                "-days",
                days,
                "-extfile",
                extensions,
                "-out",
                target,
            ]
            + signer
        ) and target.read_text(encoding="ascii")
        parts = [certificate, self._key.read_text(encoding="ascii")]
        if kind == WITH_CA:
            parts.append(self.foreign_ca_file.read_text(encoding="ascii"))
        target.write_text("".join(parts), encoding="ascii")
        target.chmod(0o644)
