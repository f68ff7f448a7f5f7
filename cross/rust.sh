#!/usr/bin/env bash
# Finds a Rust that has the standard library for a target and is new enough for Cargo.toml. Prints three lines:
# its version, the path of its cargo, the path of its rustc. cross/build.sh builds with it; build/prepare.sh
# installs Debian's if none is found. This script installs nothing.
#
#   cross/rust.sh TRIPLE
#
# It tries the Rust in PATH (usually rustup's), then Debian's rustc-web in /usr/bin. The printed paths bypass
# rustup's proxies, so that cargo never runs the rustc of another toolchain.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

triple=${1:-}
case $triple in # Debian's name of the architecture
aarch64-unknown-linux-gnu) deb_arch=arm64 ;;
x86_64-unknown-linux-gnu) deb_arch=amd64 ;;
*) fail "rust.sh: '$triple' is not a supported target" \
    "Use cross/rust.sh aarch64-unknown-linux-gnu, or x86_64-unknown-linux-gnu." ;;
esac
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
export PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH

reasons=()
look_at() { # look_at RUSTC: prints it and exits if it can build for the triple, else records the reason
    local sysroot version
    sysroot=$("$1" --print sysroot 2>/dev/null) || return 0
    version=$("$sysroot/bin/rustc" --version 2>/dev/null) || return 0
    local number=${version#rustc }
    number=${number%% *}
    if [[ ! -x $sysroot/bin/cargo ]]; then
        reasons+=("Rust $number in $sysroot has no cargo")
    elif ! compgen -G "$sysroot/lib/rustlib/$triple/lib/libstd-*.rlib" >/dev/null; then
        reasons+=("Rust $number in $sysroot has no standard library for this target")
    elif [[ $(printf '%s\n' "$oldest" "${number%%-*}" | sort -V | head -1) != "$oldest" ]]; then
        reasons+=("Rust $number in $sysroot is older than $oldest")
    else
        printf '%s\n' "$version" "$sysroot/bin/cargo" "$sysroot/bin/rustc"
        exit
    fi
}
look_at rustc
look_at /usr/bin/rustc

((${#reasons[@]})) || reasons=("there is no rustc in PATH or /usr/bin")
printf -v why '%s; ' "${reasons[@]}"
fail "cannot find a Rust to build for '$triple': ${why%; }" \
    "With rustup, run: rustup target add $triple. On Debian 12, run as root: dpkg --add-architecture $deb_arch \
&& apt-get update && apt-get install rustc-web cargo-web libstd-rust-web-dev:$deb_arch."
