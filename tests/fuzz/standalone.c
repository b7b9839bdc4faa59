/* Runs a fuzz target on files: what was found once is looked at by every build. FILE… or directories of them. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int n_run;

static int run_file(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *data;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		return 1;
	}
	data = malloc((size_t) st.st_size + 1);
	if (!data || fread(data, 1, (size_t) st.st_size, f) != (size_t) st.st_size) {
		perror(path);
		return 1;
	}
	(void) fclose(f);
	(void) LLVMFuzzerTestOneInput(data, (size_t) st.st_size);
	free(data);
	n_run++;
	return 0;
}

static int run_directory(const char *path, DIR *dir)
{
	int status = 0;

	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		char *name = NULL;

		if (e->d_name[0] == '.')
			continue;
		if (asprintf(&name, "%s/%s", path, e->d_name) < 0)
			return 1;
		status |= run_file(name);
		free(name);
	}
	return status;
}

int main(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		status |= dir ? run_directory(argv[i], dir) : run_file(argv[i]);
		if (dir)
			(void) closedir(dir);
	}
	printf("%u inputs\n", n_run);
	return n_run > 0 ? status : 1;
}
