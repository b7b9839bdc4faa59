#!/bin/sh
# Symbolic-link loops, ".." and odd names are resolved within the view, as the kernel does it.
. "$HERE/lib.sh"
mkdir -p "$L/a/b"
ln -s ../../../../../../../../etc "$L/a/b/up"
ln -s two "$L/one"
ln -s one "$L/two"
echo inside >"$L/a/f"
printf x >"$L/$(printf '\377\376')"
printf x >"$L/new
line"
touch "$L/-dash" "$L/ space" "$L/*"
mount_view
fails - 'too many levels' cat "$M/one"
is "$(cat "$M/a/b/../f")" inside
is "$(cat "$M/../mnt/a/f")" inside
is "$(ls -A "$M" | wc -c)" "$(ls -A "$L" | wc -c)" "odd names"
is "$(cat "$M/$(printf '\377\376')")" x
mv "$M/$(printf '\377\376')" "$M/$(printf '\376\377')"
echo y >>"$M/new
line"
remount_view
is "$(cat "$M/$(printf '\376\377')")" x
gone "$M/$(printf '\377\376')"
is "$(readlink "$M/a/b/up")" ../../../../../../../../etc
