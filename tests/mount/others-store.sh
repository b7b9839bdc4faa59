#!/bin/sh
# A store of sandboxes that belongs to another user, as root's home after su without "-": every command says so.
. "$HERE/lib.sh"
requires_osfuse
requires_root
mkdir "$XDG_STATE_HOME/osfuse"
chown 4242 "$XDG_STATE_HOME/osfuse"
for command in "mount --lower $L --name box $M" list "log box" "umount box" "policy reload box" "policy learn box"; do
	# shellcheck disable=SC2086
	fails 1 "^osfuse: $XDG_STATE_HOME/osfuse: belongs to another user" "$OSFUSE" $command
	grep -q 'hint: set HOME' "$T/said" || fail "no hint: $(cat "$T/said")"
done
