#!/bin/sh
# Once, on one node, when DRBD is up and o2cb online on all. ERASES /dev/drbd0.
# -N: nodes that may ever mount it, one more than there are.
exec mkfs.ocfs2 -L mailnode -N 3 -J size=64M -b 4K -C 4K \
  --cluster-stack=o2cb --cluster-name=mailnode "$@" /dev/drbd0
