"""SASL exchanges (RFC 4422, 4616) without I/O: the same for SMTP, IMAP and POP3.

``Dialog`` wraps a mechanism in base64 lines, limits and ``*``; ``directory.exchange`` answers
what its steps ask for, and the doors only carry its lines::

    dialog = open_dialog("PLAIN", offered)   # None: not offered
    step = dialog.begin(initial_or_none)     # Challenge | Credentials | SaslFailure ...
    step = dialog.answer(line)               # after a Challenge
    step = dialog.keys(keys)                 # after KeysWanted (SCRAM); Proof is its end
    step = dialog.refuse(status, ...)        # after a Token that is not good; Heard is its end
"""

from mailnode.wire.sasl.dialog import PASSWORDS as PASSWORDS
from mailnode.wire.sasl.dialog import SCRAMS as SCRAMS
from mailnode.wire.sasl.dialog import SCRAMS_PLUS as SCRAMS_PLUS
from mailnode.wire.sasl.dialog import TOKENS as TOKENS
from mailnode.wire.sasl.dialog import Dialog as Dialog
from mailnode.wire.sasl.dialog import challenge_line as challenge_line
from mailnode.wire.sasl.dialog import open_dialog as open_dialog
from mailnode.wire.sasl.steps import Certified as Certified
from mailnode.wire.sasl.steps import Challenge as Challenge
from mailnode.wire.sasl.steps import Credentials as Credentials
from mailnode.wire.sasl.steps import Exchange as Exchange
from mailnode.wire.sasl.steps import Heard as Heard
from mailnode.wire.sasl.steps import KeysWanted as KeysWanted
from mailnode.wire.sasl.steps import Proof as Proof
from mailnode.wire.sasl.steps import SaslFailure as SaslFailure
from mailnode.wire.sasl.steps import SaslFault as SaslFault
from mailnode.wire.sasl.steps import Step as Step
from mailnode.wire.sasl.steps import Token as Token
