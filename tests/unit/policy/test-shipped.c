/*
 * The policies that come with the program: each compiles, hides what it should, and leaves alone what programs need.
 *
 * A row is a path and the letter of its verdict: h hide, d deny, r ro, c cow, and P, Q for a hidden or denied directory that is a
 * passage. A path that ends in '/' is a directory. ~ stands for every home there is, three in this world: root's, one below /home,
 * which the policy knows as a pattern, and one elsewhere.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "policy/policy.h"

#include "shipped-secrets.h"

static const char *const homes[] = { "/root", "/home/*", "/srv/people/bob", NULL };
static const char *const real_homes[] = { "/root", "/home/alice", "/srv/people/bob" };

static const struct policy_world world = { .home = "/home/alice", .homes = homes };

static struct policy *compile(const char *text, bool fold)
{
	_cleanup_(policy_builder_freep) struct policy_builder *b = NULL;
	struct policy *p = NULL;
	int r;

	assert_int_equal(policy_builder_new(&world, &b), 0);
	assert_int_equal(policy_builder_add(b, "test", text, strlen(text)), 0);
	r = policy_builder_compile(b, fold, &p);
	if (r < 0)
		policy_builder_report(b, stderr);
	assert_int_equal(r, 0);
	assert_int_equal(policy_builder_n_errors(b), 0);
	return p;
}

static struct policy *compile_shipped(const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "include <%s>\n", name);
	return compile(text, false);
}

static char letter(const struct policy_verdict *v)
{
	if (v->passage)
		return v->access == POLICY_HIDE ? 'P' : 'Q';
	return "hdrcw"[v->access];
}

/* What becomes of a path: the verdict of the first directory on the way that does not let through, else its own. */
static char judge(const struct policy *p, const char *path, struct policy_verdict *ret)
{
	size_t len = strlen(path);
	bool is_dir = path[len - 1] == '/';
	char copy[256];

	assert_true(len < sizeof(copy));
	for (size_t i = 1; i < len; i++) {
		if (path[i] != '/' || i == len - 1)
			continue;
		memcpy(copy, path, i);
		copy[i] = '\0';
		assert_int_equal(policy_judge(p, copy, true, ret), 0);
		if (ret->access <= POLICY_DENY && !ret->passage)
			return letter(ret);
	}
	memcpy(copy, path, len + 1);
	if (is_dir && len > 1)
		copy[len - 1] = '\0';
	assert_int_equal(policy_judge(p, copy, is_dir, ret), 0);
	return letter(ret);
}

static unsigned int check_path(const struct policy *p, const char *name, const char *path, char expected)
{
	struct policy_verdict v;
	char found = judge(p, path, &v);
	const struct policy_rule *rule = v.rule == POLICY_NO_RULE ? NULL : policy_rule(p, v.rule);

	if (found == expected)
		return 0;
	print_error("%s: %s: %c, expected %c (%s:%u %s)\n", name, path, found, expected,
		    rule ? rule->source : "no rule", rule ? rule->line : 0, rule ? rule->pattern : "");
	return 1;
}

static unsigned int check_row(const struct policy *p, const char *name, const struct row *row)
{
	unsigned int n_wrong = 0;
	char path[256];

	if (row->path[0] != '~')
		return check_path(p, name, row->path, row->expected);
	for (size_t i = 0; i < ARRAY_SIZE(real_homes); i++) {
		snprintf(path, sizeof(path), "%s%s", real_homes[i], row->path + 1);
		n_wrong += check_path(p, name, path, row->expected);
	}
	return n_wrong;
}

static void check_rows(const struct policy *p, const char *name, const struct row *rows, size_t n_rows)
{
	unsigned int n_wrong = 0;

	for (size_t i = 0; i < n_rows; i++)
		n_wrong += check_row(p, name, &rows[i]);
	assert_int_equal(n_wrong, 0);
}

static void check_shipped(const char *name, const struct row *rows, size_t n_rows)
{
	_cleanup_(policy_unrefp) struct policy *p = compile_shipped(name);

	check_rows(p, name, rows, n_rows);
}

static const struct row denied[] = {
	{ 'd', "/etc/ssh/ssh_host_mldsa44_key" },
	{ 'd', "/etc/ssh/ssh_host_rsa_2024_key" },
	{ 'd', "/etc/ssh/ssh_host_old_rsa_key" },
	{ 'd', "/etc/ssh/ssh_host_ed25519b_key" },
	{ 'd', "/etc/ssh/ssh_host_rsa4096_key" },
	{ 'd', "/etc/ssh/ssh_host_key_key" },
	{ 'd', "/etc/ssh/ssh_host_xmss_key" },
	{ 'd', "/etc/ssl/private/example.org.key" },
	{ 'd', "/etc/ssl/private/server.key" },
	{ 'd', "/etc/ssl/private/sub.example.org.pem" },
	{ 'd', "/etc/ssl/private/ssl-cert-snakeoil.key.old" },
	{ 'd', "/etc/ssl/private/ssl-cert-nail.key" },
	{ 'd', "/etc/ssl/private/s" },
	{ 'd', "/etc/ssl/private/key" },
	{ 'd', "/etc/ssl/private/s.key" },
	{ 'd', "/etc/ssl/private/skey" },
	{ 'd', "/etc/pki/tls/private/localhost.key" },
	{ 'd', "/etc/krb5.keytab" },
	{ 'd', "/etc/letsencrypt/accounts/" },
	{ 'd', "/etc/letsencrypt/archive/example.org/privkey1.pem" },
	{ 'd', "/etc/letsencrypt/live/example.org/privkey.pem" },
};

/* What programs need, in homes and elsewhere: as if there were no policy. */
static const struct row ordinary[] = {
	{ 'c', "~/" },
	{ 'c', "~/.bashrc" },
	{ 'c', "~/.profile" },
	{ 'c', "~/.gitconfig" },
	{ 'c', "~/.config/" },
	{ 'c', "~/.config/git/config" },
	{ 'c', "~/.config/git/ignore" },
	{ 'c', "~/.config/gh/config.yml" },
	{ 'c', "~/.config/pip/" },
	{ 'c', "~/.config/nvim/init.lua" },
	{ 'c', "~/.config/fish/config.fish" },
	{ 'c', "~/.config/Code/User/settings.json" },
	{ 'c', "~/.config/systemd/user/" },
	{ 'c', "~/.config/fontconfig/fonts.conf" },
	{ 'c', "~/.config/htop/htoprc" },
	{ 'c', "~/.local/" },
	{ 'c', "~/.local/bin/tool" },
	{ 'c', "~/.local/lib/python3.12/site-packages/x.py" },
	{ 'c', "~/.local/share/applications/" },
	{ 'c', "~/.local/share/uv/python/" },
	{ 'c', "~/.local/share/pnpm/store/" },
	{ 'c', "~/.local/state/" },
	{ 'c', "~/.cache/" },
	{ 'c', "~/.cache/pip/http/" },
	{ 'c', "~/.cache/uv/" },
	{ 'c', "~/.cache/ccache/" },
	{ 'c', "~/.cache/go-build/" },
	{ 'c', "~/.cache/huggingface/hub/" },
	{ 'c', "~/.cache/ms-playwright/chromium-1/" },
	{ 'c', "~/.cache/pypoetry/" },
	{ 'c', "~/.npm/_cacache/" },
	{ 'c', "~/.nvm/nvm.sh" },
	{ 'c', "~/.cargo/bin/cargo" },
	{ 'c', "~/.cargo/config.toml" },
	{ 'c', "~/.cargo/registry/index/" },
	{ 'c', "~/.rustup/toolchains/" },
	{ 'c', "~/go/pkg/mod/" },
	{ 'c', "~/.m2/repository/" },
	{ 'c', "~/.gradle/caches/" },
	{ 'c', "~/.gem/ruby/" },
	{ 'c', "~/.bundle/cache/" },
	{ 'c', "~/.nuget/NuGet/NuGet.Config" },
	{ 'c', "~/.nuget/packages/" },
	{ 'c', "~/.composer/vendor/bin/x" },
	{ 'c', "~/.docker/" },
	{ 'c', "~/.docker/buildx/" },
	{ 'c', "~/.docker/cli-plugins/docker-compose" },
	{ 'c', "~/.fly/bin/flyctl" },
	{ 'c', "~/.terraform.d/plugin-cache/" },
	{ 'c', "~/.pulumi/bin/" },
	{ 'c', "~/.julia/logs/" },
	{ 'c', "~/.julia/packages/" },
	{ 'c', "~/.ipython/profile_default/" },
	{ 'c', "~/.jupyter/" },
	{ 'c', "~/.local/share/jupyter/runtime/" },
	{ 'c', "~/.local/share/jupyter/kernels/python3/kernel.json" },
	{ 'c', "~/.local/share/juliaup/" },
	{ 'c', "~/.local/share/caddy/" },
	{ 'c', "~/.config/zsh/.zshrc" },
	{ 'c', "~/.config/uv/uv.toml" },
	{ 'c', "~/.config/Code/User/keybindings.json" },
	{ 'c', "~/.config/docker/" },
	{ 'c', "~/.config/SomeApp/Default/Preferences" },
	{ 'c', "~/.cursor/extensions/" },
	{ 'c', "~/.config/zed/settings.json" },
	{ 'c', "~/.local/share/zed/extensions/" },
	{ 'c', "~/.lmstudio/models/" },
	{ 'c', "~/.ollama/models/" },
	{ 'c', "~/.cache/pre-commit/" },
	{ 'c', "~/.cache/zellij/" },
	{ 'c', "~/.acme.sh/acme.sh" },
	{ 'c', "~/.conan/profiles/default" },
	{ 'c', "~/.sbt/1.0/plugins/" },
	{ 'c', "~/.dotnet/tools/" },
	{ 'c', "~/.duckdb/extensions/" },
	{ 'c', "~/.opam/default/" },
	{ 'c', "~/.config/nix/nix.conf" },
	{ 'c', "~/.config/wandb/" },
	{ 'c', "~/.expo/" },
	{ 'c', "~/.minecraft/" },
	{ 'c', "~/.local/share/Steam/steamapps/" },
	{ 'c', "~/.emacs.d/init.el" },
	{ 'c', "~/.gnupg/" },
	{ 'c', "~/.gnupg/pubring.kbx" },
	{ 'c', "~/.gnupg/trustdb.gpg" },
	{ 'c', "~/.gnupg/gpg.conf" },
	{ 'c', "~/.vscode-server/bin/" },
	{ 'c', "~/.pyenv/versions/" },
	{ 'c', "~/.conda/environments.txt" },
	{ 'c', "~/.condarc" },
	{ 'c', "~/snap/" },
	{ 'c', "~/snap/mine/README" },
	{ 'c', "~/src/app/README.md" },
	{ 'c', "~/src/app/node_modules/x/index.js" },
	{ 'c', "~/src/app/target/debug/" },
	{ 'c', "~/src/app/.git/config" },
	{ 'c', "~/src/app/.npmrc" },
	{ 'c', "~/src/app/.venv/bin/python" },
	{ 'c', "~/src/app/environment.yml" },
	{ 'c', "~/src/app/.environment" },
	{ 'c', "~/src/app/test/server.pem" },
	{ 'c', "~/.bashrc~" },
	{ 'c', "~/.bashrc.bak" },
	{ 'c', "~/.bashrc.swp" },
	{ 'c', "~/id_rsa.pub" },
	{ 'c', "~/src/app/key.pem" },
	{ 'c', "~/.jupyter/custom/" },
	{ 'c', "~/.vim/pack/" },
	{ 'c', "~/.vim/vimrc" },
	{ 'c', "~/.local/share/nvim/site/" },
	{ 'c', "~/.local/state/nvim/" },
	{ 'c', "~/.local/lib/python3.12/site-packages/certifi/cacert.pem" },
	{ 'c', "~/.config/obs-studio/global.ini" },
	{ 'c', "~/.cargo/env" },
	{ 'c', "~/.emacs.d/elpa/" },
	/* written to be read */
	{ 'c', "~/src/app/.env.example" },
	{ 'c', "/work/app/.env.sample" },
	{ 'c', "/work/app/.env.template" },
	{ 'c', "/work/app/.env.dist" },
	{ 'c', "/work/app/.env.defaults" },
	{ 'c', "/work/app/.env.schema" },
	{ 'c', "/work/app/.dev.vars.example" },
	{ 'c', "~/.config/nix/nix.conf" },
	{ 'c', "/var/lib/NetworkManager/" },
	/* the system */
	{ 'c', "/" },
	{ 'c', "/etc/" },
	{ 'c', "/etc/passwd" },
	{ 'c', "/etc/group" },
	{ 'c', "/etc/hosts" },
	{ 'c', "/etc/resolv.conf" },
	{ 'c', "/etc/ssl/" },
	{ 'c', "/etc/ssl/certs/ca-certificates.crt" },
	{ 'c', "/etc/ssl/openssl.cnf" },
	{ 'c', "/etc/ssl/private/" },
	{ 'c', "/etc/pki/tls/certs/ca-bundle.crt" },
	{ 'c', "/etc/ssh/" },
	{ 'c', "/etc/ssh/ssh_config" },
	{ 'c', "/etc/ssh/ssh_known_hosts" },
	{ 'c', "/etc/ssh/ssh_host_ed25519_key.pub" },
	{ 'c', "/etc/wireguard/" },
	{ 'c', "/etc/NetworkManager/system-connections/" },
	{ 'c', "/etc/letsencrypt/archive/example.org/fullchain1.pem" },
	{ 'c', "/etc/letsencrypt/live/example.org/fullchain.pem" },
	{ 'c', "/etc/nginx/sites-enabled/default" },
	{ 'c', "/etc/apache2/apache2.conf" },
	{ 'c', "/var/lib/kubelet/" },
	{ 'c', "/var/lib/kubelet/config.yaml" },
	{ 'c', "/var/lib/etcd/default/" },
	{ 'c', "/var/lib/docker/" },
	{ 'c', "/var/cache/debconf/config.dat" },
	{ 'c', "/var/cache/debconf/passwords.dat-new" },
	{ 'c', "/etc/sssd/" },
	{ 'c', "/etc/samba/smb.conf" },
	{ 'c', "/etc/dovecot/private/dovecot.key" },
	{ 'c', "/etc/dovecot/conf.d/auth-passwdfile.conf.ext" },
	{ 'c', "/etc/dkimkeys/README.PrivateKeys" },
	{ 'c', "/etc/libvirt/secrets/" },
	{ 'c', "/etc/apt/auth.conf.d/90ubuntu-advantage" },
	{ 'c', "/etc/cron.d/" },
	{ 'c', "/etc/shadow.lock" },
	{ 'c', "/etc/shadow+" },
	{ 'c', "/etc/nshadow" },
	{ 'c', "/etc/shadow.4711" },
	{ 'c', "/etc/shadow.edit" },
	{ 'c', "/etc/ssl/certs/ca.pem" },
	{ 'c', "/usr/share/ca-certificates/mozilla/x.pem" },
	{ 'c', "/etc/mosquitto/mosquitto.conf" },
	{ 'c', "/etc/hostapd/ifupdown.sh" },
	{ 'c', "/etc/bind/rndc.key" },
	{ 'c', "/var/lib/tor/" },
	{ 'c', "/var/lib/tor/state" },
	{ 'c', "/etc/davfs2/secrets.dpkg-new" },
	/* made by the scripts of packages, or brought by packages */
	{ 'c', "/etc/security/opasswd" },
	{ 'c', "/etc/ssh/ssh_host_rsa_key" },
	{ 'c', "/etc/ssh/ssh_host_dsa_key" },
	{ 'c', "/etc/ssh/ssh_host_ecdsa_key" },
	{ 'c', "/etc/ssh/ssh_host_ed25519_key" },
	{ 'c', "/etc/ssl/private/ssl-cert-snakeoil.key" },
	{ 'c', "/etc/mysql/debian.cnf" },
	{ 'c', "/etc/exim4/passwd.client" },
	{ 'c', "/var/spool/cron/atjobs/.SEQ" },
	{ 'c', "/var/spool/at/.SEQ" },
	{ 'c', "/var/spool/at/spool/" },
	{ 'c', "/etc/pip.conf" },
	{ 'c', "/usr/bin/python3" },
	{ 'c', "/usr/lib/python3.12/os.py" },
	{ 'c', "/usr/lib/python3/dist-packages/certifi/cacert.pem" },
	{ 'c', "/usr/local/bin/" },
	{ 'c', "/usr/lib/jvm/x/lib/security/cacerts" },
	{ 'c', "/usr/share/zoneinfo/UTC" },
	{ 'c', "/var/lib/dpkg/status" },
	{ 'c', "/var/lib/apt/lists/" },
	{ 'c', "/var/cache/apt/" },
	{ 'c', "/var/spool/cron/crontabs/" },
	{ 'c', "/var/spool/cron/" },
	{ 'c', "/var/mail/" },
	{ 'c', "/var/lib/bluetooth/" },
	{ 'c', "/tmp/x" },
	{ 'c', "/tmp/pytest-of-alice/" },
	{ 'c', "/var/tmp/" },
	{ 'c', "/run/lock/" },
	{ 'c', "/run/user/1000/" },
	{ 'c', "/opt/tool/bin/x" },
	{ 'c', "/home/" },
	{ 'c', "/srv/people/" },
	{ 'c', "/srv/people/carol/" },
	{ 'c', "/newdir/" },
};

static const struct row readonly_rows[] = {
	{ 'r', "/" },
	{ 'r', "/newdir/" },
	{ 'r', "~/" },
	{ 'r', "~/.bashrc" },
	{ 'r', "~/.cache/pip/" },
	{ 'r', "/usr/bin/python3" },
	{ 'r', "/etc/passwd" },
	{ 'r', "/etc/ssl/certs/ca-certificates.crt" },
	{ 'r', "/var/lib/dpkg/status" },
	{ 'r', "/etc/ssl/private/" },
	{ 'r', "/work/app/.env.example" },
	{ 'r', "/usr/share/x/.env.sample" },
	{ 'c', "/tmp/" },
	{ 'c', "/tmp/a/b" },
	{ 'c', "/var/tmp/x" },
	{ 'c', "/dev/shm/x" },
	{ 'c', "/dev/null" },
	{ 'c', "/run/lock/x" },
	{ 'c', "/run/user/1000/x" },
	{ 'r', "/run/user/" },
	{ 'r', "/run/" },
};

static const struct row python_rows[] = {
	{ 'h', "~/src/app/venv/pip.conf" },
	{ 'h', "~/src/.pypirc" },
	{ 'c', "/etc/pip.conf" },
	{ 'c', "/usr/lib/python3/dist-packages/new.py" },
	{ 'c', "/usr/local/lib/python3.12/dist-packages/" },
	{ 'c', "~/.local/bin/pytest" },
	{ 'c', "~/src/app/.pytest_cache/" },
	{ 'c', "~/src/app/tests/test_x.py" },
};

static const struct row build_rows[] = {
	{ 'r', "/usr/" },
	{ 'r', "/usr/bin/cc" },
	{ 'r', "/usr/include/stdio.h" },
	{ 'r', "/usr/local/bin/tool" },
	{ 'r', "/etc/passwd" },
	{ 'r', "/lib/modules/" },
	{ 'r', "/opt/x/" },
	{ 'r', "/var/lib/dpkg/status" },
	{ 'c', "/usr/src/linux-6.1/Makefile" },
	{ 'c', "~/.cache/ccache/" },
	{ 'c', "~/.npm/_cacache/" },
	{ 'c', "~/.cargo/registry/" },
	{ 'c', "~/go/pkg/mod/" },
	{ 'c', "~/src/app/target/" },
	{ 'c', "/work/app/build/" },
	{ 'c', "/build/" },
	{ 'c', "/tmp/x" },
	{ 'c', "/var/cache/ccache/" },
	{ 'r', "/etc/shadow" },
};

static const struct row paranoid_rows[] = {
	{ 'c', "/" },
	{ 'h', "/home/" },
	{ 'h', "~/" },
	{ 'h', "~/.bashrc" },
	{ 'h', "~/src/app/.env.example" },
	{ 'h', "/srv/" },
	{ 'h', "/mnt/" },
	{ 'h', "/media/" },
	{ 'h', "/data/x" },
	{ 'h', "/boot/" },
	{ 'h', "/var/log/" },
	{ 'h', "/var/lib/mysql/" },
	{ 'h', "/var/backups/" },
	{ 'h', "/var/spool/" },
	{ 'h', "/run/user/" },
	{ 'h', "/run/docker.sock" },
	{ 'h', "/run/secrets/" },
	{ 'h', "/newfile" },
	{ 'r', "/usr/" },
	{ 'r', "/usr/bin/python3" },
	{ 'r', "/bin" },
	{ 'r', "/lib64" },
	{ 'r', "/etc/passwd" },
	{ 'r', "/etc/ssl/certs/ca-certificates.crt" },
	{ 'r', "/usr/share/x/.env.example" },
	{ 'h', "/etc/shadow" },
	{ 'h', "/etc/sudoers" },
	{ 'h', "/etc/machine-id" },
	{ 'h', "/etc/ssh/ssh_host_rsa_key.pub" },
	{ 'r', "/etc/ssh/ssh_config" },
	{ 'd', "/etc/ssl/private/x.key" },
	{ 'P', "/var/" },
	{ 'P', "/var/lib/" },
	{ 'P', "/run/" },
	{ 'P', "/run/systemd/" },
	{ 'P', "/run/systemd/resolve/" },
	{ 'r', "/run/systemd/resolve/stub-resolv.conf" },
	{ 'h', "/run/systemd/resolve/io.systemd.Resolve" },
	{ 'P', "/nix/" },
	{ 'h', "/nix/var/" },
	{ 'r', "/nix/store/x/" },
	{ 'r', "/proc/" },
	{ 'r', "/sys/" },
	{ 'c', "/dev/null" },
	{ 'c', "/tmp/" },
	{ 'c', "/tmp/x" },
	{ 'c', "/var/tmp/" },
	{ 'h', "/tmp/x/.env" },
};

static const struct row offline_rows[] = {
	{ 'h', "/etc/resolv.conf" },
	{ 'h', "/run/systemd/resolve/stub-resolv.conf" },
	{ 'h', "/etc/NetworkManager/" },
	{ 'h', "/run/docker.sock" },
	{ 'h', "/run/containerd/containerd.sock" },
	{ 'h', "/run/podman/podman.sock" },
	{ 'h', "/run/dbus/system_bus_socket" },
	{ 'h', "/run/user/1000/bus" },
	{ 'h', "/run/user/1000/wayland-0" },
	{ 'h', "/tmp/.X11-unix/X0" },
	{ 'h', "/run/cups/cups.sock" },
	{ 'h', "/run/snapd.socket" },
	{ 'h', "/run/nscd/socket" },
	{ 'h', "/run/user/1000/docker.sock" },
	{ 'h', "/run/postgresql/.s.PGSQL.5432" },
	{ 'h', "/tmp/tmux-1000/default" },
	{ 'r', "/etc/hosts" },
	{ 'r', "/etc/nsswitch.conf" },
	{ 'c', "/etc/passwd" },
	{ 'c', "/run/lock/" },
	{ 'c', "/run/user/1000/" },
	{ 'c', "/run/systemd/" },
	{ 'c', "~/.cache/pip/" },
	{ 'c', "/usr/bin/curl" },
	{ 'c', "/tmp/x" },
	{ 'c', "/etc/network-x" },
};

/* With paranoid, the directory that its header admits. */
static const struct row admitted_rows[] = {
	{ 'P', "/home/" },
	{ 'P', "/home/alice/" },
	{ 'c', "/home/alice/project/" },
	{ 'c', "/home/alice/project/src/x.c" },
	{ 'h', "/home/alice/project/.env" },
	{ 'c', "/home/alice/project/.env.example" },
	{ 'h', "/home/alice/project/id_rsa" },
	{ 'h', "/home/alice/.ssh/" },
	{ 'h', "/home/alice/.bashrc" },
	{ 'h', "/home/alice/.gnupg/" },
	{ 'h', "/home/alice/.env.example" },
	{ 'h', "/home/alice/src/.env.example" },
	{ 'h', "/home/bert/" },
	{ 'h', "/root/" },
	{ 'h', "/srv/" },
	{ 'h', "/srv/people/bob/" },
	{ 'P', "/var/" },
	{ 'h', "/var/spool/" },
	{ 'h', "/var/backups/" },
	{ 'h', "/etc/shadow" },
	{ 'r', "/etc/passwd" },
};

/* What the header of defaults says how to show, below what it hides. */
static const struct row shown_rows[] = {
	{ 'P', "/home/alice/.ssh/" },
	{ 'c', "/home/alice/.ssh/known_hosts" },
	{ 'c', "/home/alice/.ssh/config" },
	{ 'h', "/home/alice/.ssh/id_ed25519" },
	{ 'h', "/home/alice/.ssh/new" },
	{ 'h', "/home/bert/.ssh/" },
	{ 'h', "/root/.ssh/" },
};

static void test_all_compile(void **state)
{
	static const char *const expected[] = { "defaults", "readonly", "python", "build", "paranoid", "offline" };
	size_t n = 0, len;

	(void) state;
	for (const char *const *name = policy_shipped_names(); *name; name++, n++) {
		_cleanup_(policy_unrefp) struct policy *p = compile_shipped(*name);

		assert_true(policy_n_rules(p) > 0);
	}
	assert_int_equal(n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_non_null(policy_shipped(expected[i], &len));
	assert_null(policy_shipped("nothing", &len));
}

static void test_defaults(void **state)
{
	(void) state;
	check_shipped("defaults", secrets, ARRAY_SIZE(secrets));
	check_shipped("defaults", denied, ARRAY_SIZE(denied));
	check_shipped("defaults", ordinary, ARRAY_SIZE(ordinary));
}

/* None shows what the defaults hide. */
static void test_secrets_everywhere(void **state)
{
	(void) state;
	for (const char *const *name = policy_shipped_names(); *name; name++)
		check_shipped(*name, secrets, ARRAY_SIZE(secrets));
}

static void test_others(void **state)
{
	(void) state;
	check_shipped("readonly", readonly_rows, ARRAY_SIZE(readonly_rows));
	check_shipped("readonly", denied, ARRAY_SIZE(denied));
	check_shipped("python", python_rows, ARRAY_SIZE(python_rows));
	check_shipped("python", denied, ARRAY_SIZE(denied));
	check_shipped("python", ordinary, ARRAY_SIZE(ordinary));
	check_shipped("build", build_rows, ARRAY_SIZE(build_rows));
	check_shipped("paranoid", paranoid_rows, ARRAY_SIZE(paranoid_rows));
	check_shipped("offline", offline_rows, ARRAY_SIZE(offline_rows));
	check_shipped("offline", denied, ARRAY_SIZE(denied));
}

static void test_headers(void **state)
{
	_cleanup_(policy_unrefp) struct policy *admitted =
		compile("include <paranoid>\ncow ~/project\ninclude <defaults>\n", false);
	_cleanup_(policy_unrefp) struct policy *shown =
		compile("include <defaults>\ncow ~/.ssh/known_hosts ~/.ssh/config\n", false);

	(void) state;
	check_rows(admitted, "paranoid, project", admitted_rows, ARRAY_SIZE(admitted_rows));
	check_rows(shown, "defaults, ~/.ssh", shown_rows, ARRAY_SIZE(shown_rows));
}

/* The defaults admit nothing, at most they deny what was hidden. So they can follow any other rules. */
static void test_defaults_take_away(void **state)
{
	_cleanup_(policy_unrefp) struct policy *p = compile_shipped("defaults");
	_cleanup_(policy_unrefp) struct policy *last = compile("hide /**\ninclude <defaults>\n", false);
	static const struct row rows[] = {
		{ 'h', "/home/" }, { 'h', "~/" },    { 'h', "/root/" }, { 'h', "/var/" },
		{ 'h', "/usr/" },  { 'h', "/run/" }, { 'h', "/tmp/" },
	};
	_cleanup_(policy_unrefp) struct policy *before = compile("ro /\nrw /w\nhide *.secret *.example\ninclude <defaults>\n", false);
	static const struct row kept[] = {
		{ 'h', "/a/.env.example" }, { 'h', "/a/.env/x.secret" }, { 'r', "/a/.env.sample" }, { 'w', "/w/.env.sample" },
	};

	(void) state;
	for (size_t i = 0; i < policy_n_rules(p); i++) {
		const struct policy_rule *rule = policy_rule(p, i);

		if (rule->verb == POLICY_VERB_DENY || rule->verb == POLICY_VERB_FILE)
			assert_true(strncmp(rule->pattern, "/etc/", 5) == 0 || strncmp(rule->pattern, "/var/cache/", 11) == 0);
		else
			assert_int_equal(rule->verb, POLICY_VERB_HIDE);
	}
	check_rows(last, "hide all, defaults", rows, ARRAY_SIZE(rows));
	check_rows(before, "own rules, defaults", kept, ARRAY_SIZE(kept));
}

/* What has hashes of passwords and the like, and is brought by packages, is not there: the view has a file of its own, which may be changed. */
static void test_passwords(void **state)
{
	static const char *const names[] = { "defaults", "python", "build", "offline" };
	static const char *const paths[] = {
		"/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/var/cache/debconf/passwords.dat",
		"/var/cache/debconf/passwords.dat-old", "/etc/security/opasswd", "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_dsa_key",
		"/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key", "/etc/ssl/private/ssl-cert-snakeoil.key",
		"/etc/ppp/chap-secrets", "/etc/ppp/pap-secrets", "/etc/ipsec.secrets", "/etc/mysql/debian.cnf", "/etc/exim4/passwd.client",
		"/etc/bind/rndc.key",
	};

	(void) state;
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		_cleanup_(policy_unrefp) struct policy *p = compile_shipped(names[n]);

		for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
			struct policy_verdict v;

			assert_int_equal(policy_judge(p, paths[i], false, &v), 0);
			if (v.access == POLICY_HIDE) /* with all of its directory */
				continue;
			assert_int_not_equal(v.file, POLICY_NO_RULE);
			assert_string_equal(policy_file(p, v.file)->path, paths[i]);
		}
	}
}

/* Another spelling shows nothing either. */
static void test_fold(void **state)
{
	_cleanup_(policy_unrefp) struct policy *p = compile("include <defaults>\n", true);
	static const struct row rows[] = {
		{ 'h', "~/.SSH/" },     { 'h', "~/.Aws/Credentials" },   { 'h', "/work/.ENV" },
		{ 'd', "/ETC/krb5.keytab" }, { 'c', "~/.CONFIG/GIT/config" },
	};

	(void) state;
	check_rows(p, "defaults, any case", rows, ARRAY_SIZE(rows));
}

static bool keeps(const struct policy_settings *s, const char *glob)
{
	for (char **k = s->env_keep; *k; k++)
		if (strcmp(*k, glob) == 0)
			return true;
	return false;
}

static void test_settings(void **state)
{
	static const char *const with_env[] = { "python", "build", "paranoid", "offline" };
	_cleanup_(policy_unrefp) struct policy *defaults = compile_shipped("defaults");
	_cleanup_(policy_unrefp) struct policy *paranoid = compile_shipped("paranoid");
	_cleanup_(policy_unrefp) struct policy *offline = compile_shipped("offline");
	struct policy_verdict v;

	(void) state;
	assert_null(policy_settings(defaults)->env_keep);
	for (size_t i = 0; i < ARRAY_SIZE(with_env); i++) {
		_cleanup_(policy_unrefp) struct policy *p = compile_shipped(with_env[i]);

		assert_non_null(policy_settings(p)->env_keep);
		assert_true(keeps(policy_settings(p), "PATH"));
		assert_true(keeps(policy_settings(p), "LC_*"));
		assert_false(keeps(policy_settings(p), "*"));
		assert_false(keeps(policy_settings(p), "SSH_AUTH_SOCK"));
	}
	assert_string_equal(policy_settings(paranoid)->host, "sandbox");
	assert_int_equal(policy_settings(paranoid)->umask, 077);
	assert_int_equal(policy_judge(offline, "/etc/hosts", false, &v), 0);
	assert_true(v.file != POLICY_NO_RULE);
	assert_string_equal(policy_file(offline, v.file)->path, "/etc/hosts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_compile),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_secrets_everywhere),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_defaults_take_away),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
