#pragma once

/* What /proc says of the program that waits for an answer: who it is, and in the one case where it matters what it is about to do. */

#include <stdbool.h>
#include <sys/types.h>

/*
 * Is the thread renaming something to this name, from one that differs from it by case only? To the kernel the two names, found to be one
 * object, leave nothing to do; so whoever answers the look-up has to say that there is none of the new name yet. False if it cannot
 * be seen: that takes the rights of a debugger, ptrace(2).
 */
bool caller_changes_case(pid_t tid, const char *name);

/* The process that a thread belongs to: requests have the thread's id. The thread's, if it cannot be seen. */
pid_t caller_process(pid_t tid);

#define CALLER_COMM_BYTES 64
/* What a process calls itself, which it may change as it likes. Its file a program can keep from being seen, but not this. */
bool caller_comm(pid_t pid, char ret[static CALLER_COMM_BYTES]);
