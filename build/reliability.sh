#!/usr/bin/env bash
# Runs the reliability trials in full, one after another, and writes docs/reliability.md from their results.
# Fails if a trial did not run or a requirement was not met. `make reliability` calls it; run it on an otherwise
# idle machine.
#
#   build/reliability.sh        runs the trials (35 min) and writes the page
#   build/reliability.sh page   rewrites the page from the last results
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The test modules that contain trials, and the names under which trials record their results.
chapters=(door:: classroom:: crash:: power:: schema::)
trials=(slow-heads slow-bodies slow-reads descriptors page-during-answers classroom crash power schemathesis)
page=docs/reliability.md

failed=''
run() {
    rm -rf target/reliability
    mkdir -p target/reliability
    RELIABILITY_TRIALS=1 cargo test --release --locked --test tests -- "${chapters[@]}" --nocapture --test-threads 1 \
        > >(tee target/reliability/log | grep --line-buffered -E '^(test |[a-z-]+: |NOT CHECKED)') 2>&1 ||
        failed=" a test failed, see target/reliability/log;"
}
[[ ${1:-} == page ]] || run

changes=$(git status --porcelain --untracked-files=no -- src build.rs build tests Cargo.lock)
commit=$(git rev-parse --short HEAD)${changes:+ with changes}
{
    cat <<END
# Reliability

Requirements for a server in a classroom, and the latest measurements. \`make reliability\` runs these trials and
writes this page; the test suite runs a short form of each.

$(date +%F), commit $commit, $(nproc) cores of $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r).

| trial | requirement | measured |
|---|---|---|
END
    for trial in "${trials[@]}"; do
        if [[ -s target/reliability/$trial.json ]]; then
            python3 -c '
import json, sys
for row in map(json.loads, open(sys.argv[1])):
    measured = row["measured"] if row["held"] else "**not met:** " + row["measured"]
    print("|", row["trial"], "|", row["must_hold"], "|", measured, "|")
' "target/reliability/$trial.json"
        else
            echo "| $trial | | **did not run** |"
        fi
    done
} >target/reliability/page
cp target/reliability/page "$page"
sed -n '/^|/p' "$page"

for trial in "${trials[@]}"; do
    [[ -s target/reliability/$trial.json ]] || failed+=" $trial did not run;"
done
! grep -F '**not met' "$page" >/dev/null || failed+=" a requirement was not met;"
[[ -z $failed ]] || {
    printf 'solverbox: the reliability trials failed:%s\n%s\n' "${failed%;}" \
        "The table above has the measurements; fix the cause and run build/reliability.sh again." >&2
    exit 1
}
