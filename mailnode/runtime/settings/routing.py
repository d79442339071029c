"""``[routing]``: how addresses become mailboxes."""

from __future__ import annotations

from pydantic import Field

from mailnode.runtime.settings.section import Section


class RoutingSettings(Section):
    """Postfix's settings of the same meaning are named in the descriptions."""

    delimiter: str = Field(
        "+",
        pattern=r"^[^A-Za-z0-9@,\s\"\\.]{0,4}$",
        description="Characters that start an address extension (recipient_delimiter)",
    )
    propagate_extension: bool = Field(
        True, description="Carry the extension over to alias targets (propagate_unmatched...)"
    )
    max_alias_depth: int = Field(
        50, ge=1, le=1000, description="Aliases of aliases (virtual_alias_recursion_limit)"
    )
    max_alias_targets: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Addresses per recipient (virtual_alias_expansion_limit)",
    )
    origin: str = Field("", description="Domain of bare addresses (myorigin); else the host name")
    postmaster: str = Field("", description="Who gets mail for <postmaster> without a domain")
    literals: tuple[str, ...] = Field(
        (), description="Own IP addresses taken as the origin domain, as in user@[192.0.2.1]"
    )
    vacation_domain: str = Field(
        "", description="PostfixAdmin's vacation_domain; known forms are recognised without it"
    )
