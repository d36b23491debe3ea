/* Preloaded before libc: counts the system calls that change files below one directory, and makes one of them fail.

   fault_arm(prefix, at, action, errno, log)
     prefix  only paths that begin with it count
     at      number of the call, from 0; -1: none
     action  see below
     log     file that gets a line a call ("kind path [second path | offset length]") and the bytes of every write, or ""

   HDF5, numpy and Python all end here, so no write site is left out. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum action { NOTHING, KILL_BEFORE, KILL_AMID, FAIL, SHORT, FULL };
/* KILL_AMID: after the call, of a write after half of it.   FAIL: this call returns errno.
   SHORT: this write takes half of the bytes and says so.    FULL: that, and from then on nothing can be written. */

enum { MAX_FD = 1024, MAX_PATH = 1024 };
static char prefix[MAX_PATH], path_of[MAX_FD][MAX_PATH];
static long at = -1, counter;
static int armed, action, number, is_full, log_fd = -1;

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

void fault_arm(const char *p, long at_, int action_, int number_, const char *log_path)
{
    snprintf(prefix, sizeof prefix, "%s", p);
    at = at_, action = action_, number = number_, counter = 0, is_full = 0;
    log_fd = *log_path ? REAL(open)(log_path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644) : -1;
    armed = 1;
}

static int counts(const char *path) { return armed && path && !strncmp(path, prefix, strlen(prefix)); }

static const char *path_of_fd(int fd) { return armed && fd >= 0 && fd < MAX_FD && *path_of[fd] ? path_of[fd] : NULL; }

static void note(const char *kind, const char *path, const char *rest)
{
    char line[3 * MAX_PATH];
    if (log_fd < 0) return;
    int n = snprintf(line, sizeof line, "%s\t%s\t%s\n", kind, path, rest);
    if (REAL(write)(log_fd, line, n) != n) _exit(99);
}

/* What becomes of this call: 0 it goes on, 1 it is killed after it, 2 it takes half, -1 it fails with errno set. */
static int decide(int is_write, int needs_space)
{
    long me = counter++;
    if (is_full && needs_space) return errno = number, -1;
    if (me != at) return 0;
    switch (action) {
    case KILL_BEFORE: kill(getpid(), SIGKILL); return 0;
    case KILL_AMID: return 1;
    case FAIL: errno = number; return -1;
    case SHORT: return is_write ? 2 : 0;
    case FULL:
        is_full = 1;
        if (is_write) return 2;
        if (needs_space) return errno = number, -1;
    }
    return 0;
}

#define CALL(type, kind, path, rest, needs_space, call)                 \
    do {                                                                \
        if (!counts(path)) return call;                                 \
        note(kind, path, rest);                                         \
        int fate = decide(0, needs_space);                              \
        if (fate < 0) return -1;                                        \
        type result = call;                                             \
        if (fate == 1) kill(getpid(), SIGKILL);                         \
        return result;                                                  \
    } while (0)

static void remember(int fd, const char *path)
{
    if (fd >= 0 && fd < MAX_FD) snprintf(path_of[fd], MAX_PATH, "%s", counts(path) ? path : "");
}

static int open_it(int dir, const char *path, int flags, mode_t mode)
{
    int fd;
    if (counts(path) && (flags & (O_CREAT | O_TRUNC))) {
        struct stat before;
        int is_new = stat(path, &before) != 0, is_cut = (flags & O_TRUNC) && !is_new;
        note("open", path, is_new ? "new" : is_cut ? "cut" : "old");
        int fate = decide(0, is_new);
        if (fate < 0) return -1;
        fd = REAL(openat)(dir, path, flags, mode);
        if (fate == 1) kill(getpid(), SIGKILL);
    } else
        fd = REAL(openat)(dir, path, flags, mode);
    remember(fd, path);
    return fd;
}

#define OPEN(name)                                              \
    int name(const char *path, int flags, ...)                  \
    {                                                           \
        va_list list;                                           \
        va_start(list, flags);                                  \
        mode_t mode = va_arg(list, mode_t);                     \
        va_end(list);                                           \
        return open_it(AT_FDCWD, path, flags, mode);            \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                            \
    int name(int dir, const char *path, int flags, ...)         \
    {                                                           \
        va_list list;                                           \
        va_start(list, flags);                                  \
        mode_t mode = va_arg(list, mode_t);                     \
        va_end(list);                                           \
        return open_it(dir, path, flags, mode);                 \
    }
OPENAT(openat64)

int close(int fd)
{
    if (fd >= 0 && fd < MAX_FD) path_of[fd][0] = 0;
    return REAL(close)(fd);
}

static ssize_t write_it(int fd, const void *data, size_t n, off_t offset)
{
    const char *path = path_of_fd(fd);
    size_t take = n;
    int fate = 0;
    if (path && log_fd != fd) {
        char rest[64];
        off_t where = offset >= 0 ? offset : lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
        snprintf(rest, sizeof rest, "%ld\t%zu", (long)where, n);
        note("write", path, rest);
        if (log_fd >= 0 && REAL(write)(log_fd, data, n) != (ssize_t)n) _exit(99);
        fate = decide(1, 1);
        if (fate < 0) return -1;
        if (fate) take = n > 1 ? n / 2 : n;
    }
    ssize_t done = offset < 0 ? REAL(write)(fd, data, take) : REAL(pwrite)(fd, data, take, offset);
    if (fate == 1) kill(getpid(), SIGKILL);
    return done;
}

ssize_t write(int fd, const void *data, size_t n) { return write_it(fd, data, n, -1); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset) { return write_it(fd, data, n, offset); }

int fsync(int fd) { CALL(int, "fsync", path_of_fd(fd), "", 1, REAL(fsync)(fd)); }
int fdatasync(int fd) { CALL(int, "fsync", path_of_fd(fd), "", 1, REAL(fdatasync)(fd)); }
int rename(const char *old, const char *new) { CALL(int, "rename", old, new, 0, REAL(rename)(old, new)); }
int link(const char *old, const char *new) { CALL(int, "link", old, new, 1, REAL(link)(old, new)); }
int unlink(const char *path) { CALL(int, "unlink", path, "", 0, REAL(unlink)(path)); }
int mkdir(const char *path, mode_t mode) { CALL(int, "mkdir", path, "", 1, REAL(mkdir)(path, mode)); }
int ftruncate64(int fd, off64_t n) { CALL(int, "truncate", path_of_fd(fd), "", 0, REAL(ftruncate64)(fd, n)); }
