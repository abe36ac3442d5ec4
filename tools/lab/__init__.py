# SPDX-License-Identifier: Apache-2.0
"""A laboratory of network namespaces on one machine: clients, a router, the balancer, web servers.

      client ───────────── router ═════════════ bridge br0 ═════════════ 10.0.1.0/24, MTU 1600
      192.0.2.2 … .9       192.0.2.1            10.0.1.1
      eth0                 up0                  │        │           │          │
                                                eth1     eth0        eth0       eth0
                                             balancer    web-1       web-2      web-3
                                             10.0.1.2    10.0.1.11   10.0.1.12  10.0.1.13
                                             penstock-dp nginx, penstock-decap, VIP on lo
                                             penstock-cp

The router sends the VIPs to the balancer; the servers answer the clients through the router, past the balancer.
Every packet stays inside these namespaces. Used by tools/demo and tests/e2e.

namespaces.py  one namespace, a link between two
processes.py   a process that we started, its log and its end
topology.py    the picture above
web.py         nginx of one backend
daemons.py     penstock-dp, penstock-cp, penstock-decap, the CLI, the API
load.py        the load generator (a program of its own, runs in the client's namespace)
measure.py     the requests that it made
"""
