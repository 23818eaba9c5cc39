#!/bin/sh
# Hand over everything done in this checkout as one change bundle, with git and the POSIX utilities alone.
#
#     sh .sync/scripts/cloud-export.sh [--agent NAME] [--task TEXT] [--base REV] [--note FILE|-] [--to DIR]
#                                      [--validate none|minimal] [--accept-omissions] [--allow-red] [--json] [-C DIR]
#
# Writes sync_cloud_TIME.{bundle,patch,json} and INSTRUCTIONS_TIME.txt: all commits since the base, and staged,
# unstaged and untracked work as one marked commit on top. Index, HEAD and files stay untouched. It is the bundle that
# `ecluse export` writes; of the rules against secrets it knows the names of files and the shapes of providers' tokens
# and keys, and says so in the manifest: the import knows them all and refuses the rest.
# Exit: 0 done; 1 failed; 2 wrong input or nothing to hand over; 3 something was left out and nobody accepted that;
# 4 refused (a secret); 5 a check is red.
set -uf
exec 3>&1 # the answer goes here, also from within a command whose output is caught
VERSION='cloud-export.sh 1'
EMPTY_TREE=4b825dc642cb6eb9a060e54bf8d69288fbee4904
REF=refs/heads/change
FILE_CAP=20971520
PATCH_CAP=67108864
LC_ALL=C
export LC_ALL
unset CDPATH
TAB=$(printf '\t')
NL='
'
SCRATCH='' ASIDE='' CLAIM='' TOP='' AGENT='' BRANCH='' BASE='' TARGET='' TIP='' ID='' REVISION=0 STAMP='' FILES=0 SIZE=0
PATCHNAME='' REAL=0 PLACE='' BUSY=''

# -- words as JSON: bytes in, ASCII out --------------------------------------------------------------------------

LIB='
function init(  i) {
  for (i = 1; i < 256; i++) ORD[sprintf("%c", i)] = i
  ESC["a"] = 7; ESC["b"] = 8; ESC["t"] = 9; ESC["n"] = 10; ESC["v"] = 11; ESC["f"] = 12; ESC["r"] = 13
  ESC["\""] = 34; ESC["\\"] = 92
}
function unquote(s,  n, i, c) { # a path as git quotes it -> its bytes in B[1..n]
  n = 0
  if (substr(s, 1, 1) != "\"") { for (i = 1; i <= length(s); i++) B[++n] = ORD[substr(s, i, 1)]; return n }
  for (i = 2; i < length(s); i++) {
    c = substr(s, i, 1)
    if (c != "\\") { B[++n] = ORD[c]; continue }
    c = substr(s, ++i, 1)
    if (c ~ /[0-7]/) { B[++n] = c * 64 + substr(s, i + 1, 1) * 8 + substr(s, i + 2, 1); i += 2 } else B[++n] = ESC[c]
  }
  return n
}
function decode(n,  m, i, j, b, need, cp, least) { # UTF-8 in B -> code points in C; a byte that is none is negative
  m = 0; VALID = 1
  for (i = 1; i <= n; i++) {
    b = B[i]
    if (b < 128) { C[++m] = b; continue }
    need = b >= 194 && b <= 223 ? 1 : b >= 224 && b <= 239 ? 2 : b >= 240 && b <= 244 ? 3 : 0
    cp = need == 1 ? b - 192 : need == 2 ? b - 224 : b - 240
    least = need == 1 ? 128 : need == 2 ? 2048 : 65536
    for (j = 1; j <= need; j++) { if (i + j > n || B[i + j] < 128 || B[i + j] > 191) break; cp = cp * 64 + B[i + j] - 128 }
    if (!need || j <= need || cp < least || cp > 1114111 || (cp >= 55296 && cp <= 57343)) { VALID = 0; C[++m] = -b; continue }
    C[++m] = cp; i += need
  }
  return m
}
function odd(c) {
  return c < 32 || (c >= 127 && c < 160) || c == 1564 || c == 8206 || c == 8207 || (c >= 8234 && c <= 8238) || (c >= 8294 && c <= 8297)
}
function jchar(c, mode) {
  if (c < 0) return mode == "name" ? sprintf("\\udc%02x", -c) : sprintf("\\\\x%02x", -c)
  if (mode == "shown" && odd(c)) return c > 255 ? sprintf("\\\\u%04x", c) : sprintf("\\\\x%02x", c)
  if (c == 34) return "\\\""
  if (c == 92) return "\\\\"
  if (c == 10) return "\\n"
  if (c == 9) return "\\t"
  if (c == 13) return "\\r"
  if (c == 8) return "\\b"
  if (c == 12) return "\\f"
  if (c > 31 && c < 128) return sprintf("%c", c)
  if (c < 65536) return sprintf("\\u%04x", c)
  c -= 65536
  return sprintf("\\u%04x\\u%04x", 55296 + int(c / 1024), 56320 + c % 1024)
}
function utf8(c) {
  if (c < 128) return sprintf("%c", c)
  if (c < 2048) return sprintf("%c%c", 192 + int(c / 64), 128 + c % 64)
  if (c < 65536) return sprintf("%c%c%c", 224 + int(c / 4096), 128 + int(c / 64) % 64, 128 + c % 64)
  return sprintf("%c%c%c%c", 240 + int(c / 262144), 128 + int(c / 4096) % 64, 128 + int(c / 64) % 64, 128 + c % 64)
}
function tidy(m, lines,  i, k, c) { # control and direction characters out, length capped, ends trimmed
  k = 0
  for (i = 1; i <= m; i++) {
    c = C[i] < 0 ? 65533 : C[i]
    if (c == 13) { if (C[i + 1] == 10 && i < m) continue; c = 10 }
    if (c == 10 && !lines) break
    if (odd(c) && !(lines && (c == 9 || c == 10))) c = 32
    C[++k] = c
  }
  if (k > (lines ? 524288 : 500)) k = lines ? 524288 : 500
  while (k && (C[k] == 32 || C[k] == 10 || C[k] == 9)) k--
  for (START = 1; START <= k && (C[START] == 32 || C[START] == 10 || C[START] == 9); START++) ;
  return k
}
function say(n, mode,  m, i, s) { # the bytes in B as a JSON text; modes clean, lines, raw (no JSON), name, shown, path
  m = decode(n); START = 1
  if (mode == "clean" || mode == "lines" || mode == "raw") m = tidy(m, mode == "lines")
  s = ""
  for (i = START; i <= m; i++) s = s (mode == "raw" ? utf8(C[i]) : jchar(C[i], mode))
  return mode == "raw" ? s : "\"" s "\""
}
function base64(n,  i, v, s, a) {
  a = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"; s = ""
  for (i = 1; i <= n; i += 3) {
    v = B[i] * 65536 + (i < n ? B[i + 1] : 0) * 256 + (i + 1 < n ? B[i + 2] : 0)
    s = s substr(a, int(v / 262144) + 1, 1) substr(a, int(v / 4096) % 64 + 1, 1) (i < n ? substr(a, int(v / 64) % 64 + 1, 1) : "=") (i + 1 < n ? substr(a, v % 64 + 1, 1) : "=")
  }
  return s
}
function bare(p) { return substr(p, 1, 1) == "\"" ? substr(p, 2, length(p) - 2) : p }
function own(p) {
  p = bare(p)
  return p ~ ("(^|/)sync_cloud_" D8 "_" D6 "(_[0-9]+)?\\.(json|bundle|patch|tar|json\\.sig)$") || p ~ ("(^|/)INSTRUCTIONS_" D8 "_" D6 "(_[0-9]+)?\\.txt$") || p ~ ("(^|/)(sync-session-summary|agent-handoff|checklist-pre-sync)_" D8 "_" D6 "(_[0-9]+)?\\.md$") || p ~ ("(^|/)logs/(ex|im)port_" D8 "_" D6 "(_[A-Za-z0-9_]+)?\\.log$") || p ~ /(^|\/)\.export-[^\/]+\// || p ~ /^\.sync\/(patches|logs)\// || p ~ /^\.sync\/sync_history\./ || p ~ /^reports\/report\.json$/ || p ~ /^memory\/(ci_report_[^\/]*\.json|session\.log)$/
}
BEGIN { D6 = "[0-9][0-9][0-9][0-9][0-9][0-9]"; D8 = D6 "[0-9][0-9]"; init() }
function sensitive(p,  k, i, part, name, suffix, stem, w, words, seen) { # the rule by which a name holds secrets
  k = split(tolower(bare(p)), part, "/"); name = part[k]
  w = split(name, words, "."); suffix = w > 1 ? words[w] : ""; stem = w > 1 && length(name) > length(suffix) + 1
  if ((name ~ /^\.env/ && name != ".envrc") || (suffix == "env" && stem)) {
    for (i = 1; i <= w; i++) if (words[i] != "env" && words[i] ~ /(example|sample|template|dist|default|defaults|test|schema)$/) return ""
    return "env-file"
  }
  if (name ~ /^(\.netrc|_netrc|\.git-credentials|\.pgpass|\.pypirc|\.htpasswd|\.dockercfg|\.my\.cnf|\.s3cfg|master\.key|client_secret\.json|id_(rsa|dsa|ecdsa|ed25519)|credentials(\.(json|yml|yaml|ini|toml))?|secrets\.(yml|yaml|json|toml|ini|env))$/) return "credential-file"
  if (stem && suffix ~ /^(p12|pfx|jks|keystore|kdbx|ppk|tfstate|key)$/) return "key-file"
  for (i = 1; i < k; i++) {
    if (part[i] == ".ssh" || part[i] == ".gnupg") return substr(part[i], 2) "-folder"
    if ((part[i] == "secrets" || part[i] == ".secrets") && suffix !~ /^(pyi?|m?js|tsx?|jsx|go|rs|java|kt|c|h|cc|cpp|cs|rb|php|swift|scala|sh|md|rst|html|css|sql|proto)$/) return "secrets-folder"
  }
  if (k > 1 && (part[k - 1] "/" name) ~ /^(\.aws\/credentials|\.docker\/config\.json|\.kube\/config)$/) return "credential-file"
  return ""
}
function rest(s, n) { while (n--) s = substr(s, index(s, " ") + 1); return s }
'

jtext() { # MODE: standard input as a JSON text
	od -An -v -tu1 | awk -v mode="$1" "$LIB"'{ for (i = 1; i <= NF; i++) B[++n] = $i + 0 } END { printf "%s", say(n, mode) }'
}

# -- ends --------------------------------------------------------------------------------------------------------

clean_up() {
	[ -z "$ASIDE" ] || rm -rf "$ASIDE"
	[ -z "$CLAIM" ] || [ -s "$CLAIM" ] || rm -f "$CLAIM"
	[ -z "$SCRATCH" ] || rm -rf "$SCRATCH"
	end_turn
	SCRATCH='' ASIDE='' CLAIM=''
}

# One export at a time gives itself a number: a folder is the lock, as each of the exporters can make one. The holder
# leaves a name in it. Who sees the very same names for ten seconds takes the holder for dead and makes the folder of
# the next heir in it, which only one can. Both look once more, and step back from a name that they did not expect.
# Where nothing can be written, there is no lock.
take_turn() {
	turn=$COMMON/ecluse/exports.busy seen='(none)' failed=0 gone=0
	while [ "$failed" -lt 5 ] && [ "$gone" -lt 5 ]; do
		mkdir -p "$COMMON/ecluse" 2>/dev/null
		if mkdir "$turn" 2>/dev/null && leave_name "by.$$.$(date +%s)" ''; then return; fi
		if ! names=$(ls "$turn" 2>/dev/null); then
			gone=$((gone + 1))
		elif gone=0 && [ "$names" != "$seen" ]; then
			seen=$names since=$(date +%s)
		elif [ "$(($(date +%s) - since))" -gt 10 ]; then
			heir=heir.$(printf '%s\n' "$names" | awk -F . '$1 == "heir" && $2 + 0 > n { n = $2 + 0 } END { print n + 1 }')
			if leave_name "$heir" "$names"; then return; fi
		fi
		sleep 0.05 2>/dev/null || sleep 1
	done
}

leave_name() { # NAME EXPECTED: hold the turn by a name in its folder, unless a name is there that was not expected
	if mkdir "$turn/$1" 2>/dev/null; then
		for name in $(ls "$turn"); do
			case "
$2
$1
" in
			*"
$name
"*) ;;
			*)
				rmdir "$turn/$1"
				return 1
				;;
			esac
		done
		BUSY=$turn/$1
		return
	fi
	[ -d "$turn/$1" ] || [ ! -d "$turn" ] || failed=$((failed + 1))
	return 1
}

end_turn() { # take the own name back, as an heir also those of the dead before; a folder that is not empty has an heir
	[ -n "$BUSY" ] || return 0
	case $BUSY in
	*/heir.*)
		for name in $(ls "${BUSY%/*}" 2>/dev/null); do
			case $name in
			by.*) rmdir "${BUSY%/*}/$name" ;;
			heir.*) [ "${name#heir.}" -ge "${BUSY##*/heir.}" ] || rmdir "${BUSY%/*}/$name" ;;
			esac
		done 2>/dev/null ;;
	esac
	rmdir "$BUSY" 2>/dev/null && rmdir "${BUSY%/*}" 2>/dev/null
	BUSY=''
}

claim() { # FOLDER BEFORE AFTER: make a file of a name that nobody else has; sets STAMP and CLAIMED
	moment=$(date +%Y%m%d_%H%M%S)
	number=1
	while [ "$number" -lt 10000 ]; do
		STAMP=$moment
		[ "$number" -eq 1 ] || STAMP=${moment}_$number
		CLAIMED=$1/$2$STAMP$3
		if (set -C; : >"$CLAIMED") 2>/dev/null; then return 0; fi
		[ -e "$CLAIMED" ] || return 1
		number=$((number + 1))
	done
	return 1
}

own_folder() { # make a folder of ours, which git is to leave alone
	[ -d "$1" ] || { mkdir -p -- "$1" && echo '*' >"$1/.gitignore"; } 2>/dev/null
}

journal() { # STATUS CODE MESSAGE: one JSON document in .sync/logs, also when the export was refused
	[ -n "$TOP" ] || return 0
	logs=$TOP/${SYNC_DIR:-.sync}/logs
	case ${SYNC_DIR:-} in /*) logs=$SYNC_DIR/logs ;; esac
	own_folder "$logs" && kept=$STAMP && claim "$logs" export_ .log || { echo '[!] no log was written' >&2; return 0; }
	STAMP=$kept
	{
		printf '{\n "at": "%s",\n "action": "export",\n "status": "%s",\n "code": "%s",\n' "$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)" "$1" "$2"
		printf ' "message": %s,\n "exporter": "%s",\n' "$(printf %s "$3" | jtext clean)" "$VERSION"
		printf ' "agent": %s,\n "branch": %s,\n' "$(printf %s "$AGENT" | jtext clean)" "$(printf %s "$BRANCH" | jtext clean)"
		printf ' "base": "%s",\n "target": %s,\n "head": "%s",\n' "$BASE" "$(printf %s "$TARGET" | jtext clean)" "$TIP"
		printf ' "change_id": "%s",\n "revision": %s,\n "patch": "%s",\n "files": %s,\n' "$ID" "$REVISION" "$PATCHNAME" "$FILES"
		printf ' "size_bytes": %s,\n "commits": %s,\n "path": %s\n}\n' "$SIZE" "$REAL" "$(printf %s "$PLACE" | jtext path)"
	} >"$CLAIMED.part" && mv -f "$CLAIMED.part" "$CLAIMED"
}

stop() { # STATUS CODE MESSAGE HINT
	journal failed "$2" "$3"
	if [ "$JSON" = yes ]; then
		printf '{\n  "schema_version": 1,\n  "error": {\n    "code": "%s",\n    "message": %s,\n    "hint": %s\n  }\n}\n' "$2" "$(printf %s "$3" | jtext clean)" "$(printf %s "$4" | jtext clean)" >&3
	fi
	printf '[ERROR] %s\n  next: %s\n' "$3" "$4" >&2
	clean_up
	exit "$1"
}

must() { # run it, or stop with what it said
	"$@" 2>"$SCRATCH/said" || broken "$1 $2 $3 failed: $(cat "$SCRATCH/said")"
}

broken() { # MESSAGE: git failed; where there is no room left, that is why
	have_room
	case $1 in
	*'No space left'* | *'Out of diskspace'*) stop 1 storage "The disk is full: $1" 'make room, or name another folder with --to (and TMPDIR), then type the same again' ;;
	*) stop 1 git.failed "$1" 'git fsck, then type the same again' ;;
	esac
}

have_room() { # what does not fit into the folder for what is temporary would be missing in the bundle
	dd if=/dev/zero of="$SCRATCH/room" bs=1024 count=64 2>/dev/null && rm -f "$SCRATCH/room" || stop 1 storage "There is no room left in $SCRATCH." 'make room, or set TMPDIR to a folder with room, then type the same again'
}

# -- arguments ---------------------------------------------------------------------------------------------------

ASKED_AGENT='' ASKED_BASE='' NOTE='' TO='' LEVEL=minimal ACCEPT=no RED=no JSON=no FOLDER=.
while [ $# -gt 0 ]; do
	case $1 in
	--agent | --task | --base | --note | --to | --validate | -C)
		[ $# -gt 1 ] || stop 2 usage "$1 needs a value." 'cloud-export.sh --help'
		case $1 in
		--agent) ASKED_AGENT=$2 ;; --task) ECLUSE_AGENT_TASK=$2 ;; --base) ASKED_BASE=$2 ;; --note) NOTE=$2 ;;
		--to) TO=$2 ;; --validate) LEVEL=$2 ;; -C) FOLDER=$2 ;;
		esac
		shift 2 ;;
	--accept-omissions) ACCEPT=yes; shift ;;
	--allow-red) RED=yes; shift ;;
	--json) JSON=yes; shift ;;
	-h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) stop 2 usage "There is no option $1." 'cloud-export.sh --help' ;;
	esac
done
case $LEVEL in none | minimal) ;; *) stop 2 validate.level "There is no validation level $LEVEL here." 'choose none or minimal' ;; esac
case $TO in *.tar | -) stop 2 export.to "This exporter writes into a folder, not $TO." 'name a folder with --to, or use cloud-export.py' ;; esac
case $TO in *.gz | *.tgz | *.zip | *.xz | *.bz2 | *.json | *.bundle | *.patch | *.txt) [ -d "$TO" ] || stop 2 export.to "An export is a folder, not $TO." 'name a folder with --to' ;; esac

for name in $(env | sed -n 's/^\(GIT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
cd -- "$FOLDER" 2>/dev/null || stop 2 file.missing "There is no folder $FOLDER." 'check the name with: ls'
START=$(pwd)
number=0
while read -r key value; do
	eval "export GIT_CONFIG_KEY_$number=\$key GIT_CONFIG_VALUE_$number=\$value"
	number=$((number + 1))
done <<END
safe.directory *
core.hooksPath /dev/null
core.fsmonitor false
core.attributesFile /dev/null
core.quotePath true
color.ui false
core.safecrlf false
core.splitIndex false
diff.orderFile /dev/null
commit.gpgSign false
gc.auto 0
maintenance.auto false
protocol.ext.allow never
diff.noprefix false
diff.mnemonicPrefix false
diff.renames false
submodule.recurse false
status.relativePaths true
END
export GIT_CONFIG_COUNT=$number GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0 GIT_EDITOR=: GIT_PAGER=cat
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1
u() { (unset GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM; git "$@"); }
g() { git --git-dir="$GITDIR" --work-tree="$TOP" "$@"; }
t() { git --git-dir="$SCRATCH/r" "$@"; }
x() { GIT_INDEX_FILE=$SCRATCH/index GIT_OBJECT_DIRECTORY=$SCRATCH/r/objects GIT_CONFIG_GLOBAL=$SCRATCH/settings git --git-dir="$GITDIR" --work-tree="$TOP" "$@"; }
resolve() { g rev-parse --verify --quiet --end-of-options "$1^{commit}" 2>/dev/null; }

# -- the repository ----------------------------------------------------------------------------------------------

command -v git >/dev/null || stop 1 git.missing 'There is no git on the PATH.' 'install git, then type the same again'
ROOM=$(git rev-parse --path-format=absolute --git-dir --git-common-dir --show-toplevel 2>&1) ||
	stop 2 repo.none "There is no checkout to export from here: $ROOM" 'cd to it, or use -C DIR'
GITDIR=$(printf '%s\n' "$ROOM" | sed -n 1p)
COMMON=$(printf '%s\n' "$ROOM" | sed -n 2p)
TOP=$(printf '%s\n' "$ROOM" | sed -n 3p)
cd -- "$TOP" || stop 1 storage "$TOP cannot be entered." 'ls -ld on that folder'
trap 'clean_up' EXIT
trap 'clean_up; trap - EXIT; exit 130' HUP INT TERM
SCRATCH=${TMPDIR:-/tmp}
[ -d "$SCRATCH" ] && [ -w "$SCRATCH" ] || SCRATCH=/tmp
SCRATCH=$SCRATCH/ecluse-clone-$$-$(od -An -N4 -tu4 /dev/urandom 2>/dev/null | tr -d ' \n')
(umask 077 && mkdir -- "$SCRATCH") || { lost=$SCRATCH; SCRATCH=''; stop 1 storage "$lost cannot be made." 'set TMPDIR to a folder with room'; }

HEAD=$(resolve HEAD) || stop 2 repo.empty 'This repository has no commits yet.' "git add -A && git commit -m 'first commit'"
[ ${#HEAD} -eq ${#EMPTY_TREE} ] || stop 2 repo.format 'This repository names its objects by SHA-256; only changes of SHA-1 repositories are carried.' 'git bundle create FILE.bundle HEAD'
somebody() { # NAME: it, unless it is nothing but blanks and marks, which git takes for no name
	case $(printf %s "$1" | tr -d '\001-\040.,:;<>"\\'\') in '') ;; *) printf %s "$1" ;; esac
}
WHO=$(u config --get user.name) || WHO=''
WHO=$(somebody "$WHO")
MAIL=$(u config --get user.email) || MAIL=''
[ -n "$WHO" ] && [ -n "$MAIL" ] || WHO='' MAIL=''
AGENT=${ASKED_AGENT:-${ECLUSE_AGENT:-$WHO}}
AGENT=$(printf %s "$AGENT" | jtext raw)
[ -n "$AGENT" ] || AGENT=agent
BRANCH=$(g symbolic-ref --quiet --short HEAD) || BRANCH='(detached)'
NOTETEXT=''
case $NOTE in
'') ;;
-) NOTETEXT=$(cat) ;;
*)
	case $NOTE in /*) ;; *) NOTE=$START/$NOTE ;; esac
	[ -r "$NOTE" ] || stop 2 file.missing "The note $NOTE cannot be read." 'check the name with: ls'
	NOTETEXT=$(cat -- "$NOTE") ;;
esac
[ -n "$TO" ] || TO=$TOP/${SYNC_DIR:-.sync}/patches
case ${SYNC_DIR:-} in /*) [ "$TO" != "$TOP/$SYNC_DIR/patches" ] || TO=$SYNC_DIR/patches ;; esac
case $TO in /*) ;; *) TO=$START/$TO ;; esac

# -- where the change starts -------------------------------------------------------------------------------------

g log -g --format='%H %gs' HEAD -- >"$SCRATCH/reflog" 2>/dev/null || : >"$SCRATCH/reflog"
TARGET=$(g rev-parse --abbrev-ref --symbolic-full-name '@{upstream}' 2>/dev/null) || TARGET=''
case $TARGET in
*/*) TARGET=${TARGET#*/} ;;
*)
	TARGET=$(sed -n 's/^[0-9a-f]* checkout: moving from \([^ ]*\) to .*/\1/p' "$SCRATCH/reflog" | tail -n 1)
	[ -n "$TARGET" ] && resolve "refs/heads/$TARGET" >/dev/null || TARGET=$(g symbolic-ref --quiet --short HEAD) || TARGET='' ;;
esac
HOW='none: whole history'
start_at() { # HOW REVISION: take it when it has a commit in common with HEAD
	[ -n "$2" ] && found=$(resolve "$2") && common=$(g merge-base "$found" "$HEAD" 2>/dev/null) && BASE=$(printf '%s\n' "$common" | sed -n 1p) && HOW=$1
}
shallow_end() {
	[ -f "$COMMON/shallow" ] || return 0
	while read -r oid; do
		if g merge-base --is-ancestor "$oid" HEAD 2>/dev/null; then echo "$oid"; return 0; fi
	done <"$COMMON/shallow"
}
TRUNK=$(g config --local --get ecluse.trunk) || TRUNK='' # in a work tree of the repository that `init` saw
[ "$TRUNK" != "$BRANCH" ] || TRUNK=''
if [ -n "$ASKED_BASE" ]; then
	start_at asked "$ASKED_BASE" || stop 2 export.base "$ASKED_BASE is no commit that HEAD comes from." 'git log --oneline --graph --all'
else
	start_at recorded "$(g config --local --get ecluse.base)" || start_at upstream '@{upstream}' ||
		start_at trunk "${TRUNK:+refs/heads/$TRUNK}" || start_at origin/HEAD refs/remotes/origin/HEAD ||
		start_at clone "$(sed -n 's/^\([0-9a-f]*\) clone:.*/\1/p' "$SCRATCH/reflog" | tail -n 1)" ||
		start_at shallow "$(shallow_end)"
fi
[ "$HOW" != trunk ] || TARGET=$TRUNK

# -- the uncommitted work as one commit, made beside the repository ------------------------------------------------

must git init -q --template= --bare "$SCRATCH/r"
mkdir -p "$SCRATCH/r/objects/info"
printf '%s\n' "$COMMON/objects" >"$SCRATCH/r/objects/info/alternates"
[ ! -f "$COMMON/shallow" ] || cp -- "$COMMON/shallow" "$SCRATCH/r/shallow"
: >"$SCRATCH/settings"
for key in core.autocrlf core.eol core.excludesfile; do
	if value=$(u config --get "$key"); then git config --file "$SCRATCH/settings" "$key" "$value"; fi
done
if [ -f "$GITDIR/index" ]; then cp -p -- "$GITDIR/index" "$SCRATCH/index"; else must x read-tree "$HEAD"; fi
x ls-files -v >"$SCRATCH/letters"
sed -n 's/^[a-z] //p' "$SCRATCH/letters" >"$SCRATCH/hidden"
[ ! -s "$SCRATCH/hidden" ] || x update-index --no-assume-unchanged --stdin <"$SCRATCH/hidden"
sed -n 's/^[Ss] //p' "$SCRATCH/letters" >"$SCRATCH/hidden"
if [ -s "$SCRATCH/hidden" ]; then # those that a sparse checkout left out are not there, and stay hidden
	x update-index --no-skip-worktree --stdin <"$SCRATCH/hidden"
	x ls-files -d | awk 'NR == FNR { gone[$0] = 1; next } $0 in gone' - "$SCRATCH/hidden" >"$SCRATCH/absent"
	[ ! -s "$SCRATCH/absent" ] || x update-index --skip-worktree --stdin <"$SCRATCH/absent"
fi
must x status --porcelain=v2 --untracked-files=all --ignored=matching --no-renames --ignore-submodules=none >"$SCRATCH/status"
SUBMODULE='only its commit id is carried, not its content'
STILL='what lies here is carried, commits that are still to come are not'
# rows: reason TAB detail TAB path
awk -v room="$SCRATCH" "$LIB"'
function leave(reason, detail, p) { print reason "\t" detail "\t" p > (room "/left") }
BEGIN { printf "" > (room "/left"); printf "" > (room "/tracked"); printf "" > (room "/untracked"); printf "" > (room "/origins") }
function track(words, p) { print p > (room "/tracked"); print words "\t" p > (room "/origins") }
/^1 / {
  sub_ = $3; states = $2; p = rest($0, 8)
  if (sub_ ~ /^S/) { leave("submodule", "'"$SUBMODULE"'", p); if (states == ".M" && substr(sub_, 2, 1) != "C") next }
  w = substr(states, 1, 1) != "." ? "staged" : ""
  if (substr(states, 2, 1) != ".") w = w (w ? "+" : "") "unstaged"
  track(w, p)
}
/^u / { p = rest($0, 10); track("unmerged", p); leave("unmerged", "carried as it lies in the checkout; the other side is not", p) }
/^\? / {
  p = substr($0, 3)
  if (bare(p) ~ /\/$/) leave("nested repository", "a repository of its own; export it from inside", p)
  else if (own(p)) leave("own", "", p)
  else if (tolower(bare(p)) ~ /(^|\/)\.envrc$/) leave("sensitive", "env-file", p) # a committed one travels: a person looks at it there
  else if ((rule = sensitive(p)) != "") leave("sensitive", rule, p)
  else print p > (room "/untracked")
}
/^! / { p = substr($0, 3); if (++ignored <= 500) leave(own(p) ? "own" : "ignored", "", p) }
END { if (ignored > 500) leave("ignored", "and " (ignored - 500) " more ignored paths", "") }
' "$SCRATCH/status" || stop 1 tool.failed 'awk could not read the status.' 'use cloud-export.py or ecluse export'
unfinished() { # NAME WHAT DETAIL: git keeps this of work that it was stopped in; the change would be less than the work
	[ ! -e "$GITDIR/$1" ] || printf 'unfinished %s\t%s\t%s\n' "$2" "$3" "$1" >>"$SCRATCH/left"
}
sed -n "s/^warning: could not open directory '\(.*\)': .*/unreadable${TAB}no permission to read it$TAB\1/p" "$SCRATCH/said" >>"$SCRATCH/left"
unfinished MERGE_HEAD merge 'what lies here is carried, that it comes from another branch too is not'
unfinished rebase-apply rebase "$STILL"
unfinished rebase-merge rebase "$STILL"

store() { # LIST [-c SETTING]: put the files into the index aside; what cannot be stored is left out and listed
	list=$1
	shift
	if [ ! -s "$list" ] || x ${1+"$@"} update-index --add --remove --replace --stdin <"$list" 2>/dev/null; then return 0; fi
	cp "$list" "$list.all" || have_room
	: >"$list"
	while IFS= read -r path; do
		said=$(printf '%s\n' "$path" | x ${1+"$@"} update-index --add --remove --replace --stdin 2>&1) && said=''
		case $said in *': No such file or directory'*) said=$(printf '%s\n' "$path" | x ${1+"$@"} update-index --add --remove --replace --stdin 2>&1) && said='' ;; esac # it went while git looked at it
		if [ -z "$said" ]; then
			printf '%s\n' "$path" >>"$list"
		elif printf %s "$said" | grep -q 'is beyond a symbolic link' || { printf %s "$said" | grep -q 'is a directory' && ! grep -qF "$TAB$path" "$SCRATCH/left"; }; then
			printf '%s\n' "$path" | x update-index --force-remove --stdin # a folder or a link took the place of a file
			printf '%s\n' "$path" >>"$list"
		else
			case $said in *'No space left'* | *'Out of diskspace'*) broken "git update-index failed: $said" ;; esac
			case $said in
			*': Permission denied'*) printf 'unreadable\tno permission to read it\t%s\n' "$path" ;;
			*) printf 'not storable\t%s\t%s\n' "$(printf %s "$said" | tr '\t' ' ' | sed -n 1p)" "$path" ;;
			esac >>"$SCRATCH/left"
			printf '%s\n' "$path" >>"$SCRATCH/unfit"
		fi
	done <"$list.all"
}
take_out() { # LIST: give these paths of the index aside what HEAD has there
	x update-index --force-remove --stdin <"$1"
	g ls-tree -r --full-tree "$HEAD" | awk -F '\t' 'NR == FNR { gone[$0] = 1; next } $2 in gone' "$1" - | x update-index --index-info
	awk -F '\t' 'NR == FNR { gone[$0] = 1; next } !($0 in gone)' "$1" "$SCRATCH/untracked" >"$SCRATCH/kept" && mv "$SCRATCH/kept" "$SCRATCH/untracked"
	awk -F '\t' 'NR == FNR { gone[$0] = 1; next } !($2 in gone)' "$1" "$SCRATCH/origins" >"$SCRATCH/kept" && mv "$SCRATCH/kept" "$SCRATCH/origins"
}
: >"$SCRATCH/unfit"
store "$SCRATCH/tracked"
store "$SCRATCH/untracked" -c core.autocrlf=false
[ ! -s "$SCRATCH/unfit" ] || take_out "$SCRATCH/unfit"
cat "$SCRATCH/tracked" "$SCRATCH/untracked" >"$SCRATCH/mine"
x ls-files -s | awk -F '\t' 'NR == FNR { mine[$0] = 1; next } ($2 in mine) && $1 !~ /^16/ { split($1, f, " "); print f[2] " " $2 }' "$SCRATCH/mine" - |
	x cat-file --batch-check='%(objectsize) %(rest)' | awk -v cap="$FILE_CAP" '$1 > cap + 0' >"$SCRATCH/large"
if [ -s "$SCRATCH/large" ]; then
	awk -v cap="$FILE_CAP" 'function spell(n) { n = n ""; return length(n) > 3 ? spell(substr(n, 1, length(n) - 3)) "," substr(n, length(n) - 2) : n }
	{ n = $1; sub(/^[0-9]+ /, ""); print "too large\t" spell(n) " bytes, the cap is " spell(cap) "\t" $0 }' "$SCRATCH/large" >>"$SCRATCH/left"
	sed 's/^[0-9]* //' "$SCRATCH/large" >"$SCRATCH/out" && take_out "$SCRATCH/out"
fi
grep '\.tar"\{0,1\}$' "$SCRATCH/untracked" | while IFS= read -r path; do # a bundle of ours as one .tar
	oid=$(x ls-files -s | awk -F '\t' -v p="$(printf %s "$path" | sed 's/\\/\\\\/g')" '$2 == p { split($1, f, " "); print f[2] }')
	if x cat-file blob "$oid" | dd bs=100 count=1 2>/dev/null | tr '\000' '\n' | sed -n 1p | grep -q '^sync_cloud_[0-9]*_[0-9_]*\.json$'; then
		printf '%s\n' "$path"
	fi
done >"$SCRATCH/out"
if [ -s "$SCRATCH/out" ]; then
	sed "s/^/own$TAB$TAB/" "$SCRATCH/out" >>"$SCRATCH/left"
	take_out "$SCRATCH/out"
fi

# -- secrets: names of files, and shapes of tokens in what is added ------------------------------------------------

N='[A-Za-z0-9_-]' A='[A-Za-z0-9]'
SHAPES="(AKIA|ASIA)[A-Z2-7]{16}|gh[pousr]_$A{36}|github_pat_[A-Za-z0-9_]{22}|gl(pat|dt|rt)-$N{20}|xox[bpars]-[A-Za-z0-9-]{20}"
SHAPES="$SHAPES|hooks[.]slack[.]com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/$A{16}|[sr]k_live_$A{16}|sk-ant-$N{24}"
SHAPES="$SHAPES|sk-(proj-|svcacct-|admin-)$N{24}|sk-$A{40}|AIza[A-Za-z0-9_-]{35}|GOCSPX-$N{24}|npm_$A{36}|pypi-AgE$N{50}"
SHAPES="$SHAPES|eyJ$N{10,}[.]eyJ$N{10,}[.]$N{16}|-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----"
ZERO=$(printf '\001')
SHAPES="$SHAPES|[a-z][a-z0-9+.-]*://[^ :/@'\"<>\${}]+:[^ :/@'\"<>\${}]{8,}@$A"
scan_diff() { # standard input: a patch; prints LINE TAB RULE TAB PATH for every added line that holds a secret
	tr '\000' '\001' >"$SCRATCH/diff"
	if grep -q "$ZERO" "$SCRATCH/diff"; then # UTF-16 and UTF-32: eight characters or more, a zero byte (or three) apart
		mv "$SCRATCH/diff" "$SCRATCH/wide"
		awk 'function narrow(gap,  c, run, rest, piece) {
		  c = "[\t\r -~]" gap; run = c c c c c c c "(" c ")*[\t\r -~]"; rest = $0; $0 = ""
		  while (match(rest, run)) { piece = substr(rest, RSTART, RLENGTH); gsub(/\001/, "", piece); $0 = $0 substr(rest, 1, RSTART - 1) piece; rest = substr(rest, RSTART + RLENGTH) }
		  $0 = $0 rest
		}
		/\001/ { narrow("\001\001\001"); narrow("\001") }
		{ print }' "$SCRATCH/wide" >"$SCRATCH/diff"
	fi
	grep -nE "^[+].*($SHAPES)" "$SCRATCH/diff" 2>/dev/null | cut -d: -f1 >"$SCRATCH/hits"
	[ -s "$SCRATCH/hits" ] || return 0
	awk "$LIB"'
	function flush(  i) { for (i = 1; i <= held; i++) if (!index(gone, value[i])) print where[i] "\ttoken or key\t" path; held = 0; gone = "" }
	function keep(v) { value[++held] = v; where[held] = at }
	NR == FNR { hit[$1] = 1; next }
	left <= 0 && right <= 0 {
	  if ($0 ~ /^diff --git /) flush()
	  if (substr($0, 1, 4) == "+++ ") { path = substr($0, 5); sub(/\t$/, "", path); sub(/^"b\//, "\"", path); sub(/^b\//, "", path) }
	  if ($0 ~ /^@@ -/) { split($0, f, " "); split(f[2], l, ","); split(f[3], r, ","); left = f[2] ~ /,/ ? l[2] + 0 : 1; right = f[3] ~ /,/ ? r[2] + 0 : 1; at = substr(r[1], 2) - 1 }
	  key = ""; next
	}
	/^-/ { left--; if (length($0) < 4096 && length(gone) < 1000000 && $0 ~ /[A-Za-z0-9_-][A-Za-z0-9_-][A-Za-z0-9_-][A-Za-z0-9_-]/) gone = gone "\n" $0; next }
	/^ / || /^$/ { left--; right--; at++; next }
	/^[+]/ {
	  right--; at++
	  if (key != "" && $0 ~ /[A-Za-z0-9+\/=][A-Za-z0-9+\/=][A-Za-z0-9+\/=][A-Za-z0-9+\/=][A-Za-z0-9+\/=][A-Za-z0-9+\/=][A-Za-z0-9+\/=][A-Za-z0-9+\/=]/ && $0 !~ /: /) { keep(key); key = "" }
	  if (!(FNR in hit)) next
	  s = substr($0, 2)
	  if (s ~ /-----BEGIN [A-Z0-9 ]*PRIVATE KEY/) { key = s; t = s; sub(/.*PRIVATE KEY[A-Z ]*-----/, "", t); if (length(t) > 32) keep(s); next }
	  if (match(s, /(AKIA|ASIA|gh[pousr]_|github_pat_|gl(pat|dt|rt)-|xox[bpars]-|[sr]k_live_|sk-|AIza|GOCSPX-|npm_|pypi-AgE|eyJ|hooks[.]slack[.]com\/)[A-Za-z0-9_.\/-]+/)) v = substr(s, RSTART, RLENGTH)
	  else if (match(s, /:\/\/[^ :\/@]+:[^ :\/@]+@/)) { v = substr(s, RSTART, RLENGTH); sub(/^:\/\/[^:]*:/, "", v) }
	  else v = s
	  if (tolower(v) !~ /example|sample|dummy|placeholder|change.?me|your[_-]|xxxx|redacted|todo|fake|^\$/) keep(v)
	}
	END { flush() }' "$SCRATCH/hits" "$SCRATCH/diff"
}
patch_of() { t diff-tree -r -p --text --no-renames --no-color --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ "$@"; }
make_tree() { TREE=$(x write-tree --missing-ok 2>"$SCRATCH/said") || broken "git write-tree failed: $(cat "$SCRATCH/said")"; }
make_tree
if [ -s "$SCRATCH/untracked" ]; then
	patch_of "$HEAD^{tree}" "$TREE" | scan_diff >"$SCRATCH/found"
	awk -F '\t' 'NR == FNR { mine[$0] = 1; next } ($3 in mine) && !seen[$3]++ { print "sensitive\tline " $1 ": " $2 "\t" $3 }' "$SCRATCH/untracked" "$SCRATCH/found" >"$SCRATCH/rows"
	if [ -s "$SCRATCH/rows" ]; then
		cat "$SCRATCH/rows" >>"$SCRATCH/left"
		cut -f 3 "$SCRATCH/rows" >"$SCRATCH/out" && take_out "$SCRATCH/out"
		make_tree
	fi
fi
sed "s/^/untracked$TAB/" "$SCRATCH/untracked" >>"$SCRATCH/origins"

WORK=''
TIP=$HEAD
if [ "$TREE" != "$(t rev-parse "$HEAD^{tree}")" ]; then
	WHEN=$({ t log -1 --format='  mtime: %ct:0' "$HEAD"; x ls-files --debug | awk -F '\t' 'NR == FNR { mine[$2] = 1; next } /^  mtime: [0-9]+:/ { if (use) print; next } /^  / { next } { use = ($0 in mine) }' "$SCRATCH/origins" -; } |
		awk -F '[ :]+' -v now="$(date +%s)" '$3 + 0 > m && (NR == 1 || $3 + 0 <= now + 0) { m = $3 + 0 } END { printf "%.0f", m }')
	NAME=${WHO:-$(somebody "$AGENT")} EMAIL=${MAIL:-agent@localhost}
	NAME=${NAME:-agent}
	WORK=$(printf 'Uncommitted work\n\nStaged, unstaged and untracked files as they were at the export.\n\nEcluse-Uncommitted: yes\n' |
		GIT_AUTHOR_NAME=$NAME GIT_AUTHOR_EMAIL=$EMAIL GIT_COMMITTER_NAME=$NAME GIT_COMMITTER_EMAIL=$EMAIL \
			GIT_AUTHOR_DATE="$WHEN +0000" GIT_COMMITTER_DATE="$WHEN +0000" git --git-dir="$SCRATCH/r" commit-tree -p "$HEAD" "$TREE" 2>"$SCRATCH/said") ||
		broken "git commit-tree failed: $(cat "$SCRATCH/said")"
	TIP=$WORK
else
	: >"$SCRATCH/origins"
fi
if [ "$TIP" = "$BASE" ]; then
	LOUD=$(awk -F '\t' '$1 != "ignored" && $1 != "own" { print $3 " (" $1 ")" }' "$SCRATCH/left" | tr '\n' ' ')
	stop 2 export.empty "There is nothing to hand over: no commit since the base and no uncommitted work.${LOUD:+ Left out: $LOUD}" 'make a change first, or name an older start with --base REV'
fi
range() { if [ -n "$BASE" ]; then t "$@" "^$BASE" "$TIP"; else t "$@" "$TIP"; fi; }
t diff-tree -r --raw --no-renames --no-abbrev "${BASE:-$EMPTY_TREE}" "$TIP" >"$SCRATCH/raw"
range rev-list --topo-order --reverse >"$SCRATCH/commits"
REAL=$(awk -v w="$WORK" '$0 != w { n++ } END { print n + 0 }' "$SCRATCH/commits")
FILES=$(awk 'END { print NR }' "$SCRATCH/raw")
awk -F '\t' -v why="$SUBMODULE" 'FILENAME ~ /left$/ { if ($1 == "submodule") said[$3] = 1; next } $1 ~ /^:[0-9]* 160000 / && !($2 in said) { print "submodule\t" why "\t" $2 }' "$SCRATCH/left" "$SCRATCH/raw" >"$SCRATCH/rows"
cat "$SCRATCH/rows" >>"$SCRATCH/left"
{
	{ cat "$SCRATCH/raw"; t diff-tree --stdin -r -c --root --raw --no-renames --no-abbrev <"$SCRATCH/commits"; } |
		awk -F '\t' "$LIB"'/^:/ { k = split($1, f, " "); mode = f[(k - 1) / 2]
		  if ($1 !~ / D+$/ && mode ~ /^100/ && (rule = sensitive($2)) != "") print $2 " is a file that holds secrets: " rule }'
	range log -p --text --no-merges --format= --no-renames --no-color --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ | scan_diff | awk -F '\t' '{ print $3 " line " $1 ": " $2 }'
	patch_of "${BASE:-$EMPTY_TREE}" "$TIP" | scan_diff | awk -F '\t' '{ print $3 " line " $1 ": " $2 }'
	if range log --format=%B | grep -qE "$SHAPES"; then echo 'a commit message holds a token or a key'; fi
} | sort -u >"$SCRATCH/secrets"
if [ -s "$SCRATCH/secrets" ]; then
	WHERE=$(sed -n 1,5p "$SCRATCH/secrets" | tr '\n' ';')
	stop 4 secret.found "Nothing was exported, because it holds what looks like a secret: $WHERE the value is not shown." 'take it out of the file and of the commits (git reset --soft BASE, edit, commit again), then export again'
fi

# -- checks: what can be checked with what is here; nothing of the change is executed -------------------------------

TREE=$(t rev-parse "$TIP^{tree}")
CHECK=skipped DETAIL='no Python file changed'
BEGAN=$(date +%s)
if [ "$LEVEL" = minimal ] && awk -F '\t' '$1 !~ /D$/ && $1 ~ /^:[0-9]* 100/ && $2 ~ /\.pyi?"?$/ { split($1, f, " "); print f[4] "\t" $2 }' "$SCRATCH/raw" >"$SCRATCH/python" && [ -s "$SCRATCH/python" ]; then
	if command -v python3 >/dev/null; then
		wrong='' count=0
		while IFS=$TAB read -r oid path; do
			count=$((count + 1))
			said=$(t cat-file blob "$oid" | python3 -I -S -c 'import ast, sys, warnings
warnings.simplefilter("ignore")
try:
    compile(sys.stdin.buffer.read(), "change", "exec", flags=ast.PyCF_ONLY_AST, dont_inherit=True)
except Exception as error:
    print("%s: %s" % (getattr(error, "lineno", 0), getattr(error, "msg", "") or type(error).__name__))' 2>/dev/null) || said='0: the parser could not cope'
			[ -z "$said" ] || wrong="$wrong$path:$said; "
		done <"$SCRATCH/python"
		CHECK=success DETAIL="$count Python files"
		if [ -n "$wrong" ]; then
			CHECK=failure DETAIL=$wrong
			python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || CHECK=skipped DETAIL="the Python here is too old to tell; judged at import: $wrong"
		fi
	else
		DETAIL='there is no python3 here; checked at import'
	fi
fi
SPENT=$(($(date +%s) - BEGAN))000
LYING=$({ [ -z "$WORK" ] || awk -F '\t' '{ c[$1]++ } END { for (o in c) print c[o], o }' "$SCRATCH/origins" | LC_ALL=C sort -k 2; awk -F '\t' '$1 != "ignored" && $1 != "own" { n++ } END { if (n) print n, "left out" }' "$SCRATCH/left"; } |
	awk '{ n = $1; sub(/^ *[0-9]+ /, ""); s = s (s == "" ? "" : ", ") n " " $0 } END { print (s == "" ? "clean" : s) }')
[ "$CHECK" != failure ] || [ "$RED" = yes ] || stop 5 export.red "Nothing was exported, because a check is red: python-syntax: $DETAIL." 'fix it, or add --allow-red'

# -- which change it is: an id that stays over re-exports ----------------------------------------------------------

MEMORY=$COMMON/ecluse/exports.json
take_turn
KEY=$(printf %s "$BRANCH" | jtext name)
: >"$SCRATCH/memory"
[ ! -f "$MEMORY" ] || awk '
NR == 1 { good = $0 == "{" || $0 == "{}" }
/^ "/ { key = $0; sub(/^ /, "", key); sub(/: [{]$/, "", key); next }
/^  "/ { name = $1; gsub(/[":]/, "", name); value = $2; gsub(/[",]/, "", value); got[name] = value }
/^ [}]/ { print key "\t" got["id"] "\t" got["revision"] "\t" got["head"] "\t" got["base"]; split("", got) }
END { exit !good }' "$MEMORY" >"$SCRATCH/memory" 2>/dev/null || { [ ! -f "$MEMORY" ] || MEMORY=''; : >"$SCRATCH/memory"; }
LAST=$(K=$KEY awk -F '\t' '$1 == ENVIRON["K"] { print $2 " " $3 " " $4 }' "$SCRATCH/memory")
if [ -z "$LAST" ] && [ -d "$TO" ]; then
	set +f
	for file in "$TO"/sync_cloud_*.json; do [ ! -f "$file" ] || printf '%s\n' "$file"; done | tail -n 50 >"$SCRATCH/outputs"
	set -f
	while IFS= read -r file; do
		K=$KEY awk '/^ "/ { part = $1 } /^  "branch": / { b = substr($0, 13); sub(/,$/, "", b) }
		/^  "(id|revision)": / && part == "\"change\":" { v = $2; gsub(/[",]/, "", v); if ($1 ~ /id/) id = v; else r = v }
		/^  "commit": / && part == "\"head\":" { h = $2; gsub(/[",]/, "", h) }
		END { if (b == ENVIRON["K"] && id != "") print id " " r " " h }' "$file"
	done <"$SCRATCH/outputs" | awk '{ if (!n || $2 + 0 >= r || $1 != id) { id = $1; r = $2 + 0; all = $0; n = 1 } } END { if (n) print all }' >"$SCRATCH/last"
	LAST=$(cat "$SCRATCH/last")
fi
LASTHEAD=${LAST##* }
if [ -n "$LAST" ] && { [ -z "$BASE" ] || ! resolve "$LASTHEAD" >/dev/null || ! g merge-base --is-ancestor "$LASTHEAD" "$BASE" 2>/dev/null; }; then
	ID=${LAST%% *}
	REVISION=${LAST#* }
	REVISION=$((${REVISION%% *} + 1))
else
	ID=chg-$({ date +%s; od -An -N6 -tu1 /dev/urandom 2>/dev/null || echo $$ $$ $$ $$ $$ $$; } | tr '\n' ' ' | awk '{
	  a = "0123456789abcdefghjkmnpqrstvwxyz"; t = $1 * 1000 + ($2 * 256 + $3) % 1000
	  for (i = 0; i < 8; i++) { s = substr(a, t % 32 + 1, 1) s; t = int(t / 32) }
	  for (i = 4; i < 8; i++) s = s substr(a, $i % 32 + 1, 1); print s }')
	REVISION=1
fi
if [ -n "$MEMORY" ] && mkdir -p "$COMMON/ecluse" 2>/dev/null; then
	{ K=$KEY awk -F '\t' '$1 != ENVIRON["K"]' "$SCRATCH/memory"; printf '%s\t%s\t%s\t%s\t%s\n' "$KEY" "$ID" "$REVISION" "$TIP" "$BASE"; } |
		awk -F '\t' 'BEGIN { print "{" } { printf "%s %s: {\n  \"id\": \"%s\",\n  \"revision\": %s,\n  \"head\": \"%s\",\n  \"base\": \"%s\"\n }", (NR > 1 ? ",\n" : ""), $1, $2, $3, $4, $5 } END { printf "\n}" }' >"$SCRATCH/new" &&
		cp "$SCRATCH/new" "$MEMORY.$$.part" 2>/dev/null && mv -f "$MEMORY.$$.part" "$MEMORY" || rm -f "$MEMORY.$$.part" 2>/dev/null
fi
end_turn

# -- digests: SHA-256 by a tool that is there, else by the shell's own arithmetic (64 bits, slow) --------------------

sha_program() {
	awk 'function rot(x, n) { return "((" x ">>" n ")|(" x "<<" 32 - n "))" }
	BEGIN {
	  for (p = 2; n < 64; p++) { prime = 1; for (d = 2; d * d <= p; d++) if (p % d == 0) { prime = 0; break } if (prime) P[n++] = p }
	  v = "a b c d e f g h"; split(v, V, " "); M = "&4294967295"
	  printf "sha_start() {\n"
	  for (i = 0; i < 8; i++) { x = sqrt(P[i]); printf "s%d=%.0f\n", i, int((x - int(x)) * 4294967296) }
	  printf "}\nsha_block() {\na=$s0 b=$s1 c=$s2 d=$s3 e=$s4 f=$s5 g=$s6 h=$s7\n"
	  for (t = 0; t < 64; t++) {
	    for (i = 0; i < 8; i++) R[i] = V[(i - t % 8 + 8) % 8 + 1]
	    w = "w" t % 16; y = "w" (t + 1) % 16; z = "w" (t + 14) % 16
	    if (t > 15) printf ": $((%s=(%s+((%s^%s^(%s>>3))%s)+w%d+((%s^%s^(%s>>10))%s))%s))\n", w, w, rot(y, 7), rot(y, 18), y, M, (t + 9) % 16, rot(z, 17), rot(z, 19), z, M, M
	    x = P[t] ^ (1 / 3)
	    printf ": $((%s=%s+((%s^%s^%s)%s)+((%s&%s)^((%s^4294967295)&%s))+%.0f+%s)) $((%s=(%s+%s)%s)) ", R[7], R[7], rot(R[4], 6), rot(R[4], 11), rot(R[4], 25), M, R[4], R[5], R[4], R[6], int((x - int(x)) * 4294967296), w, R[3], R[3], R[7], M
	    printf "$((%s=(%s+((%s^%s^%s)%s)+((%s&%s)^(%s&%s)^(%s&%s)))%s))\n", R[7], R[7], rot(R[0], 2), rot(R[0], 13), rot(R[0], 22), M, R[0], R[1], R[0], R[2], R[1], R[2], M
	  }
	  for (i = 0; i < 8; i++) printf ": $((s%d=(s%d+%s)%s))\n", i, i, V[i + 1], M
	  print "}"
	}'
}
sha_here() { # FILE
	(
		eval "$(sha_program)"
		sha_start
		od -An -v -tu1 "$1" | awk '
		function put(b) { v = v * 256 + b; if (++k % 4 == 0) { printf "%.0f%s", v, k % 64 ? " " : "\n"; v = 0 } }
		{ for (i = 1; i <= NF; i++) { put($i); n++ } }
		END { put(128); while (k % 64 != 56) put(0); n *= 8; for (i = 7; i >= 0; i--) put(int(n / 256 ^ i) % 256) }' >"$SCRATCH/words"
		while read -r w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15; do sha_block; done <"$SCRATCH/words"
		printf '%08x%08x%08x%08x%08x%08x%08x%08x\n' "$s0" "$s1" "$s2" "$s3" "$s4" "$s5" "$s6" "$s7"
	)
}
sha() { # FILE
	if command -v sha256sum >/dev/null; then sha256sum <"$1"
	elif command -v shasum >/dev/null; then shasum -a 256 <"$1"
	elif command -v openssl >/dev/null; then openssl dgst -sha256 -r <"$1"
	else sha_here "$1"; fi | cut -c 1-64
}

# -- publication: written aside, renamed into place, the manifest last ---------------------------------------------

no_room() { stop 1 storage "$TO cannot be written to." 'make room, or name another folder with --to'; }
if [ -e "$TO" ] && [ ! -d "$TO" ]; then stop 2 export.to "$TO is a file." 'name a folder with --to'; fi
case $TO in
"$TOP/${SYNC_DIR:-.sync}/patches") own_folder "$TO" || no_room ;;
*) mkdir -p -- "$TO" 2>/dev/null || no_room ;;
esac
TO=$(cd -- "$TO" && pwd) || no_room
have_room
claim "$TO" sync_cloud_ .bundle || no_room
CLAIM=$CLAIMED
ASIDE=$TO/.export-$STAMP-$$
mkdir -- "$ASIDE" || no_room
STEM=sync_cloud_$STAMP
must t update-ref "$REF" "$TIP"
if [ -n "$BASE" ]; then
	must t bundle create -q --version=2 "$ASIDE/$STEM.bundle" "^$BASE" "$REF"
else
	must t bundle create -q --version=2 "$ASIDE/$STEM.bundle" "$REF"
fi
PATCHED=yes
if ! t -c core.quotePath=false diff-tree -r -p --binary --full-index --no-renames --no-color --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ \
	--output="$ASIDE/$STEM.patch" "${BASE:-$EMPTY_TREE}" "$TIP" 2>"$SCRATCH/said"; then
	# a partial clone may lack the former content of what the change touches
	ls "$COMMON/objects/pack" | grep -q '[.]promisor$' || broken "git diff-tree failed: $(cat "$SCRATCH/said")"
	PATCHED=no
fi
payload() { # KIND: its row, and the totals
	size=$(($(wc -c <"$ASIDE/$STEM.$1")))
	sum=$(sha "$ASIDE/$STEM.$1")
	printf '  {\n   "kind": "%s",\n   "name": "%s",\n   "sha256": "%s",\n   "size": %s\n  }' "$1" "$STEM.$1" "$sum" "$size"
}
PAYLOADS=$(payload bundle)
PATCHSIZE=$(($(wc -c <"$ASIDE/$STEM.patch")))
SIZE=$(($(wc -c <"$ASIDE/$STEM.bundle")))
OMITTED='' PATCHNAME=$STEM.patch
if [ "$PATCHED" = no ] || [ "$PATCHSIZE" -gt "$PATCH_CAP" ]; then
	WHY='too large'
	[ "$PATCHED" = yes ] || WHY='objects missing' PATCHSIZE=0
	OMITTED=",$NL \"omitted_payloads\": [$NL  {$NL   \"kind\": \"patch\",$NL   \"reason\": \"$WHY\",$NL   \"size\": $PATCHSIZE$NL  }$NL ]"
	rm -f "$ASIDE/$PATCHNAME"
	PATCHNAME='' PATCHSIZE=0
else
	PAYLOADS="$PAYLOADS,$NL$(payload patch)"
	SIZE=$((SIZE + PATCHSIZE))
fi
if [ "$REAL" -gt 0 ] && [ -n "$WORK" ]; then KIND=mixed; elif [ -n "$WORK" ]; then KIND=uncommitted; else KIND=commits; fi
if [ "$REAL" -gt 0 ]; then t log -1 --format=%B "$HEAD" >"$SCRATCH/title"; else printf '%s\n' "$NOTETEXT" | sed '/[^ ]/,$!d' >"$SCRATCH/title"; fi
TITLE=$(jtext clean <"$SCRATCH/title")
[ "$TITLE" != '""' ] || TITLE='"uncommitted work"'
AGENTJSON=$(printf %s "$AGENT" | jtext clean)
rows() { # what awk prints between brackets, as Python lays it out
	awk -F '\t' "$LIB"'function row(s) { printf "%s%s", (count++ ? ",\n" : "[\n"), s } END { printf "%s", count ? "\n '"$1"']" : "[]" }'"$2" "$3" "$4"
}
rows '' 'FILENAME ~ /origins$/ { origin[$2] = $1; next } {
  n = unquote($2); split($1, f, " "); s = "  {\n   \"path\": " say(n, "path"); valid = VALID
  s = s ",\n   \"status\": \"" substr(f[5], 1, 1) "\",\n   \"mode\": \"" f[2] "\",\n   \"blob\": \"" f[4] "\",\n   \"origin\": \"" ($2 in origin ? origin[$2] : "committed") "\""
  if (!valid) s = s ",\n   \"path_b64\": \"" base64(n) "\""
  row(s "\n  }") }' "$SCRATCH/origins" "$SCRATCH/raw" >"$SCRATCH/files"
rows ' ' '{ row("   " say(unquote($2), "path")) }' "$SCRATCH/raw" /dev/null >"$SCRATCH/modified"
rows '' '{ n = unquote($3); s = "  {\n   \"path\": " say(n, "shown") ",\n   \"reason\": \"" $1 "\""
  if ($2 != "") { n = unquote($2); s = s ",\n   \"detail\": " say(n, "clean") }
  row(s "\n  }") }' "$SCRATCH/left" /dev/null >"$SCRATCH/not_carried"
ROOTS=''
if [ ! -f "$COMMON/shallow" ]; then
	ROOTS=$(g rev-list --max-parents=0 "$HEAD" | awk 'NR <= 10 { printf "%s\"%s\"", (NR > 1 ? ", " : ""), $0 }')
fi
REMOTE=$(g remote | awk '$0 == "origin" { o = 1 } !n++ { first = $0 } END { print o ? "origin" : first }')
[ -z "$REMOTE" ] || REMOTE=$(g config --local --get "remote.$REMOTE.url") || REMOTE=''
REMOTE=$(printf %s "$REMOTE" | sed -e '/:\/\//s/[?].*//' -e 's/^\([Hh][Tt][Tt][Pp][Ss]\{0,1\}:\/\/\)[^/@]*@/\1/' -e 's/^\([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/@:]*\):[^/@]*@/\1@/' | jtext clean)
check() { # NAME RESULT DETAIL MILLISECONDS
	printf '  {\n   "name": "%s",\n   "level": "minimal",\n   "result": "%s",\n   "detail": %s,\n   "duration_ms": %s,\n   "tree": "%s"\n  }' "$1" "$2" "$(printf %s "$3" | jtext clean)" "${4:-0}" "$TREE"
}
word() { printf %s "$1" | jtext clean; }
{
	printf '{\n "schema": "ecluse-change/1",\n "export_timestamp": "%s",\n "export_date": "%s",\n' "$STAMP" "$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)"
	printf ' "git": {\n  "branch": %s,\n  "last_commit": "%s",\n  "last_commit_message": %s,\n' "$(printf %s "$BRANCH" | jtext name)" "$HEAD" "$(g log -1 --format=%s HEAD -- | jtext clean)"
	printf '  "commits_ahead": %s,\n  "uncommitted_changes": %s\n },\n' "$REAL" "$([ -n "$WORK" ] && echo true || echo false)"
	printf ' "patch": {\n  "filename": "%s",\n  "type": "%s",\n  "size_bytes": %s,\n  "modified_files": ' "$PATCHNAME" "$KIND" "$PATCHSIZE"
	cat "$SCRATCH/modified"
	printf '\n },\n "status": "exported",\n "agent": %s,\n' "$AGENTJSON"
	printf ' "agent_details": {\n  "tool": %s,\n  "model": %s,\n  "session": %s,\n  "task": %s,\n  "cost": %s\n },\n' "$(word "${ECLUSE_AGENT_TOOL:-}")" "$(word "${ECLUSE_AGENT_MODEL:-}")" "$(word "${ECLUSE_AGENT_SESSION:-}")" "$(word "${ECLUSE_AGENT_TASK:-}")" "$(word "${ECLUSE_AGENT_COST:-}")"
	printf ' "change": {\n  "id": "%s",\n  "revision": %s,\n  "title": %s\n },\n' "$ID" "$REVISION" "$TITLE"
	printf ' "base": {\n  "commit": "%s",\n  "tree": "%s"\n },\n' "$BASE" "$([ -z "$BASE" ] || t rev-parse "$BASE^{tree}")"
	printf ' "head": {\n  "commit": "%s",\n  "tree": "%s"\n },\n' "$TIP" "$TREE"
	printf ' "target": %s,\n "uncommitted": "%s",\n "note": %s,\n "files": ' "$(printf %s "$TARGET" | jtext clean)" "$WORK" "$(printf %s "$NOTETEXT" | jtext lines)"
	cat "$SCRATCH/files"
	printf ',\n "not_carried": '
	cat "$SCRATCH/not_carried"
	printf ',\n "validations": '
	if [ "$LEVEL" = none ]; then printf '[\n'; else printf '[\n%s,\n' "$(check python-syntax "$CHECK" "$DETAIL" "$((SPENT + 0))")"; fi
	if [ "$LEVEL" != none ]; then
		printf '%s,\n' "$(check git-status success "$LYING")"
		[ -z "$(t ls-tree "$TIP" -- package.json)" ] || printf '%s,\n' "$(check build skipped 'not checked: this exporter runs nothing of the change; ecluse validate does')"
	fi
	printf '%s\n ],\n' "$(check secrets success 'names of files, providers'\'' tokens, private keys, passwords in addresses; assignments of random values are judged at import')"
	printf ' "payloads": [\n%s\n ],\n "repository": {\n  "roots": [%s],\n  "remote": %s\n },\n "generator": "%s"%s\n}\n' "$PAYLOADS" "$ROOTS" "$REMOTE" "$VERSION" "$OMITTED"
} >"$ASIDE/$STEM.json" || no_room
plain() { printf %s "$1" | jtext raw; }
{
	printf 'Change %s, revision %s: %s\n' "$ID" "$REVISION" "$(if [ "$TITLE" = '"uncommitted work"' ]; then echo uncommitted work; else jtext raw <"$SCRATCH/title"; fi)"
	printf 'by %s, %s files, exported %s\n\n1. Carry these files together:\n' "$AGENT" "$FILES" "$STAMP"
	for file in "$STEM.json" "$STEM.bundle" $PATCHNAME; do
		printf '   %s  %s bytes\n     sha256 %s\n' "$file" "$(($(wc -c <"$ASIDE/$file")))" "$(sha "$ASIDE/$file")"
	done
	printf '\n2. In the repository that receives it, type:\n   ecluse import %s --land\n' "$STEM.json"
	printf '\nWithout Ecluse, with plain git (you judge it yourself):\n   git bundle verify %s\n' "$STEM.bundle"
	printf '   git fetch %s +%s:incoming/%s\n   git log -p %sincoming/%s\n' "$STEM.bundle" "$REF" "$ID" "${BASE:+$BASE..}" "$ID"
	printf '   git merge incoming/%s\n' "$ID"
	[ ! -s "$SCRATCH/left" ] || { printf '\nNot carried:\n'; awk -F '\t' '{ print "   " $3 "  (" $1 ")" }' "$SCRATCH/left"; }
	[ -z "$NOTETEXT" ] || printf '\nNote:\n%s\n' "$NOTETEXT"
} >"$ASIDE/INSTRUCTIONS_$STAMP.txt" || no_room
for file in "$STEM.bundle" $PATCHNAME "INSTRUCTIONS_$STAMP.txt" "$STEM.json"; do
	mv -f -- "$ASIDE/$file" "$TO/$file" || no_room
done
PLACE=$TO/$STEM.json

# -- the answer --------------------------------------------------------------------------------------------------

{
	printf '[OK] %s revision %s\n  based on %.12s (%s), head %.12s\n  carried: %s file(s)\n' "$ID" "$REVISION" "${BASE:-nothing}" "$HOW" "$TIP" "$FILES"
	awk -F '\t' 'FILENAME ~ /origins$/ { o[$2] = $1; next } FNR <= 40 { split($1, f, " "); print "    " f[5] " " $2 "  (" ($2 in o ? o[$2] : "committed") ")" }' "$SCRATCH/origins" "$SCRATCH/raw"
	awk -F '\t' '$1 != "ignored" && $1 != "own" { print "  [!] NOT carried: " $3 " (" $1 ": " $2 ")" }' "$SCRATCH/left"
	printf '  python-syntax: %s (%s)\n' "$CHECK" "$DETAIL"
} >&2
STATUS=0 OUTCOME=success
if [ "$ACCEPT" = no ] && awk -F '\t' '$1 != "ignored" && $1 != "own" { found = 1 } END { exit !found }' "$SCRATCH/left"; then
	STATUS=3 OUTCOME=partial
	echo '[!] something was left out: look at the list, then type the same with --accept-omissions' >&2
fi
if [ "$JSON" = yes ]; then
	printf '{\n "schema_version": 1,\n "change_id": "%s",\n "revision": %s,\n "path": %s,\n "base": "%s",\n "head": "%s",\n "tree": "%s",\n "files": ' "$ID" "$REVISION" "$(printf %s "$PLACE" | jtext path)" "$BASE" "$TIP" "$TREE"
	cat "$SCRATCH/files"
	printf ',\n "not_carried": '
	cat "$SCRATCH/not_carried"
	printf ',\n "payloads": [\n%s\n ]\n}\n' "$PAYLOADS"
else
	printf '%s\nImport it where it is to land: ecluse import %s\n' "$PLACE" "$PLACE"
fi
journal "$OUTCOME" '' "$ID revision $REVISION"
clean_up
exit "$STATUS"
