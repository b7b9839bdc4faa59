#!/bin/sh
# A program cannot change the policy that it is under, though a rule lets it write where the policy is read from.
. "$HERE/lib.sh"
requires_osfuse
D=$T/d
mkdir -p "$D/work/etc" "$D/away" "$D/secret"
echo s3cret >"$D/secret/k"

view() {
	mkdir -p "$T/u-$1" "$T/w-$1"
	name=$1 lower=$2 policy=$3
	shift 3
	"$OSFUSE" mount --name "$name" --lower "$lower" --upper "$T/u-$name" --work "$T/w-$name" --policy "$policy" "$@" "$M"
}
refused() {
	if sh -c "$1" 2>"$T/said"; then
		fail "$1"
	fi
	grep -qE 'Read-only|EROFS|busy' "$T/said" || fail "$1: $(cat "$T/said")"
}
# Of which ops does explain say, in the view of that name, that the path stays as it is?
fixed='write create mkdir remove rename link attr setxattr'
explained() {
	is "$("$OSFUSE" policy explain --name "$1" "$2" | sed -n 's/^  ops: //p' | tr ' ' '\n' | sed -n 's/=EROFS//p' | xargs)" "$3" "explain $2"
}
still_hidden() {
	"$OSFUSE" policy reload "$1" >/dev/null
	gone "$2/secret/k"
	unmount_view
}

# What the policy includes, by a link and by a file; and whatever is put in the place of the directory.
printf 'hide %s/secret\nrw %s/work/**\ninclude %s/work/link\ninclude ../work/etc/extra\n' "$D" "$D" "$D" >"$D/away/p"
: >"$D/away/linked"
: >"$D/work/etc/extra"
ln -s ../away/linked "$D/work/link"
view include / "$D/away/p"
V=$M$D
refused "echo 'rw /**' >$V/work/etc/extra"
refused "rm -f $V/work/link"
refused "ln -sf etc/new $V/work/link"
refused "mv -T $V/work/etc $V/work/etc2"
refused "ln $V/work/etc/extra $V/work/third"
refused "chmod 0 $V/work/etc/extra"
refused "chmod 0 $V/work/etc"
refused "ln -P $V/work/link $V/work/third"
refused "touch -h $V/work/link"
for path in etc etc/extra link; do
	explained include "$D/work/$path" "$fixed"
done
echo new >"$V/work/etc/new"
refused "mv $V/work/etc/new $V/work/etc/extra"
is "$(cat "$D/work/etc/new")" new "the rest of the directory can be changed"
"$OSFUSE" policy reload include >/dev/null
refused "echo 'rw /**' >$V/work/etc/extra"
# Put there anew by somebody else, it is the name that counts.
rm "$D/work/etc/extra"
refused "echo 'rw /**' >$V/work/etc/extra"
: >"$D/work/etc/extra"
wait_for test -f "$V/work/etc/extra"
refused "echo 'rw /**' >$V/work/etc/extra"
# As an editor does it, which writes another file first: that one is known here, by a link and by a descriptor.
echo '# new' >"$D/work/etc/temp"
wait_for test -f "$V/work/etc/temp"
ln "$V/work/etc/temp" "$V/work/known"
exec 5>>"$V/work/etc/temp"
echo '# before' >&5
mv "$D/work/etc/temp" "$D/work/etc/extra"
refused "cat $D/away/p >&5"
refused "echo 'rw /**' >>$V/work/known"
refused "ln $V/work/known $V/work/third"
explained include "$D/work/known" "write link attr setxattr"
exec 5>&-
is "$(cat "$D/work/etc/extra")" "# new
# before" "the policy is what it was when it was put there"
"$OSFUSE" log include | grep -q 'write.*/work/etc/extra.*EROFS *policy  *-' || fail "log: $("$OSFUSE" log include)"
fails 1 'write: EROFS' "$OSFUSE" policy explain --name include --op write "$D/work/etc/extra"
fails 1 'is read from here' "$OSFUSE" policy explain --name include --op rename "$D/work/etc"
explained include "$D/work/etc/new" ""
still_hidden include "$V"

# A lower that is not the root; names in any case.
printf 'hide /secret\nrw /work/**\n' >"$D/work/p"
view other "$D" "$D/work/p"
refused "echo 'rw /**' >$M/work/p"
still_hidden other "$M"
view cases "$D" "$D/work/p" --case insensitive
refused "echo 'rw /**' >$M/work/P"
refused "mv $M/work/etc/new $M/work/P"
explained cases /work/P "$fixed"
still_hidden cases "$M"

# A second name of the file.
printf 'hide /secret\nrw /work/**\n' >"$D/away/linked"
ln "$D/away/linked" "$D/work/second"
view second "$D" "$D/away/linked"
refused "echo 'rw /**' >$M/work/second"
refused "ln $M/work/second $M/work/third"
refused "chmod 0 $M/work/second"
explained second /work/second "write link attr setxattr"
mv "$M/work/second" "$M/work/moved"
still_hidden second "$M"

# In the upper no rule is needed to change it.
echo "hide /secret" >"$T/u-second/p"
fails 1 'in the upper' view second "$D" "$T/u-second/p"

# The changes, the work directory, the mount point, the store with the policy in it, and what is above them: each stays where it is.
export XDG_STATE_HOME="$D/home/state/of"
mkdir -p "$D/home/in/up" "$D/home/in/wk" "$D/home/in/mp" "$D/home/other" "$XDG_STATE_HOME"
ln -s home "$D/way"
stay() {
	V=$1$D/home
	for path in in in/up in/wk in/mp state state/of state/of/osfuse; do
		refused "mv -T $V/$path $V/there"
	done
	for path in in in/up in/wk in/mp state state/of state/of/osfuse; do
		explained places "$D/home/$path" "$fixed"
	done
	refused "chmod 0 $V/in"
	refused "chmod 0 $V/state"
	explained places "$D/home/other" ""
	mv -T "$V/other" "$V/there"
	mv -T "$V/there" "$V/other"
	touch "$V/in/new" "$V/state/new"
	[ -e "$D/home/in/new" ] && [ -e "$D/home/state/new" ] || fail "the rest of the directories cannot be changed"
	rm "$V/in/new" "$V/state/new"
}
set_in() {
	"$OSFUSE" mount --lower / --upper "$D/home/in/up" --work "$D/home/in/wk" "$@"
}
set_in --name places --rw "$D/home" "$D/home/in/mp"
stay "$D/home/in/mp"
"$OSFUSE" log places | grep -q 'rename.*/home/state.*EROFS *policy  *-' || fail "log: $("$OSFUSE" log places)"
"$OSFUSE" policy reload places >"$T/said"
stay "$D/home/in/mp"
# What is in their place when the policy is read again is guarded, too.
mv "$D/home/in" "$D/home/was"
mkdir -p "$D/home/in/up/anew"
wait_for test -d "$D/home/was/mp$D/home/in/up/anew"
mv -T "$D/home/was/mp$D/home/in/up" "$D/home/was/mp$D/home/in/gone"
mkdir "$D/home/in/up"
"$OSFUSE" policy reload places >"$T/said"
refused "mv -T $D/home/was/mp$D/home/in/up $D/home/was/mp$D/home/in/gone2"
rm -rf "$D/home/in"
mv "$D/home/was" "$D/home/in"
unmount_view "$D/home/in/mp"
# No sandbox: the store is made for the log, by way of a link.
rm -rf "$D/home/state/of/osfuse"
XDG_STATE_HOME=$D/way/state/of set_in --rw "$D" "$M"
V=$M$D/home
refused "mv -T $V/state $V/there"
refused "rm $M$D/way"
unmount_view
# Below the mount point it would be in the way of rules, and of commands.
mkdir "$T/u-over" "$T/w-over"
fails 1 'would hide .*/home/state/of/osfuse' \
	"$OSFUSE" mount --name over --lower "$D/home" --upper "$T/u-over" --work "$T/w-over" --rw / "$D/home"
# The view is mounted over its policy: read again, it would be the view's own, which programs can change.
mkdir "$D/over"
echo k >"$D/over/a.key"
within() {
	rm -rf "$T/u-within" "$T/w-within"
	mkdir "$T/u-within" "$T/w-within"
	printf "%b" "$2" >"$D/over/p"
	"$OSFUSE" mount --name within --lower "$1" --upper "$T/u-within" --work "$T/w-within" --policy "$D/over/p" -o nonempty "$D/over" 2>"$T/said"
}
not_read() {
	fails 1 'inside the view' timeout 60 "$OSFUSE" policy reload within
	gone "$D/over/$1"
}
within "$D/over" 'hide *.key\n'
not_read a.key
for text in '# nothing is hidden' 'nonsense'; do
	echo "$text" >"$D/over/p"
	not_read a.key
done
unmount_view "$D/over"
within "$D/over" 'hide *.key\nrw /**/p\n'
not_read a.key
refused "echo >$D/over/p"
unmount_view "$D/over"
within / 'hide *.key\n'
echo '# nothing is hidden' >"$D/over/p"
not_read "$D/over/a.key"
unmount_view "$D/over"
V=$M$D

# A second way to the directory, or to the file.
[ "$(id -u)" -eq 0 ] || exit 0
mkdir "$D/alias"
: >"$D/work/bound"
mount --bind "$D/work" "$D/alias"
mount --bind "$D/away/linked" "$D/work/bound"
printf 'hide %s/secret\nrw %s/work/**\n' "$D" "$D" >"$D/work/p"
view alias / "$D/alias/p"
refused "echo 'rw /**' >$V/work/p"
still_hidden alias "$V"
printf 'hide %s/secret\nrw %s/work/**\n' "$D" "$D" >"$D/away/linked"
view bound / "$D/away/linked"
refused "echo 'rw /**' >$V/work/bound"
still_hidden bound "$V"
umount "$D/work/bound" "$D/alias"
