#!/usr/bin/env bash
# Makes the file to hand out, target/TRIPLE/dist/solverbox, from target/TRIPLE/release/solverbox, and
# checks that it will start on a bare board. cross/build.sh ends with it; run it after `cross build`.
#
#   cross/dist.sh [TRIPLE]   aarch64-unknown-linux-gnu unless told
set -euo pipefail
export LC_ALL=C # readelf's words are looked for below
cd "$(dirname "${BASH_SOURCE[0]}")/.."

size_bytes_max=22000000
page_bytes_arm=65536 # Linux for ARM may have pages of 4, 16 (Raspberry Pi 5) or 64 KiB

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
    fail "cannot hand out '$built': $1" "Build it with cross/build.sh $triple; \
if that is what built it, a flag is missing in .cargo/config.toml."
}
headers=$(readelf -hlW "$built" 2>/dev/null) || true
dynamic=$(readelf -dW "$built" 2>/dev/null) || true
case $triple in
aarch64-*) machine=AArch64 ;;
x86_64-*) machine=X86-64 ;;
esac
grep -q "Machine:.*$machine" <<<"$headers" || refuse "it is not a program for $machine"
! grep -q ' INTERP ' <<<"$headers" || refuse "it asks for a dynamic linker (INTERP)"
! grep -q '(NEEDED)' <<<"$dynamic" || refuse "it asks for shared libraries ($(
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" | paste -sd' '))"
if [[ $machine == AArch64 ]]; then
    while read -r align; do
        ((align >= page_bytes_arm)) || refuse "a part of it is aligned to $((align)) bytes, not $page_bytes_arm"
    done < <(awk '$1 == "LOAD" { print $NF }' <<<"$headers")
fi

own='strip'
[[ ${triple%%-*} == "$(uname -m)" ]] || own=${triple%%-*}-linux-gnu-strip
for strip in "$own" llvm-strip llvm-strip-{22..14} ''; do
    command -v "$strip" >/dev/null && break
done
[[ -n $strip ]] || fail "cannot strip '$built': this machine has no strip for $triple" \
    "Say cross/build.sh --provision $triple, or install LLVM, whose llvm-strip knows every machine."
install -d "${dist%/*}"
"$strip" -o "$dist" "$built"
size_bytes=$(stat -c %s "$dist")
((size_bytes < size_bytes_max)) || refuse "stripped it has $size_bytes bytes, not less than $size_bytes_max"
echo "solverbox: $dist, static, $size_bytes bytes, sha256 $(sha256sum "$dist" | cut -c1-64)"
