/* See control.h. */

#include "fuse/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define SOCKET_NAME "control"
#define REQUEST_MAX 256
#define REPLY_MAX (1u << 20)
#define NO_ROOM_MS 100
#define PATIENCE_MS 2000 /* with one who has connected; others wait behind him */

struct control {
	int dirfd;   /* where the socket is */
	int fd;	     /* listens */
	int wake_fd; /* eventfd: the end */
	control_fn fn;
	void *arg;
	pthread_t thread;
	bool started;
};

/* An address has room for 107 bytes, which the store's path may not fit in. */
static void address(int dirfd, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
	(void) snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" SOCKET_NAME, dirfd);
}

/* The directory keeps others out; but a descriptor of the socket may have been handed on. */
static bool is_ours(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && (cred.uid == geteuid() || cred.uid == 0);
}

/* Somebody who has connected. Whoever is slow keeps neither the others waiting for long, nor the end. */
struct peer {
	struct control *control;
	int fd;		     /* does not block */
	int64_t deadline_ms; /* for all that it has to say; then for all that it is told */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool wait_for(const struct peer *peer, short events)
{
	struct pollfd p[] = { { .fd = peer->fd, .events = events }, { .fd = peer->control->wake_fd, .events = POLLIN } };
	int64_t left;

	while ((left = peer->deadline_ms - now_ms()) > 0) {
		int r = poll(p, ARRAY_SIZE(p), (int) left);

		if (r > 0)
			return !p[1].revents;
		if (r < 0 && errno != EINTR)
			return false;
	}
	return false;
}

static void tell(const struct peer *peer, const char *text)
{
	for (size_t len = strlen(text); len > 0; ) {
		ssize_t n = send(peer->fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && wait_for(peer, POLLOUT))
			continue;
		if (n <= 0)
			return; /* whoever asked has gone, or does not listen: it is done all the same */
		text += n;
		len -= (size_t) n;
	}
}

/* A line, without its end. */
static bool hear(const struct peer *peer, char request[static REQUEST_MAX])
{
	size_t len = 0;

	while (len < REQUEST_MAX - 1 && wait_for(peer, POLLIN)) {
		ssize_t n = recv(peer->fd, request + len, REQUEST_MAX - 1 - len, 0);
		char *end;

		if (n <= 0)
			return false;
		end = memchr(request + len, '\n', (size_t) n);
		if (end) {
			*end = '\0';
			return true;
		}
		len += (size_t) n;
	}
	return false;
}

static void answer(struct control *c, int fd)
{
	struct peer peer = { .control = c, .fd = fd, .deadline_ms = now_ms() + PATIENCE_MS };
	_cleanup_free_ char *text = NULL;
	char request[REQUEST_MAX];
	int r;

	if (!is_ours(fd) || !hear(&peer, request))
		return;
	r = c->fn(c->arg, request, &text);
	peer.deadline_ms = now_ms() + PATIENCE_MS;
	tell(&peer, r < 0 ? "failed\n" : "ok\n");
	if (text)
		tell(&peer, text);
	else if (r < 0)
		tell(&peer, strerror(-r));
}

static void *control_main(void *arg)
{
	struct control *c = arg;
	struct pollfd p[] = { { .fd = c->fd, .events = POLLIN }, { .fd = c->wake_fd, .events = POLLIN } };

	(void) pthread_setname_np(pthread_self(), "osfuse/control");
	while (poll(p, ARRAY_SIZE(p), -1) >= 0 || errno == EINTR) {
		_cleanup_close_ int fd = -EBADF;

		if (p[1].revents)
			break;
		fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			answer(c, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			(void) poll(&p[1], 1, NO_ROOM_MS); /* whoever has called waits on */
	}
	return NULL;
}

static int listen_in(int dirfd, int *ret)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;

	if (fd < 0)
		return -errno;
	address(dirfd, &addr);
	(void) unlinkat(dirfd, SOCKET_NAME, 0); /* of a daemon that was killed; what else it may be, bind tells */
	if (bind(fd, (const struct sockaddr *) &addr, sizeof(addr)) < 0 || fchmodat(dirfd, SOCKET_NAME, 0600, 0) < 0 ||
	    listen(fd, 4) < 0)
		return -errno;
	*ret = steal_fd(&fd);
	return 0;
}

static int start(struct control *c)
{
	sigset_t all, saved;
	int r;

	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(&c->thread, NULL, control_main, c);
	(void) pthread_sigmask(SIG_SETMASK, &saved, NULL);
	c->started = r == 0;
	return -r;
}

int control_new(int dirfd, control_fn fn, void *arg, struct control **ret)
{
	_cleanup_(control_freep) struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct control) { .dirfd = -EBADF, .fd = -EBADF, .wake_fd = eventfd(0, EFD_CLOEXEC), .fn = fn, .arg = arg };
	c->dirfd = c->wake_fd < 0 ? -1 : fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	if (c->dirfd < 0)
		return -errno;
	r = listen_in(dirfd, &c->fd);
	if (r == 0)
		r = start(c);
	if (r < 0)
		return r;
	*ret = steal_ptr(c);
	return 0;
}

struct control *control_free(struct control *c)
{
	uint64_t one = 1;

	if (!c)
		return NULL;
	if (c->started) {
		(void) !write(c->wake_fd, &one, sizeof(one)); /* nobody else writes: it does not overflow */
		(void) pthread_join(c->thread, NULL);
	}
	if (c->fd >= 0)
		(void) unlinkat(c->dirfd, SOCKET_NAME, 0); /* what stays, the next daemon removes */
	(void) fd_close(c->fd);
	(void) fd_close(c->dirfd);
	(void) fd_close(c->wake_fd);
	free(c);
	return NULL;
}

static int send_line(int fd, const char *line)
{
	struct iovec v[] = { { (void *) (uintptr_t) line, strlen(line) }, { (void *) (uintptr_t) "\n", 1 } };
	const struct msghdr msg = { .msg_iov = v, .msg_iovlen = ARRAY_SIZE(v) };

	return sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0; /* at once: it is short, and the first */
}

/* Until the other end has said all. */
static int receive_all(int fd, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, size = 0;

	for (;;) {
		ssize_t n;

		if (size - len < 2) {
			char *bigger = size < REPLY_MAX ? realloc(text, size * 2 + 4096) : NULL;

			if (!bigger)
				return -ENOMEM;
			text = bigger;
			size = size * 2 + 4096;
		}
		n = recv(fd, text + len, size - len - 1, 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		len += n > 0 ? (size_t) n : 0;
	}
	text[len] = '\0';
	*ret = steal_ptr(text);
	return 0;
}

int control_ask(int dirfd, const char *request, char **ret_text)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_free_ char *reply = NULL;
	struct sockaddr_un addr;
	char *body;
	int r;

	*ret_text = NULL;
	if (fd < 0)
		return -errno;
	address(dirfd, &addr);
	if (connect(fd, (const struct sockaddr *) &addr, sizeof(addr)) < 0)
		return errno == ENOENT ? -ECONNREFUSED : -errno;
	r = send_line(fd, request);
	if (r == 0)
		r = receive_all(fd, &reply);
	if (r < 0)
		return r;
	body = strchr(reply, '\n');
	if (body && body[1]) {
		*ret_text = strdup(body + 1);
		if (!*ret_text)
			return -ENOMEM;
	}
	return strncmp(reply, "ok\n", 3) == 0 ? 0 : -EREMOTEIO;
}
