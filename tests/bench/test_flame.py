"""Stacks become a picture that names functions, and nothing of the machine it was made on."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.flame import folded, picture

LOOP = "main (x.py);BaseEventLoop._run_once (asyncio/base_events.py)"
STACKS = f"""\
{LOOP};step (mailnode/intake/session.py);save (/srv/p/lib/a.py) 30
{LOOP};step (mailnode/intake/session.py) 10
Thread._bootstrap (threading.py);Thread.run (threading.py);<lambda> (mailnode/store/accept.py) 60
Thread.run (threading.py);Crew._serve (mailnode/runtime/crew.py) 50
no count here
"""


def test_a_picture_of_stacks() -> None:
    root = folded([STACKS])
    assert root.count == 100
    assert set(root.callees) == {"event loop", "thread"}
    step = root.callees["event loop"].callees["step (mailnode/intake/session.py)"]
    assert (step.count, set(step.callees)) == (40, {"save (a.py)"})
    text = picture(root, "a <load>")
    assert "/srv" not in text
    ElementTree.fromstring(text)
    for label in ("thread, 60.0%", "save (a.py), 30.0%", "a &lt;load&gt;: 100 samples"):
        assert label in text
