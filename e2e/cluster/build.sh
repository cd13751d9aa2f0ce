#!/bin/bash
# Builds kubebox, the test cluster's one binary, and prints the directory that holds it and its links.
# Only the binary is kept (155 MB), outside the checkout, under a hash of everything it is made of; with
# the binary there, nothing is built or downloaded. A first build takes six minutes on two cores and 4 GB
# of temporary disk.
#   EVALJOB_CACHE   where binaries are kept (default ~/.cache/evaljob)
#   GOMODCACHE      Go's module cache, as Go itself reads it (1.5 GB; keeping it saves only a download)
set -euo pipefail
cd "$(dirname "$0")"

kubernetes=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' go.mod)
IFS=. read -r major minor _ <<<"${kubernetes#v}"
# Without these, every program calls itself v0.0.0-master+$Format:%H$ and version checks fail.
flags='-s -w'
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	for pair in "gitVersion=$kubernetes" "gitMajor=$major" "gitMinor=$minor" gitTreeState=clean gitCommit=modules \
		buildDate=1970-01-01T00:00:00Z; do
		flags+=" -X $package.$pair"
	done
done

inputs=$({ cat go.mod go.sum main.go; go env GOVERSION GOOS GOARCH; echo "$flags"; } | sha256sum | cut -c1-16)
cache=${EVALJOB_CACHE:-$HOME/.cache/evaljob}/cluster
out=$cache/$inputs
mkdir -p "$cache"
# Two callers build once: the second waits, then finds the binary.
exec 9>"$cache/lock"
flock 9
if [ ! -x "$out/kubebox" ]; then
	echo "building kubebox $kubernetes (about six minutes on two cores)" >&2
	# A failed or interrupted build leaves this directory, and the next one goes on from it.
	export GOCACHE=$cache/go-build CGO_ENABLED=0
	go build -trimpath -buildvcs=false -ldflags "$flags" -o "$cache/kubebox.part" .
	mkdir -p "$out"
	for applet in $("$cache/kubebox.part" 2>&1 | sed -n 's/^usage: kubebox \(.*\) \.\.\.$/\1/p' | tr '|' ' '); do
		ln -sf kubebox "$out/$applet"
	done
	mv "$cache/kubebox.part" "$out/kubebox" # last: its presence says that all of it is there
	rm -rf "$GOCACHE"
fi
echo "$out"
