#!/bin/bash
# Builds cert-manager's controller and prints the directory that holds it and its CRDs, kept as the cluster's binary is
# (e2e/cluster/build.sh). A first build takes five minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")"

inputs=$({ cat go.mod go.sum tools.go; go env GOVERSION GOOS GOARCH; } | sha256sum | cut -c1-16)
cache=${EVALJOB_CACHE:-$HOME/.cache/evaljob}/cert-manager
out=$cache/$inputs
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -x "$out/controller" ]; then
	echo 'building cert-manager (about five minutes on two cores)' >&2
	export GOCACHE=$cache/go-build CGO_ENABLED=0
	go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$cache/controller.part" github.com/cert-manager/cert-manager/cmd/controller
	mkdir -p "$out"
	cp -r "$(go list -m -f '{{.Dir}}' github.com/cert-manager/cert-manager)/deploy/crds" "$out/part"
	chmod -R u+w "$out/part"
	rm -rf "$out/crds" "$out/part/README.md"
	sed -i '/{{.*}}/d' "$out"/part/*.yaml # labels and annotations that Helm would fill in
	mv "$out/part" "$out/crds"
	mv "$cache/controller.part" "$out/controller" # last: its presence says that all of it is there
	rm -rf "$GOCACHE"
fi
echo "$out"
