#!/bin/sh
# A view over the directory of its own sandbox, as over the home, would hide that from all commands: it is not made.
. "$HERE/lib.sh"
requires_osfuse
export HOME="$T/a home"
unset XDG_STATE_HOME
store=$HOME/.local/state/osfuse
mkdir -p "$HOME"
echo a >"$HOME/a"

# refused MOUNTPOINT OPTIONS…
refused() {
	at=$1
	shift
	fails 1 "^osfuse: $at: the view would hide $store, where its sandbox is" "$OSFUSE" mount "$@" "$at"
	grep -q 'hint: .*XDG_STATE_HOME' "$T/said" || fail "no hint: $(cat "$T/said")"
	! mounted "$at" || fail "mounted all the same"
	is "$(ls -A "$store")" "" "sandboxes left"
}
# one that keeps changes, one that goes away, and one that is for the log alone
refused "$HOME" --lower "$HOME"
refused "$HOME" --lower "$HOME" --name box
refused "$HOME" --lower "$HOME" --ephemeral
refused "$HOME" --lower "$HOME" --upper "$U" --work "$W" --hide a
refused "$HOME/.local" --lower "$L" --ephemeral -o nonempty
refused "$store" --lower "$store" --upper "$U" --work "$W" --log all

# elsewhere it is found again
mkdir "$T/elsewhere"
XDG_STATE_HOME=$T/elsewhere
export XDG_STATE_HOME
"$OSFUSE" mount --lower "$HOME" --upper "$U" --work "$W" --name box --hide a "$HOME"
gone "$HOME/a"
"$OSFUSE" list | grep -q '^box ' || fail "not in the list: $("$OSFUSE" list)"
"$OSFUSE" policy reload box
"$OSFUSE" umount box
is "$(cat "$HOME/a")" a
unset XDG_STATE_HOME

# what has no sandbox has nothing to lose, and beside the store there is room
"$OSFUSE" mount --read-only --lower "$HOME" "$HOME"
is "$(cat "$HOME/a")" a
unmount_view "$HOME"
mount_view "$HOME" "$U" "$W" "$HOME"
is "$(cat "$HOME/a")" a
unmount_view "$HOME"
mkdir "$HOME/.loc" "$HOME/mnt"
for at in "$HOME/.loc" "$HOME/mnt"; do
	"$OSFUSE" mount --lower "$L" --ephemeral "$at"
	"$OSFUSE" list | grep -q "$at" || fail "not in the list: $("$OSFUSE" list)"
	unmount_view "$at"
done
