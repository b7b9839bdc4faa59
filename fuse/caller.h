#pragma once

/* What the program that waits for a look-up is about to do: for the one case in which the kernel does not say, and it matters. */

#include <stdbool.h>
#include <sys/types.h>

/*
 * Is the thread renaming something to this name, from one that differs from it by case only? To the kernel the two names, found to be one
 * object, leave nothing to do; so whoever answers the look-up has to say that there is none of the new name yet. False if it cannot
 * be seen: that takes the rights of a debugger, ptrace(2).
 */
bool caller_changes_case(pid_t tid, const char *name);
