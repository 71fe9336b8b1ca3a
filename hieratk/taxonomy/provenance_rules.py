"""Rules about provenance (P)."""

from __future__ import annotations

import re

from hieratk.diagnostics import Findings
from hieratk.taxonomy.draft import Draft

_SHARE_ALIKE = re.compile(r"-SA\b|\bA?GPL-|\bLGPL-|\bODbL-|\bEUPL-|\bMPL-|\bOSL-")
_NON_COMMERCIAL = re.compile(r"-NC\b")
_TERMS = (("share-alike", _SHARE_ALIKE), ("non-commercial", _NON_COMMERCIAL))
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
    _of_the_base(draft, findings)
    missing = [key for key in ("id", "version", "title") if key not in head.raw and key not in draft.lost]
    if missing:
        words = ", ".join(f"`{key}`" for key in missing)
        findings.add("P005", head.key.span, f"the document does not give its {words}")


def _of_the_base(draft: Draft, findings: Findings) -> None:
    """What the licence of the base asks of whatever grows from it. Nothing is known of a LicenseRef."""
    own, base = draft.head.get("license"), draft.base
    if own is None or base is None or base.license is None or "LicenseRef-" in own:
        return
    for word, terms in _TERMS:
        # Of licences to choose from (OR), the most open one counts.
        if all(terms.search(choice) for choice in base.license.split(" OR ")) and not terms.search(own):
            findings.add(
                "P004",
                draft.head.span("license"),
                f"license `{own}` is more open than `{base.license}` of `{base.id}`, which is {word}",
                help=f"take `{base.license}`: under other terms the classes of the base may not be passed on",
            )
            return
