/* P3: choosing who dies when memory is short. Source: proc(5), oom_score_adj. */
#include "attempt.h"
#include <fcntl.h>

static int set(const char *value)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    return fd == -1 ? -1 : write(fd, value, strlen(value));
}

int main(void)
{
    char now[16] = "";
    int fd = open("/proc/self/oom_score_adj", O_RDONLY);
    if (read(fd, now, sizeof now - 1) > 0)
        now[strcspn(now, "\n")] = 0;
    found("now", now);
    ATTEMPT("never", set("-1000"));
    ATTEMPT("first", set("1000"));
    return 0;
}
