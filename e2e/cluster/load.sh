#!/usr/bin/env bash
# Builds our image and loads it into the nodes of $CLUSTER_NAME.
#   load.sh BINARY    prints the image's name on standard output
# Where no registry can be reached, the image is the given binary on a base made from this system's own
# packages (so that its glibc is the one that the binary was linked with); elsewhere the Dockerfile
# builds all of it and the binary is not used.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=archive.sh
source "$HERE/archive.sh"
choose_docker
binary=${1:?usage: load.sh BINARY}
root=$(cd "$HERE/../.." && pwd)
context=$(mktemp -d "$CLUSTER_CACHE/context.XXXXXX")
trap 'rm -rf "$context"' EXIT

# What gcr.io/distroless/cc-debian12:nonroot holds of use to us: glibc, libgcc, certificates, a user.
base_image() {
  local name folder package
  name=localhost/vltava-base:$(dpkg-query --show --showformat '${Package}${Version}' libc6 libgcc-s1 ca-certificates |
    cat - "$HERE/load.sh" | sha256sum | cut -c1-16)
  echo "$name"
  docker image inspect "$name" >/dev/null 2>&1 && return
  folder=$context/base
  mkdir -p "$folder"/{etc/ssl/certs,home/nonroot,tmp,var,run}
  for package in libc6 libgcc-s1; do
    # Files of the installed packages, libraries only.
    dpkg-query --listfiles "$package" | grep -E '^(/usr)?/lib(64)?/.*\.so(\.|$)' | while read -r path; do
      [ -d "$path" ] && continue
      mkdir -p "$folder$(dirname "$path")"
      cp -a "$path" "$folder$path"
    done
  done
  cp -L /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
  printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$folder/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$folder/etc/group"
  printf 'hosts: files dns\n' >"$folder/etc/nsswitch.conf"
  chmod 1777 "$folder/tmp"
  image_archive "$context/base.tar" "$name" "$folder" '{"User": "65532:65532", "WorkingDir": "/home/nonroot"}'
  docker load --quiet --input "$context/base.tar" >&2
}

if own_docker; then
  base=$(base_image)
  mkdir "$context/binary"
  cp "$binary" "$context/binary/vltava"
  image=localhost/vltava:$(cat "$context/binary/vltava" "$root/Dockerfile" | sha256sum | cut -c1-12)
  DOCKER_BUILDKIT=1 docker build --quiet --tag "$image" --file "$root/Dockerfile" \
    --build-arg BINARY=prebuilt --build-arg RUNTIME_IMAGE="$base" "$context/binary" >&2
else
  image=localhost/vltava:$(git -C "$root" rev-parse --short=12 HEAD)
  docker build --tag "$image" "$root" >&2
fi
say "image $image: $(docker image inspect --format '{{.Size}}' "$image") bytes"
kind load docker-image --name "$CLUSTER_NAME" "$image" >&2
echo "$image"
