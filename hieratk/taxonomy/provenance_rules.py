"""Rules about provenance (P)."""

from __future__ import annotations

import re

from hieratk.diagnostics import Findings
from hieratk.taxonomy.draft import Draft

_SPDX = r"\(?[A-Za-z0-9][A-Za-z0-9.-]*\+?\)?( (AND|OR|WITH) \(?[A-Za-z0-9][A-Za-z0-9.-]*\+?\)?)*"


def check(draft: Draft, findings: Findings) -> None:
    """Apply the family P."""
    head = draft.head
    for code, key in (("P001", "license"), ("P002", "source")):
        if key not in head.raw and key not in draft.lost:
            findings.add(code, head.key.span, f"the document names no `{key}`")
    license_ = head.get("license")
    if license_ is not None and not re.fullmatch(_SPDX, license_):
        findings.add(
            "P003",
            head.span("license"),
            f"license `{license_}` is not written like an SPDX identifier",
            help="such as CC-BY-4.0, or LicenseRef- and a word of your own",
        )
    missing = [key for key in ("id", "version", "title") if key not in head.raw and key not in draft.lost]
    if missing:
        words = ", ".join(f"`{key}`" for key in missing)
        findings.add("P005", head.key.span, f"the document does not give its {words}")
