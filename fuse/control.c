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
#define PATIENCE_MS 2000 /* with one who has connected */
#define MAX_PEERS 16	 /* at a time; others wait behind them */

/* Somebody who has connected. Whoever is slow keeps neither the others waiting, nor the end. */
struct peer {
	int fd;		     /* does not block */
	int64_t deadline_ms; /* for all that it has to say; then for all that it is told */
	size_t n_heard;
	char request[REQUEST_MAX];
	char *reply; /* NULL: it has not asked yet */
	size_t n_told;
};

struct control {
	int dirfd;   /* where the socket is */
	int fd;	     /* listens */
	int wake_fd; /* eventfd: the end */
	control_fn fn;
	void *arg;
	pthread_t thread;
	bool started;
	struct peer peers[MAX_PEERS]; /* the thread's */
	size_t n_peers;
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

static int64_t now_ms(void)
{
	struct timespec ts;

	(void) clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool tell(struct peer *peer)
{
	size_t len = strlen(peer->reply);

	while (peer->n_told < len) {
		ssize_t n = send(peer->fd, peer->reply + peer->n_told, len - peer->n_told, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false; /* whoever asked has gone: it is done all the same */
		peer->n_told += (size_t) n;
	}
	return false;
}

/* 1: a line is there, without its end; 0: not yet; -1: nor will one be. */
static int hear(struct peer *peer)
{
	while (peer->n_heard < REQUEST_MAX - 1) {
		char *at = peer->request + peer->n_heard, *end;
		ssize_t n = recv(peer->fd, at, REQUEST_MAX - 1 - peer->n_heard, 0);

		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -1;
		end = memchr(at, '\n', (size_t) n);
		if (end) {
			*end = '\0';
			return 1;
		}
		peer->n_heard += (size_t) n;
	}
	return -1;
}

static bool answer(struct control *c, struct peer *peer)
{
	_cleanup_free_ char *text = NULL;
	int r = c->fn(c->arg, peer->request, &text);

	if (asprintf(&peer->reply, "%s\n%s", r < 0 ? "failed" : "ok", text ? text : r < 0 ? strerror(-r) : "") < 0) {
		peer->reply = NULL;
		return false;
	}
	peer->deadline_ms = now_ms() + PATIENCE_MS;
	return true;
}

/* As far as it goes without waiting. false: that was all. */
static bool attend(struct control *c, struct peer *peer)
{
	int r = peer->reply ? 1 : hear(peer);

	if (r <= 0)
		return r == 0;
	return (peer->reply || answer(c, peer)) && tell(peer);
}

static void dismiss(struct control *c, size_t i)
{
	(void) fd_close(c->peers[i].fd);
	free(c->peers[i].reply);
	c->peers[i] = c->peers[--c->n_peers];
}

static void welcome(struct control *c)
{
	struct pollfd end = { .fd = c->wake_fd, .events = POLLIN };
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && is_ours(fd))
		c->peers[c->n_peers++] = (struct peer) { .fd = fd, .deadline_ms = now_ms() + PATIENCE_MS };
	else if (fd >= 0)
		(void) fd_close(fd);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		(void) poll(&end, 1, NO_ROOM_MS); /* whoever has called waits on */
}

/* Until something can be done, or somebody's time is over. The first of p is the end, the second who calls, the others the peers. */
static bool wait_for_work(const struct control *c, struct pollfd p[static 2 + MAX_PEERS])
{
	int64_t first_ms = INT64_MAX;

	p[0] = (struct pollfd) { .fd = c->wake_fd, .events = POLLIN };
	p[1] = (struct pollfd) { .fd = c->n_peers < MAX_PEERS ? c->fd : -1, .events = POLLIN };
	for (size_t i = 0; i < c->n_peers; i++) {
		p[2 + i] = (struct pollfd) { .fd = c->peers[i].fd, .events = c->peers[i].reply ? POLLOUT : POLLIN };
		first_ms = MIN(first_ms, c->peers[i].deadline_ms);
	}
	if (poll(p, 2 + c->n_peers, c->n_peers > 0 ? (int) MAX(first_ms - now_ms(), 0) : -1) < 0)
		return errno == EINTR;
	return !p[0].revents;
}

static void *control_main(void *arg)
{
	struct control *c = arg;
	struct pollfd p[2 + MAX_PEERS];

	(void) pthread_setname_np(pthread_self(), "osfuse/control");
	while (wait_for_work(c, p)) {
		for (size_t i = c->n_peers; i-- > 0; ) /* the last, which was attended to, takes the place of who goes */
			if ((p[2 + i].revents && !attend(c, &c->peers[i])) || now_ms() >= c->peers[i].deadline_ms)
				dismiss(c, i);
		if (p[1].revents)
			welcome(c);
	}
	while (c->n_peers > 0)
		dismiss(c, c->n_peers - 1);
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
