#!/bin/sh
# The same as cib.xml, for pcs. Run on one node when corosync and pacemaker run on all.
set -e
pcs property set stonith-enabled=true no-quorum-policy=ignore stonith-timeout=60s
pcs resource defaults update resource-stickiness=200 failure-timeout=30s migration-threshold=1
pcs stonith create fence-n1 fence_ipmilan ip=198.51.100.1 username=mailnode password_script=/etc/mailnode/fence-password lanplus=1 pcmk_host_list=n1 pcmk_delay_base=3s
pcs constraint location fence-n1 avoids n1
pcs resource create mail-1 ocf:mailnode:node ip=192.0.2.25 cidr=24 nic=eth0 ip6=2001:db8::25 cidr6=64 program=/usr/local/bin/mailnode method=ip op start interval=0s timeout=60s stop interval=0s timeout=60s monitor interval=5s timeout=20s monitor interval=15s timeout=30s OCF_CHECK_LEVEL=10
pcs constraint location mail-1 prefers n1=100
pcs stonith create fence-n2 fence_ipmilan ip=198.51.100.2 username=mailnode password_script=/etc/mailnode/fence-password lanplus=1 pcmk_host_list=n2 pcmk_delay_base=0s
pcs constraint location fence-n2 avoids n2
pcs resource create mail-2 ocf:mailnode:node ip=192.0.2.26 cidr=24 nic=eth0 ip6=2001:db8::26 cidr6=64 program=/usr/local/bin/mailnode method=ip op start interval=0s timeout=60s stop interval=0s timeout=60s monitor interval=5s timeout=20s monitor interval=15s timeout=30s OCF_CHECK_LEVEL=10
pcs constraint location mail-2 prefers n2=100
