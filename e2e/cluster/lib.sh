# shellcheck shell=bash disable=SC2034
# Shared by every script here; source it first. It sets paths and defines small helpers, nothing more.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=versions.sh
source "$HERE/versions.sh"

CACHE=${VLTAVA_CACHE:-${HOME:?}/.cache/vltava}
CLUSTER_CACHE=$CACHE/cluster
BIN=$CLUSTER_CACHE/bin                           # Kubernetes' programs and its companions
IMAGES=$CLUSTER_CACHE/images                     # archives of the images that the node image holds
ROOTFS=$CLUSTER_CACHE/rootfs                     # the node's file system while it is being made
CLUSTER_NAME=${CLUSTER_NAME:-vltava}
KUBECONFIG_FILE=$CLUSTER_CACHE/$CLUSTER_NAME.kubeconfig

say() { printf '%s  %s\n' "$(date +%T)" "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# hash_of FILE…: one short hash over contents and names of files and folders of this directory.
hash_of() {
  (cd "$HERE" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-16
}

# Holds an exclusive lock until this shell ends, so that two runs do not make the same thing at once.
# Programs that outlive the shell must be started with {LOCK_FD}>&- or they would hold it too.
lock() {
  mkdir -p "$CLUSTER_CACHE"
  exec {LOCK_FD}>"$CLUSTER_CACHE/$1.lock"
  flock "$LOCK_FD"
}

# Whether a Docker daemon answers that is not ours: then its network and kind's own node image serve.
foreign_docker() { [ -z "${VLTAVA_OWN_DOCKER:-}" ] && docker info >/dev/null 2>&1; }

# Points `docker` and `kind` at our own daemon if no other one answers. Debian's client fits Debian's
# daemon; a newer one that lies earlier in PATH may not.
choose_docker() {
  if ! foreign_docker; then
    # Short on purpose: the path of a socket may have 107 characters at most.
    DOCKER_RUN=/run/vltava-$(printf '%s' "$CACHE" | sha256sum | cut -c1-8)
    export DOCKER_HOST=unix://$DOCKER_RUN/docker.sock VLTAVA_OWN_DOCKER=1
    export PATH=/usr/bin:/usr/sbin:$PATH
  fi
  export PATH=$BIN:$PATH
}

# remove_images REPOSITORY [TAG]: frees the disk of images that no cluster uses, but for one.
remove_images() {
  docker image ls --format '{{.Repository}}:{{.Tag}}' "$1" | grep -vx -e "${2:-}" -e "${2:-}-files" |
    xargs --no-run-if-empty docker image rm >/dev/null 2>&1 || true
}

own_docker() { [ -n "${VLTAVA_OWN_DOCKER:-}" ]; }
