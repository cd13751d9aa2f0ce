#!/bin/bash
# Makes the toolbox: a Debian directory with what packages.txt names, which jobs without an image see as their root.
# Prints the directory it is kept in, outside the checkout, under a hash of everything it is made of; with the
# directory there, nothing is downloaded. It holds rootfs/, and the same as an image layer: layer.tar, layer.sha256.
# Needs root, mmdebstrap and this machine's own Debian sources (/etc/apt).
#   EVALJOB_CACHE   where it is kept (default ~/.cache/evaljob)
set -euo pipefail
cd "$(dirname "$0")"

inputs=$({ cat build.sh packages.txt; dpkg --print-architecture; } | sha256sum | cut -c1-16)
cache=${EVALJOB_CACHE:-$HOME/.cache/evaljob}/toolbox
out=$cache/$inputs
mkdir -p "$cache"
# Two callers build once: the second waits, then finds the directory.
exec 9>"$cache/lock"
flock 9
if [ -e "$out" ]; then
	echo "$out"
	exit
fi

# As apt sees them, whatever files they are written in; other vendors' sources are left out.
format='deb $(SITE) $(RELEASE) $(COMPONENT)|$(ORIGIN)'
sources() { apt-get indextargets --format "$format" 'Identifier: Packages' | sed -n 's/|Debian$//p' | sort -u; }
if [ -z "$(sources)" ]; then apt-get update -qq >&2; fi
if [ -z "$(sources)" ]; then
	echo "no Debian source in /etc/apt (hint: build the toolbox on Debian, or name another --rootfs)" >&2
	exit 1
fi
suite=$(sources | awk '$3 !~ /[-\/]/ { print $3; exit }')

part=$cache/part
rm -rf "$part"
mkdir "$part"
start=$SECONDS
echo "making the toolbox from Debian $suite" >&2
# Programs and libraries only: what is left out here is never looked at by a program that runs.
exclude=()
for path in doc man info locale i18n lintian; do exclude+=(--dpkgopt="path-exclude=/usr/share/$path/*"); done
exclude+=(--dpkgopt='path-exclude=/usr/bin/*-lto-dump*')
sources | mmdebstrap --quiet --variant=essential --mode=root --include="$(paste -sd, packages.txt)" "${exclude[@]}" \
	"$suite" "$part/rootfs" - >&2
(cd "$part/rootfs" && rm -rf var/cache/* var/lib/apt var/lib/dpkg var/log/* usr/share/python-wheels && find dev -mindepth 1 -delete)
# Times stay as they are: Python's compiled files name those of their sources. No compression: the layer is read
# from this disk, and unpacking it would be the longest part of an import.
tar -C "$part/rootfs" --sort=name --numeric-owner --format=posix --pax-option=delete=atime,delete=ctime \
	--transform='s,^\.,toolbox,S' -cf "$part/layer.tar" .
sha256sum <"$part/layer.tar" | cut -d' ' -f1 >"$part/layer.sha256"
mv "$part" "$out" # last: its presence says that all of it is there
echo "toolbox: $(du -sm "$out/rootfs" | cut -f1) MB, made in $((SECONDS - start)) s" >&2
echo "$out"
