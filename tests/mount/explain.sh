#!/bin/sh
# Commands, above all "osfuse policy explain", of names that are up to something: none of it reaches the terminal.
. "$HERE/lib.sh"
requires_osfuse
esc=$(printf 'a\033[31m\\"\342\200\256b\377')
shown='a\\x1b\[31m\\\\\\"\\u\{202e\}b\\xff'
mkdir -p "$L/$esc"
: >"$L/$esc/$esc"
ln -s "to-$esc" "$L/link"
printf 'hide /%s\nro /link\n' '*\[31m*' >"$T/$esc"
"$OSFUSE" mount --name box --lower "$L" --policy "$T/$esc" "$M"

tame() {
	LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177\377]\\|\342\200\256')" "$T/out" && fail "of $1: $(cat -v "$T/out")"
	grep -qE -e "$2" "$T/out" || fail "of $1: $(cat "$T/out")"
}
explain() {
	"$OSFUSE" policy explain --name box "$1" >"$T/out"
	tame "$1" "$2"
}
explain "/$esc/$esc" "^/$shown/$shown\$"
explain "/$esc/$esc" "  \* $T/$shown:1:6: hide /\*\\\\\[31m\*\$"
explain "/none-$esc/x" "absent: /none-$shown is"
explain "/A${esc#a}" "is spelled \"$shown\""
explain /link "leads to to-$shown,"
unmount_view
mkdir "$T/m-$esc"
"$OSFUSE" mount --name odd --lower "$L" "$T/m-$esc"
"$OSFUSE" list >"$T/out"
plain='a\\x1b\[31m\\"\\u\{202e\}b\\xff' # nothing is quoted
tame "list" "/m-$plain "
"$OSFUSE" umount "$T/m-$esc"
"$OSFUSE" umount "$T/m-$esc" 2>"$T/out" && fail "unmounted twice"
tame "umount" "/m-$plain: "
printf 'hidden %s\n' "$esc" >"$T/$esc"
"$OSFUSE" policy check "$T/$esc" >"$T/out" 2>&1 && fail "no fault was found"
tame "check" ":1:1: "

# The kernel opens pipes by itself: of one that is denied nothing is to be had, not even its attributes.
mkfifo "$L/fifo"
: >"$L/file"
printf 'deny /f*\n' >"$T/deny"
"$OSFUSE" mount --name deny --lower "$L" --policy "$T/deny" "$M"
"$OSFUSE" policy explain --name deny --op look /file >"$T/out" || fail "look at a denied file"
fails 1 'look: EACCES' "$OSFUSE" policy explain --name deny --op look /fifo
fails 1 'Permission denied' stat "$M/fifo"
unmount_view

# What is in a denied directory is not even found, and a file that stays as it is gets no links.
mkdir "$L/closed" "$L/closed/in"
printf 'deny /closed\nro /file\n' >"$T/answers"
"$OSFUSE" mount --name answers --lower "$L" --policy "$T/answers" "$M"
fails 1 'Permission denied' stat "$M/closed/in"
fails 1 'look: EACCES' "$OSFUSE" policy explain --name answers --op look /closed/in
fails 0 'look: allowed' "$OSFUSE" policy explain --name answers --op look /closed
fails 1 'cross-device' ln "$M/file" "$M/linked"
fails 1 'link: EXDEV' "$OSFUSE" policy explain --name answers --op link /file
unmount_view

# A passage that is not there can be made, as a directory.
printf 'hide /new\ncow /new/x\n' >"$T/passage"
"$OSFUSE" mount --name passage --lower "$L" --policy "$T/passage" "$M"
fails 1 'create: EACCES' "$OSFUSE" policy explain --name passage --op create /new
fails 0 'mkdir: allowed' "$OSFUSE" policy explain --name passage --op mkdir /new
fails 0 ' create=EACCES mkdir=allowed ' "$OSFUSE" policy explain --name passage /new
mkdir "$M/new"
unmount_view

# One rule is not several.
printf 'ro /x\n' >"$T/one"
fails 0 ': 1 rule, no errors' "$OSFUSE" policy check "$T/one"
printf 'ro /x /y\n' >"$T/two"
fails 0 ': 2 rules, no errors' "$OSFUSE" policy check "$T/two"
# Of several files, what is wrong with each, once.
echo nonsense >"$T/three"
for files in "$T/three $T/none $T/one" "$T/one $T/three $T/none" "$T/none $T/one $T/three"; do
	fails 1 '1 rule, no errors' "$OSFUSE" policy check $files
	is "$(grep -c '^osfuse: policy: 1 error$' "$T/said") $(grep -c 'osfuse: .*/none: No such' "$T/said")" '1 1' "$(cat "$T/said")"
done
"$OSFUSE" mount --name one --lower "$L" --policy "$T/one" "$M"
fails 0 'reloaded, 1 rule$' "$OSFUSE" policy reload one
: >"$T/one"
fails 0 'reloaded, 0 rules$' "$OSFUSE" policy reload one
unmount_view

# What is there, and why not: as the view has it.
explains() {
	"$OSFUSE" policy explain --name there "$1" >"$T/out"
	grep -qE -e "$2" "$T/out" || fail "of $1: $(cat "$T/out")"
}
mkdir "$L/gone" "$L/anew" "$L/Dir" "$L/rw"
: >"$L/gone/x"
: >"$L/anew/x"
: >"$L/Dir/File"
: >"$L/host"
printf 'file /host "x"\nfile /rw/made "x"\nhide /dir/f*\nrw /rw\n' >"$T/there"
"$OSFUSE" mount --name there --case=insensitive --lower "$L" --policy "$T/there" "$M"
rm -r "$M/gone" "$M/anew"
mkdir "$M/anew"
explains /host 'there: a file that the policy makes up'
explains /rw/made 'verdict: cow'
explains /none 'absent: /none is in no layer'
explains /gone 'absent: /gone was removed'
explains /gone/x 'absent: /gone was removed'
explains /anew/x 'absent: /anew/x is in a lower and does not show'
explains /DIR 'spelled "Dir"'
explains /DIR 'there: a directory, as in the lower'
explains /DIR/FILE 'verdict: hide'
echo new >"$M/host"
explains /host 'there: a file, changed or made in this view'
unmount_view
