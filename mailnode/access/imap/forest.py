"""The trees of THREAD=REFERENCES and THREAD=REFS, out of messages given one by one.

Promises: no recursion, whatever the depth; a message stands once; memory is some hundred bytes a
message and identifier. A chain of parents is followed ``MAX_CLIMB`` steps when a link could close
a loop; beyond that the link is not made.
RFC: 5256 3 (REFERENCES); draft-ietf-morg-inthread (REFS).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_CLIMB = 2000
NOBODY = -1

# Sorts siblings: time, then the message's place in the folder.
Place = tuple[float, int]


@dataclass(slots=True, eq=False)
class Node:
    """A message, or with ``row`` ``NOBODY`` one that others only refer to."""

    row: int = NOBODY
    at: float = 0.0  # when it was sent
    arrived: float = 0.0
    subject: str = ""
    reply: bool = False
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    place: Place = (0.0, 0)

    @property
    def is_dummy(self) -> bool:
        """No message of this folder, but parent of some."""
        return self.row == NOBODY


class Forest:
    """Collects messages by ``add``; ``grown`` gives the trees."""

    def __init__(self) -> None:
        self._known: dict[str, Node] = {}
        self._nodes: list[Node] = []
        self._parents: set[int] = set()  # ids of nodes that something hangs on

    def add(
        self,
        row: int,
        message_id: str,
        references: Iterable[str],
        at: float,
        subject: str = "",
        reply: bool = False,
        arrived: float = 0.0,
    ) -> None:
        """Take in one message; in the order of their numbers. ``at``: when it was sent."""
        node = self._known.get(message_id) if message_id else None
        # RFC 5256 3 (1): a second message of the same name, or one without, is one of its own.
        if node is None or not node.is_dummy:
            fresh = self._new()
            if message_id and node is None:
                self._known[message_id] = fresh
            node = fresh
        node.row, node.at, node.subject, node.reply = row, at, subject, reply
        node.arrived = arrived
        last: Node | None = None
        for name in references:
            named = self._named(name)
            # RFC 5256 3 (1A): a link that is there already stays.
            if last is not None and named.parent is None:
                self._link(last, named)
            last = named
        # RFC 5256 3 (1B): a message's own header knows best who its parent is.
        node.parent = None
        if last is not None:
            self._link(last, node)

    def _new(self) -> Node:
        self._nodes.append(Node())
        return self._nodes[-1]

    def _named(self, name: str) -> Node:
        node = self._known.get(name)
        if node is None:
            node = self._known[name] = self._new()
        return node

    def _link(self, parent: Node, child: Node) -> None:
        if parent is child or (id(child) in self._parents and _descends(parent, child)):
            return
        child.parent = parent
        self._parents.add(id(parent))

    def grown(self, *, by_subject: bool) -> list[Node]:
        """The trees, sorted; ``by_subject``: threads of one subject are joined (REFERENCES),
        otherwise those with the message that arrived last come last (REFS)."""
        root = Node()
        for node in self._nodes:
            (node.parent or root).children.append(node)
        order = _top_down(root)
        for node in reversed(order):
            _prune(node, keep_dummies=node is root)
            node.place = _sorted_place(node)
        if by_subject:
            _join_subjects(root)
        else:
            # draft-ietf-morg-inthread 4: by arrival, but within a thread by the date of sending.
            newest = _newest(root)
            root.children.sort(key=lambda node: (newest[id(node)], node.place[1]))
        return root.children


def _descends(node: Node, ancestor: Node) -> bool:
    """Whether ``ancestor`` is above ``node``, or may be: too far to tell."""
    at: Node | None = node
    for _ in range(MAX_CLIMB):
        if at is None:
            return False
        if at is ancestor:
            return True
        at = at.parent
    return True


def _top_down(root: Node) -> list[Node]:
    """Every node below ``root``, parents before their children."""
    order = [root]
    for node in order:
        order += node.children
    return order


def _prune(node: Node, *, keep_dummies: bool) -> None:
    """RFC 5256 3 (3): dummies without children go, others give way to their children; at the top
    only to a single one."""
    kept: list[Node] = []
    for child in node.children:
        if child.is_dummy and (len(child.children) < 2 or not keep_dummies):
            kept += child.children
        else:
            kept.append(child)
    node.children = kept


def _sorted_place(node: Node) -> Place:
    """RFC 5256 3 (4), (6): sort the children; a dummy stands where its first child does."""
    node.children.sort(key=lambda child: child.place)
    if node.is_dummy:
        return node.children[0].place if node.children else (0.0, 0)
    return node.at, node.row


def _newest(root: Node) -> dict[int, float]:
    found: dict[int, float] = {}
    for node in reversed(_top_down(root)):
        own = float("-inf") if node.is_dummy else node.arrived
        found[id(node)] = max([own, *(found[id(child)] for child in node.children)])
    return found


# ---------------------------------------------------------------------- subjects


def _join_subjects(root: Node) -> None:
    """RFC 5256 3 (5), and (6) for those that were joined."""
    table = _subject_table(root.children)
    kept: list[Node] = []
    touched: dict[int, Node] = {}
    taken_in = set[int]()
    for node in root.children:
        subject = _thread_subject(node)
        other = table.get(subject) if subject else None
        if other is None or other is node:
            kept.append(node)
            continue
        joined = _join(other, node)
        touched[id(joined)] = joined
        if joined is not other:
            # RFC 5256 3 (5Civ): a new dummy stands in the table for both.
            table[subject] = joined
            kept.append(joined)
            taken_in.add(id(other))
    for node in touched.values():
        node.place = _sorted_place(node)
    root.children = [node for node in kept if id(node) not in taken_in]
    root.children.sort(key=lambda node: node.place)


def _thread_subject(node: Node) -> str:
    # RFC 5256 3 (5Bi): a dummy's subject is that of its first child.
    return node.children[0].subject if node.is_dummy else node.subject


def _is_reply(node: Node) -> bool:
    return node.children[0].reply if node.is_dummy else node.reply


def _subject_table(roots: list[Node]) -> dict[str, Node]:
    table: dict[str, Node] = {}
    for node in roots:
        subject = _thread_subject(node)
        if not subject:
            continue
        there = table.get(subject)
        # RFC 5256 3 (5Biv): dummies first, then what is no reply.
        if there is None or (
            not there.is_dummy and (node.is_dummy or (_is_reply(there) and not _is_reply(node)))
        ):
            table[subject] = node
    return table


def _join(there: Node, node: Node) -> Node:
    """RFC 5256 3 (5Civ): ``node`` into the thread of ``there``; what stands for both then."""
    if there.is_dummy:
        there.children += node.children if node.is_dummy else [node]
        return there
    if not node.is_dummy and _is_reply(node) and not _is_reply(there):
        there.children.append(node)
        return there
    return Node(children=[there, node])
