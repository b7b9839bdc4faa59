#!/bin/sh
# What a policy says of homes holds for that of whoever mounts, though no list of accounts has it, and where links lead to one.
. "$HERE/lib.sh"
requires_osfuse
mkdir -p "$T/data/me/.ssh" "$T/data/me/.cache"
ln -s data "$T/homes"
echo KEY >"$T/data/me/.ssh/id_work"
echo HISTORY >"$T/data/me/.bash_history"

HOME=$T/data/me "$OSFUSE" mount --ephemeral "$M"
gone "$M$T/data/me/.ssh/id_work" "$M$T/data/me/.bash_history"
unmount_view
HOME=$T/homes/me "$OSFUSE" mount --ephemeral "$M"
gone "$M$T/data/me/.ssh/id_work" "$M$T/data/me/.bash_history"
unmount_view

printf 'hide ~/.ssh\nrw ~/.cache\nfile ~/made "text"\n' >"$T/p"
HOME=$T//homes/./me "$OSFUSE" mount --ephemeral --policy "$T/p" "$M"
gone "$M$T/data/me/.ssh"
is "$(cat "$M$T/data/me/made")" text
echo x >"$M$T/data/me/.cache/x"
is "$(cat "$T/data/me/.cache/x")" x
unmount_view
HOME=me fails 0 'no errors' "$OSFUSE" policy check "$T/p"

# In a view of a home, or of what it is in, by whatever path that was given.
for lower in "$T/data/me" "$T/homes/me" "$T/data"; do
	HOME=$T/homes/me "$OSFUSE" mount --ephemeral --lower "$lower" --hide /none "$M"
	at=$M
	[ "$lower" != "$T/data" ] || at=$M/me
	gone "$at/.ssh" "$at/.bash_history"
	[ -d "$at/.cache" ] || fail "no .cache in a view of $lower"
	unmount_view
	HOME=$T/homes/me "$OSFUSE" mount --ephemeral --lower "$lower" --policy "$T/p" "$M"
	gone "$at/.ssh"
	is "$(cat "$at/made")" text
	rm "$at/.cache/x"
	gone "$T/data/me/.cache/x"
	echo x >"$at/.cache/x"
	unmount_view
done
HOME=$T/data/me "$OSFUSE" mount --lower "$T/data" --name explained --policy "$T/p" "$M"
HOME=$T/data/me fails 0 'hide .*~/.ssh' "$OSFUSE" policy explain --name explained /me/.ssh
unmount_view

# Absolute paths are those of the view: rules that are about what it shows, and mean nothing in it, are told of.
warns() {
	"$OSFUSE" mount --ephemeral --lower "$1" --hide /none "$M" >"$T/said" 2>&1
	unmount_view
	is "$(grep -c 'warning: of .* about what is in' "$T/said")" "$2" "$1"
}
warns /etc 1
warns "$T/data" 0
warns / 0

# The accounts of others, as odd as they may be.
[ "$(id -u)" -eq 0 ] || exit 0
mount -t tmpfs none /home
mkdir -p "/home/away/u/.ssh" "/home/away/a[b/.ssh" "$T/data/elsewhere/.ssh"
ln -s away /home/links
ln -s "$T/data/elsewhere" /home/elsewhere
{
	cat /etc/passwd
	echo "linked:x:4711:4711::/home/links/u:/bin/sh"
	echo "odd:x:4712:4712::/home//away/./a[b:/bin/sh"
	echo "none:x:4713:4713::nowhere:/bin/sh"
} >"$T/passwd"
mount --bind "$T/passwd" /etc/passwd
"$OSFUSE" mount --ephemeral "$M"
gone "$M/home/away/u/.ssh" "$M/home/away/a[b/.ssh" "$M$T/data/elsewhere/.ssh"
unmount_view
"$OSFUSE" mount --hide '~linked/.ssh' --ephemeral "$M"
gone "$M/home/away/u/.ssh"
unmount_view
fails - 'the home of none is not an absolute path: "nowhere"' "$OSFUSE" mount --hide '~none/.ssh' --ephemeral "$M"
umount /home /etc/passwd
