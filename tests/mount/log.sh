#!/bin/sh
# What "osfuse log" makes of a log that is there: columns, filters, following, and file names that are up to something.
. "$HERE/lib.sh"
requires_osfuse
requires_program timeout
export XDG_STATE_HOME="$T/state" TZ=UTC
box=$T/state/osfuse/box
mkdir -p "$box" "$T/state/osfuse/empty"
record() {
	printf '{"time":"%s.000000Z","pid":4711,"uid":0,%s}\n' "$@" >>"$box/log"
}
refused='"exe":"/usr/bin/cat","op":"read","path":"/root/.ssh/id","verdict":"hide","error":"ENOENT"'
rule='"rule":{"line":12,"source":"<defaults>","text":"~/.ssh"}'
record 2024-05-01T12:00:00 '"op":"write","path":"/old","verdict":"cow"'
mv "$box/log" "$box/log.1"
record 2024-05-01T12:03:41 "$refused,$rule,\"count\":3,\"until\":\"2024-05-01T12:03:42.000000Z\""
record 2024-05-02T00:00:00 '"op":"look","path":"/a  b\u001b[31m\u202e\u009b\n\u00fc","path2":{"bytes":"2fff"},"verdict":"cow"'
printf '%s\n' '{"time":"2024-05-02T00:00:00.000000Z","lost":12}' \
	'{"time":"2024-05-02T00:00:00.000000Z","stopped":1,"error":"ENOSPC"}' \
	'{"time":"2024-05-02T00:00:00.000000Z","rotated":9,"from":"2024-04-01T00:00:00.000000Z","to":"2024-04-30T00:00:00.000000Z"}' \
	'{"damaged' >>"$box/log"

"$OSFUSE" log box >"$T/out" 2>"$T/err"
is "$(wc -l <"$T/out")" 6
grep -q 'damaged' "$T/err" || fail "damage is not reported"
is "$(sed -n 1p "$T/out" | tr -s ' ')" '2024-05-01 12:00:00 [4711] write /old ok cow -'
is "$(sed -n 2p "$T/out" | tr -s ' ')" '2024-05-01 12:03:41 cat[4711] read /root/.ssh/id ENOENT hide <defaults>:12 ×3'
sed -n 3p "$T/out" | grep -qF '"/a  b\x1b[31m\u{202e}\u{9b}\x0aü" -> /\xff' || fail "file name: $(sed -n 3p "$T/out")"
sed -n 4p "$T/out" | grep -q '12 events' || fail "lost: $(sed -n 4p "$T/out")"
sed -n 5p "$T/out" | grep -q '1 event .*No space left' || fail "stopped: $(sed -n 5p "$T/out")"
sed -n 6p "$T/out" | grep -q '^2024-04-01 .*9 events .*older' || fail "rotated: $(sed -n 6p "$T/out")"

is "$("$OSFUSE" log --since 2024-05-01 box 2>&1 | grep -c older)" 0
is "$("$OSFUSE" log --refused box 2>&1 | grep -c cat)" 1
is "$("$OSFUSE" log --refused box 2>&1 | grep -c /old)" 0
is "$("$OSFUSE" log --since '2024-05-01 12:03:42' box 2>&1 | grep -c cat)" 1 "the last of three is not older"
is "$("$OSFUSE" log --since 2024-05-02 box 2>&1 | grep -c cat)" 0
is "$("$OSFUSE" log --json box 2>/dev/null | sed -n 2p)" "$(sed -n 1p "$box/log")"
"$OSFUSE" log --json box 2>/dev/null | "$PYTHON" -c 'import json, sys; [json.loads(l) for l in sys.stdin]'
is "$("$OSFUSE" log empty 2>&1)" ""

name='"op":"read","path":"/x","verdict":"cow"'
for who in '"comm":"cat"' '"comm":"a )[1]"' '"exe":"/usr/bin/(cat)"'; do
	record 2024-05-03T00:00:00 "$who,$name"
done
is "$("$OSFUSE" log --since 2024-05-03 box 2>/dev/null | sed -n 's/^.*00:00:00  \(.*\)\[4711].*/\1/p' | xargs -d '\n')" '(cat) ("a )[1]") "(cat)"'

fails 1 'none.*no sandbox' "$OSFUSE" log none
fails 1 'no sandbox' "$OSFUSE" log ../box
fails 2 'NAME' "$OSFUSE" log
fails 2 'b: unexpected' "$OSFUSE" log a b
fails 2 'not a time' "$OSFUSE" log --since yesterdays box
for time in 25:00 24:00 24:60 23:60 2024-13-01 2024-05-32 '2024-05-01 25:00' 2024-05-01T; do
	fails 2 'not a time' "$OSFUSE" log --since "$time" box
done
for time in 2024-02-30 2023-02-29 2024-04-31 '2024-02-30 12:00' 2024-02-30T12:00:00; do
	fails 2 'no such day' "$OSFUSE" log --since "$time" box
done
fails 0 cat "$OSFUSE" log --since 2024-02-29 box
fails 1 'No space' sh -c '"$1" log box >/dev/full' sh "$OSFUSE"
ln -s /etc/passwd "$T/state/osfuse/empty/log"
fails 1 'empty/log.*regular' "$OSFUSE" log empty
# Nobody reads: no message, with the signal or without.
mkfifo "$T/unread"
exec 6<>"$T/unread"
exec 7>"$T/unread" 6>&-
(trap "" PIPE && "$OSFUSE" log box >&7 2>"$T/err") && fail "wrote to nobody"
is "$(cat "$T/err")" ""
("$OSFUSE" log box >&7 2>"$T/err") && fail "wrote to nobody"
is "$(cat "$T/err")" ""
exec 7>&-

# Follows over rotation, and ends with the sandbox.
mkfifo "$T/fifo"
timeout 60 "$OSFUSE" log -f --since 2024-06-01 box >"$T/fifo" 2>/dev/null &
exec 5<"$T/fifo"
record 2024-07-01T00:00:00 '"op":"read","path":"/first","verdict":"cow"'
read -r line <&5
echo "$line" | grep -q /first || fail "followed: $line"
mv "$box/log" "$box/log.1"
record 2024-07-01T00:00:01 '"op":"read","path":"/second","verdict":"cow"'
read -r line <&5
echo "$line" | grep -q /second || fail "followed: $line"
rm -r "$box"
wait $! || fail "ended with status $?"
