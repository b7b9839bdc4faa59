#!/bin/sh
# --time-gran: times show, and are set, in steps; also those of new files, and of what only the lower has.
. "$HERE/lib.sh"
requires_osfuse
echo x >"$L/f"
touch -d "2020-01-02 03:04:05.987654321" "$L/f"
mount_view "$L" "$U" "$W" "$M" --time-gran 1s
is "$(stat -c %.Y "$M/f")" "$(stat -c %Y "$L/f").000000000" "of the lower"
touch "$M/new"
for what in X Y Z; do
	case $(stat -c "%.$what" "$M/new") in
	*.000000000) ;;
	*) fail "time $what of a new file: $(stat -c "%.$what" "$M/new")" ;;
	esac
done
touch -d "2021-02-03 04:05:06.5" "$M/f"
is "$(stat -c %.Y "$M/f")" "$(date -d "2021-02-03 04:05:06" +%s).000000000" "set"
is "$(stat -c %.Y "$U/f")" "$(stat -c %Y "$U/f").000000000" "stored"
unmount_view
mount_view "$L" "$U" "$W" "$M" --time-gran 1ms
touch -d "2021-02-03 04:05:06.123456789" "$M/f"
is "$(stat -c %.Y "$M/f")" "$(date -d "2021-02-03 04:05:06" +%s).123000000" "in milliseconds"
unmount_view
fails 2 'time-gran' "$OSFUSE" mount --lower "$L" --time-gran 3s "$M"
fails 2 'time-gran' "$OSFUSE" mount --lower "$L" --time-gran fortnight "$M"
