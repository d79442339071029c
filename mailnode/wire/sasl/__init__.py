"""SASL exchanges (RFC 4422, 4616) without I/O: the same for SMTP, IMAP and POP3.

``Dialog`` wraps a mechanism in base64 lines, limits and ``*``; the doors only carry its lines::

    dialog = open_dialog("PLAIN")            # None: no such mechanism
    step = dialog.begin(initial_or_none)     # Challenge | Credentials | SaslFailure ...
    step = dialog.answer(line)               # after a Challenge
    step = dialog.keys(keys)                 # after KeysWanted (SCRAM); Proof is its end
"""

from mailnode.wire.sasl.dialog import Dialog as Dialog
from mailnode.wire.sasl.dialog import open_dialog as open_dialog
from mailnode.wire.sasl.mechanisms import MECHANISMS as MECHANISMS
from mailnode.wire.sasl.mechanisms import Challenge as Challenge
from mailnode.wire.sasl.mechanisms import Credentials as Credentials
from mailnode.wire.sasl.mechanisms import Exchange as Exchange
from mailnode.wire.sasl.mechanisms import KeysWanted as KeysWanted
from mailnode.wire.sasl.mechanisms import Proof as Proof
from mailnode.wire.sasl.mechanisms import SaslFailure as SaslFailure
from mailnode.wire.sasl.mechanisms import SaslFault as SaslFault
from mailnode.wire.sasl.mechanisms import Step as Step
from mailnode.wire.sasl.mechanisms import server as server
