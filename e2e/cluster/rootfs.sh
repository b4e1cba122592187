#!/usr/bin/env bash
# Makes the file system of a kind node in $ROOTFS: Debian by debootstrap, kind's own base files from
# the Go module cache, Kubernetes' programs from binaries.sh. What kind's images/base/Dockerfile does,
# on a machine that cannot pull the image it starts from.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

PACKAGES=systemd,conntrack,iptables,nftables,iproute2,ethtool,kmod,procps,jq,ca-certificates,containerd,runc
PACKAGES+=,containernetworking-plugins,ipset,curl,busybox-static

debian() {
  say "making Debian $DEBIAN_SUITE's base file system"
  debootstrap --variant=minbase --include="$PACKAGES" "$DEBIAN_SUITE" "$ROOTFS" >"$CLUSTER_CACHE/debootstrap.log" 2>&1 ||
    die "debootstrap failed: $(tail -n 5 "$CLUSTER_CACHE/debootstrap.log")"
  rm -rf "$ROOTFS"/var/cache/apt/archives/*.deb "$ROOTFS"/var/lib/apt/lists/* "$ROOTFS"/usr/share/{doc,man,locale}/*
}

kind_files() {
  local base
  base=$(cd "$HERE/modules/kind" && GOFLAGS=-mod=readonly go list -m -f '{{.Dir}}' sigs.k8s.io/kind)/images/base/files
  # The module cache is read-only and has lost the scripts' executable bits.
  cp -r --no-preserve=mode,ownership "$base/." "$ROOTFS/"
  chmod 0755 "$ROOTFS"/usr/local/bin/* "$ROOTFS/kind/bin" "$ROOTFS"/kind/bin/*
  rm "$ROOTFS/etc/systemd/system/containerd-fuse-overlayfs.service"
  local config=$ROOTFS/etc/containerd/config.toml
  sed -i -e 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' \
    -e "s|sandbox_image = .*|sandbox_image = \"registry.k8s.io/pause:$PAUSE_TAG\"|" "$config"
  sed -i '/^\[proxy_plugins/,/^$/d' "$config"
  sed -i 's|/usr/local/bin/containerd|/usr/bin/containerd|' "$ROOTFS/etc/systemd/system/containerd.service"
}

services() {
  local units=$ROOTFS/lib/systemd/system
  find "$units/sysinit.target.wants/" -name systemd-tmpfiles-setup.service -delete
  rm -f "$units"/multi-user.target.wants/* "$ROOTFS"/etc/systemd/system/*.wants/* "$units"/local-fs.target.wants/* \
    "$units"/sockets.target.wants/*udev* "$units"/sockets.target.wants/*initctl* "$units"/basic.target.wants/*
  echo ReadKMsg=no >>"$ROOTFS/etc/systemd/journald.conf"
  ln -sf /lib/systemd/systemd "$ROOTFS/sbin/init"
  chroot "$ROOTFS" systemctl enable --quiet kubelet.service containerd.service undo-mount-hacks.service
  chroot "$ROOTFS" systemctl mask --quiet systemd-binfmt.service
}

kubernetes() {
  mkdir -p "$ROOTFS/etc/kubernetes/manifests" "$ROOTFS/opt/cni/bin"
  install -m 0755 "$BIN"/{kubelet,kubeadm,kubectl} "$ROOTFS/usr/bin/"
  cp "$ROOTFS"/usr/lib/cni/{bridge,host-local,loopback,portmap,ptp,firewall} "$ROOTFS/opt/cni/bin/"
  printf '%s' "$KUBERNETES_VERSION" >"$ROOTFS/kind/version"
  chroot "$ROOTFS" ctr oci spec |
    jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
      >"$ROOTFS/etc/containerd/cri-base.json"
}

rm -rf "$ROOTFS"
mkdir -p "$ROOTFS"
debian
kind_files
services
kubernetes
