#!/bin/sh
# Installs what is missing on Debian and Ubuntu: install-deps.sh build|test|demo…
# Asks for root (sudo) only when something is missing. CC chooses the compiler, SANITIZE what it must come with.
set -eu

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "osfuse: this needs root, and there is no sudo: $*" >&2
		exit 1
	fi
}

packages_of() {
	case $1 in
	build)
		echo "meson ninja-build pkg-config libc6-dev libfuse3-dev fuse3 libjansson-dev"
		case ${CC:-gcc} in
		*clang*) echo "clang" ;;
		*) echo "gcc" ;;
		esac
		;;
	test) echo "libcmocka-dev python3 perl attr acl git util-linux" ;;
	demo) echo "python3" ;;
	*)
		echo "usage: $0 build|test|demo…" >&2
		exit 2
		;;
	esac
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install() {
	missing=""
	for package; do
		installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "osfuse: install these, by their Debian names:$missing" >&2
		exit 1
	fi
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	as_root apt-get -q update
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
}

wanted=""
for group; do
	wanted="$wanted $(packages_of "$group")"
done
# shellcheck disable=SC2086
install $wanted

# CPython's tests are in a package named after the version, which not every distribution has
case " $* " in
*" test "*)
	suite="lib$(/usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')-testsuite"
	if installed "$suite" || [ -n "$(apt-cache show "$suite" 2>/dev/null)" ]; then
		install "$suite"
	fi
	;;
esac

# clang's sanitizers are in a package named after its version
case ${CC:-gcc}:${SANITIZE:-} in
*clang*:?*) install "libclang-rt-$("${CC%% *}" -dumpversion | cut -d. -f1)-dev" ;;
esac

if [ ! -c /dev/fuse ]; then
	as_root modprobe fuse 2>/dev/null || true
	[ -c /dev/fuse ] || as_root mknod -m 0666 /dev/fuse c 10 229 || echo "osfuse: there is no /dev/fuse, nothing can be mounted" >&2
fi

# fusermount3 reads it; installers make it, minimal images do not have it
[ -e /etc/mtab ] || as_root ln -s ../proc/self/mounts /etc/mtab
