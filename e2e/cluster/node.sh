#!/usr/bin/env bash
# Hurts a node of a cluster as a test does, and makes it whole again. A node's name is its container's.
#   node.sh off NODE         its power goes: everything on it ends at once
#   node.sh on NODE          it starts again with the disk it had
#   node.sh api-away NODE    its API server ends and stays away
#   node.sh api-back NODE    its API server starts again
#   node.sh empty-folder NODE FOLDER    everything in the folder of a volume is deleted
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
choose_docker

# The kubelet runs what lies in this folder, and ends what is taken out of it.
MANIFEST=/etc/kubernetes/manifests/kube-apiserver.yaml
PARKED=/etc/kubernetes/kube-apiserver.yaml
# The kubelet needs a moment to see it; after that the server is not started again.
NOTICE_S=2

action=${1:-} node=${2:?usage: node.sh off|on|api-away|api-back NODE}
case $action in
  off) docker kill "$node" >/dev/null ;;
  on) docker start "$node" >/dev/null ;;
  api-away)
    docker exec "$node" mv "$MANIFEST" "$PARKED"
    sleep "$NOTICE_S"
    # Gone, and not on its way for as long as its clients take.
    docker exec "$node" pkill -KILL kube-apiserver || true
    ;;
  api-back) docker exec "$node" sh -c "[ -e $MANIFEST ] || mv $PARKED $MANIFEST" ;;
  empty-folder)
    # Volumes of kind's clusters lie there; nothing else is to be emptied.
    [[ ${3:-} == /var/local-path-provisioner/?* && $3 != *..* ]] || die "no folder of a volume: ${3:-}"
    docker exec "$node" find "$3" -mindepth 1 -delete
    ;;
  *) die "usage: node.sh off|on|api-away|api-back NODE, or node.sh empty-folder NODE FOLDER" ;;
esac
