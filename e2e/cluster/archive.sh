# shellcheck shell=bash
# Images without a builder: one layer and a few lines of JSON make an archive that Docker and
# containerd load. Source after lib.sh.

# image_archive FILE NAME FOLDER CONFIG: writes an image of one layer, the folder's content, with the
# given configuration (JSON as in the OCI image specification's `config`).
image_archive() {
  local file=$1 name=$2 folder=$3 config=$4 work layer
  work=$(mktemp -d "$CLUSTER_CACHE/archive.XXXXXX")
  tar --create --directory "$folder" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
    --file "$work/layer.tar" .
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  jq --null-input --arg layer "sha256:$layer" --argjson config "$config" '{
    architecture: "amd64", os: "linux", created: "1970-01-01T00:00:00Z", config: $config,
    rootfs: {type: "layers", diff_ids: [$layer]}, history: [{created: "1970-01-01T00:00:00Z"}]
  }' | sed "s/\"amd64\"/\"$(dpkg --print-architecture)\"/" >"$work/config.json"
  jq --null-input --arg name "$name" \
    '[{Config: "config.json", RepoTags: [$name], Layers: ["layer.tar"]}]' >"$work/manifest.json"
  tar --create --directory "$work" --file "$file.new" manifest.json config.json layer.tar
  mv "$file.new" "$file"
  rm -rf "$work"
}

# copy_programs ROOT FOLDER PATH…: copies files out of a Debian file system together with the shared
# libraries they need. Plug-ins loaded at run time must be named too: nothing else knows of them.
copy_programs() {
  local root=$1 folder=$2 path library
  shift 2
  for path in "$@"; do
    mkdir -p "$folder$(dirname "$path")"
    cp -a "$root$path" "$folder$path"
    [ -L "$root$path" ] && continue
    chroot "$root" ldd "$path" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
      [ -e "$folder$library" ] && continue
      mkdir -p "$folder$(dirname "$library")"
      cp -L "$root$library" "$folder$library"
    done || true
  done
}
