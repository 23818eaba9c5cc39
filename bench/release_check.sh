#!/bin/sh
# Rehearses a release of the checkout's HEAD: the playbook of this repository, driven by `ecluse release` on a clone whose
# policy lets a person be played at the gate; then the package of the tag, built, installed alone, and demonstrated.
# Usage: release_check.sh ECLUSE FOLDER     ECLUSE is the program that drives; FOLDER is made anew and left to be looked at.
set -eu
ecluse=$1 folder=$2
python=$(dirname "$ecluse")/python
rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

step() { printf '\n== %s\n' "$*"; }

step "a clone with a policy for rehearsals"
git clone --quiet --no-local . "$folder/clone"
cd "$folder/clone"
git config user.name rehearsal
git config user.email rehearsal@example.invalid
git checkout --quiet -B main
git remote remove origin
{ echo 'play = true   # a rehearsal: the person at the gate is played, and the history says so'; cat ecluse.toml; } > policy.new
mv policy.new ecluse.toml
git commit --quiet --all --message 'chore: a policy for the rehearsal'
"$ecluse" init --trunk main > "$folder/init.log"

step "the release, as playbooks/release.md has it"
"$ecluse" playbook lint release
"$ecluse" release plan release > "$folder/plan.log"
"$ecluse" release start release --play rehearsal --no-input
"$ecluse" release status

step "what it has made"
tag=$(git describe --tags --abbrev=0 main)
version=${tag#v}
git show "$tag:CHANGELOG.md" | grep -F "## [$version]"
git show "$tag:pyproject.toml" | grep -F "version = \"$version\""
git show "$tag:ecluse/__init__.py" | grep -F "__version__ = \"$version\""

step "the package of $tag"
git -c advice.detachedHead=false checkout --quiet "$tag"
"$python" -m hatchling build --directory "$folder/dist"
ls "$folder/dist/ecluse-$version-py3-none-any.whl" "$folder/dist/ecluse-$version.tar.gz"

step "installed alone, and demonstrated"
"$python" -m venv "$folder/clean"
"$folder/clean/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
"$folder/clean/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$folder/dist/ecluse-$version-py3-none-any.whl"
cd "$folder"
test "$(clean/bin/ecluse --version)" = "$(printf 'ecluse %s' "$version")"
clean/bin/ecluse demo
step "$tag is rehearsed: the release, its package and the demonstration"
