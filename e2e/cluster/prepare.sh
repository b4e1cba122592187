#!/usr/bin/env bash
# Makes all that a cluster needs and keeps it in the cache by content: Kubernetes' programs, and the
# node's file system where no registry serves kind's own node image. No daemon is needed.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# In the background of `cargo xtask test` this leads a process group of its own: end the whole of it
# (compilers, debootstrap) if the test run ends before we do.
if [ "$(ps -o pgid= $$ | tr -d ' ')" = $$ ]; then
  (
    parent=$PPID
    while kill -0 "$parent" 2>/dev/null && kill -0 $$ 2>/dev/null; do sleep 1; done
    kill -- -$$ 2>/dev/null || true
  ) >/dev/null 2>&1 &
  WATCHER=$!
  trap 'kill $WATCHER 2>/dev/null || true' EXIT
fi

if foreign_docker; then
  "$HERE/binaries.sh" kind kubectl helm
  exit
fi

if [ "$(id -u)" != 0 ] || [ ! -f /etc/debian_version ]; then
  die "a node image can be made on Debian as root only; elsewhere start Docker, and kind's own is used"
fi
"$HERE/binaries.sh"
lock node
wanted=$(hash_of versions.sh rootfs.sh images.sh archive.sh node-image.sh node modules)
stamp=$CLUSTER_CACHE/node.hash
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  "$HERE/rootfs.sh"
  "$HERE/images.sh"
  "$HERE/node-image.sh"
  say "packing the node's file system"
  tar --create --numeric-owner --xattrs --directory "$ROOTFS" --file "$CLUSTER_CACHE/node.tar.new" .
  mv "$CLUSTER_CACHE/node.tar.new" "$CLUSTER_CACHE/node.tar"
  rm -rf "$ROOTFS" "$IMAGES"
  echo "$wanted" >"$stamp"
fi
