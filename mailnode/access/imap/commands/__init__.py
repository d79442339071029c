"""Every command by its name, from one table per family."""

from mailnode.access.imap.commands import (
    anystate,
    append,
    changing,
    compress,
    fetching,
    idle,
    listing,
    login,
    mailboxes,
    metadata,
    notify,
    quota,
    replacing,
    searching,
    selecting,
    sorting,
)

VERBS = {
    **anystate.VERBS,
    **login.VERBS,
    **mailboxes.VERBS,
    **metadata.VERBS,
    **notify.VERBS,
    **listing.VERBS,
    **append.VERBS,
    **idle.VERBS,
    **selecting.VERBS,
    **changing.VERBS,
    **fetching.VERBS,
    **searching.VERBS,
    **sorting.VERBS,
    **quota.VERBS,
    **replacing.VERBS,
    **compress.VERBS,
}
