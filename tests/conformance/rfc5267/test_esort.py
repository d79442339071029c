"""RFC 5267 3: ESORT."""

from tests.support.imap_server import ImapServer, message


def test_sort_with_return(imap: ImapServer) -> None:
    imap.deliver(*(message(n, "x" * size) for n, size in enumerate((30, 10, 20, 5, 6, 7), 1)))
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a SORT RETURN () (SIZE) UTF-8 ALL
        S~ \* ESEARCH \(TAG "a"\) ALL 4:6,2:3,1$
        S: a OK
        C: b UID SORT RETURN (COUNT ALL) (REVERSE SIZE) UTF-8 1:3
        S~ \* ESEARCH \(TAG "b"\) UID COUNT 3 ALL 1,3,2$
        S: b OK
        C: c SORT RETURN (MIN MAX) (SIZE) UTF-8 2:5
        S~ \* ESEARCH \(TAG "c"\) MIN 4 MAX 3$
        S: c OK
        C: c1 UID SORT RETURN (MIN SAVE) (REVERSE SIZE) UTF-8 2:5
        S~ \* ESEARCH \(TAG "c1"\) UID MIN 3$
        S: c1 OK
        C: c2 SEARCH RETURN (ALL) $
        S~ \* ESEARCH \(TAG "c2"\) ALL 3$
        S: c2 OK
        C: d SORT RETURN (SAVE) (SIZE) UTF-8 LARGER 1 SMALLER 100
        S: d OK
        C: e SORT RETURN (ALL SAVE) (SIZE) UTF-8 1:2
        S: * ESEARCH (TAG "e") ALL 2,1
        S: e OK
        C: f FETCH $ UID
        S: * 1 FETCH (UID 1)
        S: * 2 FETCH (UID 2)
        S: f OK
        C: g SORT RETURN (COUNT) (SIZE) UTF-8 FROM nobody
        S~ \* ESEARCH \(TAG "g"\) COUNT 0$
        S: g OK
        C: h SORT RETURN (ALL) (SIZE) UTF-8 FROM nobody
        S~ \* ESEARCH \(TAG "h"\)$
        S: h OK
        C: i SORT RETURN (NONSENSE) (SIZE) UTF-8 ALL
        S: i BAD
        """
    )
