#!/bin/sh
# A file whose own attributes take all the room that its file system has for them can be changed, and keeps them.
. "$HERE/lib.sh"
requires_osfuse
command -v setfattr >/dev/null || skip "needs setfattr"
fill() {
	n=4096
	until setfattr -n user.big -v "$(printf "%${n}s" '' | tr ' ' x)" "$1" 2>/dev/null; do
		n=$((n - 8))
		[ "$n" -gt 64 ] || skip "needs a file system with a limit of its own"
	done
	n=120
	until setfattr -n user.small -v "$(printf "%${n}s" '' | tr ' ' y)" "$1" 2>/dev/null; do
		n=$((n - 4))
		[ "$n" -gt 0 ] || break
	done
}
attributes() {
	getfattr -d "$1" 2>/dev/null | grep -v '^#'
}
echo data >"$L/f"
mkdir -p "$L/d/e"
echo data >"$L/d/e/g"
fill "$L/f"
fill "$L/d"
is "$(attributes "$L/f" | grep -c .)" 2 "attributes"
for options in "" "-o metacopy=on"; do
	mkdir -p "$U" "$W"
	mount_view "$L" "$U" "$W" "$M" $options
	was=$(attributes "$M/f") d_was=$(attributes "$M/d")
	chmod 600 "$M/f"
	echo more >>"$M/f"
	echo new >"$M/d/e/new"
	echo more >>"$M/d/e/g"
	for time in now later; do
		is "$(cat "$M/f")" "data
more" "$time $options"
		is "$(stat -c %a "$M/f")" 600 "mode, $time"
		is "$(attributes "$M/f")" "$was" "attributes of the file, $time"
		is "$(attributes "$M/d")" "$d_was" "attributes of the directory, $time"
		is "$(ls "$M/d/e" | tr '\n' ' ')" "g new "
		[ "$time" = later ] || { unmount_view; mount_view "$L" "$U" "$W" "$M" $options; }
	done
	unmount_view
	rm -rf "$U" "$W"
done
