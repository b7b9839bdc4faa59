# shellcheck shell=sh disable=SC2120
# Sourced by the cases. Gives the directories $L (lower), $U (upper), $W (work), $M (mount point), all below the case's own $T.
set -eu
L=$T/lower U=$T/upper W=$T/work M=$T/mnt
mkdir -p "$L" "$U" "$W" "$M"
PYTHON=${PYTHON:-/usr/bin/python3}

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

skip() {
	echo "SKIP: $*"
	exit 77
}

is() {
	[ "$1" = "$2" ] || fail "${3:-}: expected '$2', got '$1'"
}

gone() {
	for path; do
		[ ! -e "$path" ] && [ ! -L "$path" ] || fail "$path is still there"
	done
}

# fails STATUS PATTERN COMMAND…: the command must end with that status ("-" for any but 0) and say something like the pattern.
fails() {
	want=$1 pattern=$2
	shift 2
	status=0
	"$@" >"$T/said" 2>&1 || status=$?
	if [ "$want" = - ]; then
		[ $status -ne 0 ] || fail "$* succeeded"
	else
		[ $status -eq "$want" ] || fail "$*: status $status, not $want: $(cat "$T/said")"
	fi
	grep -qEi -e "$pattern" "$T/said" || fail "$* said: $(cat "$T/said")"
}

requires_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
}

requires_program() {
	for program; do
		command -v "$program" >/dev/null || skip "needs $program"
	done
}

# within_limits COMMAND…: without root's right to go beyond them
within_limits() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --bounding-set=-sys_resource "$@"
	else
		"$@"
	fi
}

requires_osfuse() {
	[ -z "${OSFUSE_MOUNT_CMD-}" ] || skip "about the osfuse command"
}

requires_overlayfs() {
	requires_root
	grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || skip "needs the kernel's overlayfs"
}

# mount_view [LOWERS [UPPER [WORK [MNT [OPTIONS…]]]]]: with the directories above where not given
mount_view() {
	mv_l=${1:-$L} mv_u=${2:-$U} mv_w=${3:-$W} mv_m=${4:-$M}
	[ $# -lt 4 ] && shift $# || shift 4
	if [ -n "${OSFUSE_MOUNT_CMD-}" ]; then
		sh -c "$OSFUSE_MOUNT_CMD"' "$@"' sh "$mv_l" "$mv_u" "$mv_w" "$mv_m"
	else
		"$OSFUSE" mount --lower "$mv_l" --upper "$mv_u" --work "$mv_w" "$@" "$mv_m"
	fi
}

unmount_view() {
	if [ -n "${OSFUSE_MOUNT_CMD-}" ]; then
		umount "${1:-$M}"
	else
		"$OSFUSE" umount "${1:-$M}"
	fi
}

remount_view() {
	unmount_view
	mount_view
}

mounted() {
	grep -qF " $(printf '%s' "${1:-$M}" | sed 's/ /\\040/g') " /proc/self/mounts
}

# The processes that hold a FUSE connection: those of this case, the others are in another namespace.
daemon_pids() {
	for p in /proc/[0-9]*; do
		if ls -l "$p/fd" 2>/dev/null | grep -q -e '-> /dev/fuse$' -e "-> $T/.fuse\$"; then
			echo "${p#/proc/}"
		fi
	done
}

no_daemon() {
	[ -z "$(daemon_pids)" ]
}

# wait_for COMMAND…: until it succeeds; for what has no event to wait on
wait_for() {
	for _ in $(seq 200); do
		"$@" 2>/dev/null && return
		sleep 0.05
	done
	fail "still not: $*"
}

ended() {
	[ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

sum() {
	"$PYTHON" "$HERE/tree.py" sum "$@"
}

list() {
	"$PYTHON" "$HERE/tree.py" list "$@"
}

same_trees() {
	list "$1" >"$T/list1"
	list "$2" >"$T/list2"
	diff "$T/list1" "$T/list2" >&2 || fail "$1 and $2 differ"
}

python() {
	"$PYTHON" "$@"
}

blocks_kib() {
	du -sk "$1" | cut -f1
}
