#!/usr/bin/env bash
# Strips target/TRIPLE/release/solverbox into target/TRIPLE/dist/solverbox, the binary to distribute, and checks
# that it needs nothing else on the board. cross/build.sh runs it last; run it yourself after `cross build`.
#
#   cross/dist.sh [TRIPLE]   default: aarch64-unknown-linux-gnu
set -euo pipefail
export LC_ALL=C # readelf's output is parsed below
cd "$(dirname "${BASH_SOURCE[0]}")/.."

size_bytes_max=25000000 # of which the page takes 1.4 MB, plain and gzipped
page_bytes_arm=65536 # Linux on ARM uses pages of 4, 16 (Raspberry Pi 5) or 64 KiB

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

triple=${1:-aarch64-unknown-linux-gnu}
built=target/$triple/release/solverbox
dist=target/$triple/dist/solverbox
[[ -f $built ]] || fail "cannot check '$built': No such file or directory" "Build it first: cross/build.sh $triple."

command -v readelf >/dev/null || fail "cannot check '$built': readelf is missing" "Install the package binutils."

refuse() { # refuse CAUSE
    rm -f "$dist"
    fail "cannot distribute '$built': $1" "Build it with cross/build.sh $triple; \
if it was built that way, a flag is missing from .cargo/config.toml."
}
headers=$(readelf -hlW "$built" 2>/dev/null) || true
dynamic=$(readelf -dW "$built" 2>/dev/null) || true
case $triple in
aarch64-*) machine=AArch64 ;;
x86_64-*) machine=X86-64 ;;
esac
grep -q "Machine:.*$machine" <<<"$headers" || refuse "it is not an executable for $machine"
! grep -q ' INTERP ' <<<"$headers" || refuse "it requires a dynamic linker (INTERP)"
! grep -q '(NEEDED)' <<<"$dynamic" || refuse "it requires shared libraries ($(
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | paste -sd' '))"
if [[ $machine == AArch64 ]]; then
    while read -r align; do
        ((align >= page_bytes_arm)) || refuse "a segment is aligned to $((align)) bytes instead of $page_bytes_arm"
    done < <(awk '$1 == "LOAD" { print $NF }' <<<"$headers")
fi

own='strip'
[[ ${triple%%-*} == "$(uname -m)" ]] || own=${triple%%-*}-linux-gnu-strip
for strip in "$own" llvm-strip llvm-strip-{22..14} ''; do
    command -v "$strip" >/dev/null && break
done
[[ -n $strip ]] || fail "cannot strip '$built': no strip for $triple is installed" \
    "Run cross/build.sh --provision $triple, or install LLVM, whose llvm-strip supports every target."
install -d "${dist%/*}"
"$strip" -o "$dist" "$built"
size_bytes=$(stat -c %s "$dist")
((size_bytes < size_bytes_max)) || refuse "it has $size_bytes bytes after stripping, the limit is $size_bytes_max"
echo "solverbox: $dist, static, $size_bytes bytes, sha256 $(sha256sum "$dist" | cut -c1-64)"
