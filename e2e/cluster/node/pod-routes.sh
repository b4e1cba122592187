#!/bin/sh
# Runs on every node: tells the container runtime this node's range of pod addresses, and the kernel
# which node has which other range. Nodes are on one link, so a route is all it takes.
set -eu
SECRETS=/var/run/secrets/kubernetes.io/serviceaccount
CONFIG=/etc/cni/net.d/10-pod-routes.conflist
INTERVAL_S=5

nodes() {
  kubectl --server="https://$CONTROL_PLANE_ENDPOINT" --certificate-authority=$SECRETS/ca.crt \
    --token="$(cat $SECRETS/token)" get nodes --output jsonpath='{range .items[*]}{.metadata.name}{" "}{.spec.podCIDR}{" "}{.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}'
}

write_config() {
  cat >$CONFIG.new <<JSON
{
  "cniVersion": "0.4.0",
  "name": "pod-routes",
  "plugins": [
    {
      "type": "ptp",
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-ipam-state",
        "ranges": [[{ "subnet": "$1" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
JSON
  if cmp -s $CONFIG.new $CONFIG; then rm $CONFIG.new; else mv $CONFIG.new $CONFIG; fi
}

while :; do
  nodes | while read -r name range address; do
    [ -n "$range" ] || continue
    if [ "$name" = "$NODE_NAME" ]; then
      write_config "$range"
    elif [ -n "$address" ]; then
      ip route replace "$range" via "$address"
    fi
  done || true
  sleep $INTERVAL_S
done
