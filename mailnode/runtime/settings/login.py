"""``[login]``: guessing is made slow."""

from __future__ import annotations

from pydantic import Field

from mailnode.runtime.settings.section import Section


class LoginSettings(Section):
    """Delays and limits for failed logins; a right password is never delayed by them."""

    default_domain: str = Field("", description="Domain added to a login name without '@'")
    offer_scram: bool = Field(
        False,
        description="Offer SCRAM-SHA-256 and SCRAM-SHA-1. Turn it on once your users have logged "
        "in by password since keys are kept (directory.scram_iterations): clients that see SCRAM "
        "may try nothing else",
    )
    failure_delay_s: float = Field(1.0, ge=0, le=60, description="A refusal comes after so long")
    max_delay_s: float = Field(
        15.0, ge=0, le=120, description="The delay doubles with further failures up to this"
    )
    window_s: float = Field(600.0, gt=0, description="Failures count half after so long")
    block_network_after: int = Field(
        60, ge=1, description="Failures after which a network is refused unseen"
    )
    block_user_after: int = Field(
        30, ge=1, description="Failures after which a user is refused from new networks unseen"
    )
    ipv4_bits: int = Field(32, ge=8, le=32, description="Size of an IPv4 network in this count")
    ipv6_bits: int = Field(64, ge=16, le=128, description="Size of an IPv6 network in this count")
    table_entries: int = Field(10_000, ge=100, description="Networks and users remembered")
    max_waiting: int = Field(
        1000, ge=1, description="Refusals delayed at once; those beyond are answered at once"
    )
