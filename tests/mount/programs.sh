#!/bin/sh
# What everyday programs do must leave the same tree as on the bare file system.
. "$HERE/lib.sh"
make() {
	mkdir -p "$1/src/sub" "$1/doc"
	for i in 1 2 3 4 5; do
		seq "$((i * 300))" >"$1/src/f$i"
	done
	ln -s ../src/f1 "$1/doc/link"
	printf 'a b c\n' >"$1/doc/words"
	find "$1" -exec touch -h -d '2001-02-03 04:05:06' {} +
}
work() (
	cd "$1"
	umask 022
	cp -a src copy
	sed -i s/1/one/g src/f1
	cat src/f2 >>src/f3
	mv src/f4 doc/moved
	mv src source
	ln source/f5 doc/hard
	ln -sf words doc/link
	dd if=/dev/zero of=source/f5 bs=100 seek=7 count=3 conv=notrunc 2>/dev/null
	truncate -s 1000 copy/f2
	tar -cf all.tar --sort=name --owner=0 --group=0 --mtime=@1 source doc
	mkdir unpacked
	tar -xf all.tar -C unpacked
	sort -r copy/f5 -o copy/f5
	chmod -R go-r unpacked
	rm -r copy/sub all.tar
	find . -exec touch -h -d '2002-02-03 04:05:06' {} +
)
make "$L"
cp -a "$L" "$T/plain"
before=$(sum "$L")
mount_view
work "$M"
work "$T/plain"
same_trees "$M" "$T/plain"
remount_view
same_trees "$M" "$T/plain"
is "$(sum "$L")" "$before" "checksum of the lower"
