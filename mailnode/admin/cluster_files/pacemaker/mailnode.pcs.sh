#!/bin/sh
# The same as cib.xml, for pcs. Run on one node when corosync and pacemaker run on all.
set -e
pcs property set stonith-enabled=true no-quorum-policy=@@no_quorum@@ stonith-timeout=60s
pcs resource defaults update resource-stickiness=@@stickiness@@ failure-timeout=30s migration-threshold=1
@@pcs_lines@@
