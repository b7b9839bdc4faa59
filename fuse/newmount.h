#pragma once

/*
 * The newer mount calls that we use. Apart from the rest because <linux/mount.h> and <sys/mount.h> cannot be included
 * together.
 */

#include <stdbool.h>

/*
 * A copy of the mounts below a directory that nothing mounted or unmounted later reaches: O_PATH descriptor on its root.
 * Fails without privilege.
 */
int newmount_clone(int fd);

/* Gives this process a mount namespace of its own, which nothing comes into or goes out of. */
int newmount_private_namespace(void);
/* Takes a mount out of this process's namespace. Only after the call above. */
int newmount_forget(const char *path);

/* Sets and clears MOUNT_ATTR_* by their mount(2) names. */
struct newmount_flags {
	bool ro, nosuid, nodev, noexec, nodiratime;
	enum newmount_atime {
		NEWMOUNT_RELATIME,
		NEWMOUNT_NOATIME,
		NEWMOUNT_STRICTATIME,
	} atime;
};
int newmount_set_flags(const char *path, const struct newmount_flags *flags);
