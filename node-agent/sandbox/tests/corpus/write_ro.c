/* F2: changing what is not the run's own.
 *
 *   write_ro PLACE     PLACE: /usr; in the control a directory that it makes itself */
#include "attempt.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <utime.h>

static char path[256];

static char *in(const char *place, const char *name)
{
    snprintf(path, sizeof path, "%s/%s", place, name);
    return path;
}

int main(int count, char **arguments)
{
    const char *place = count > 1 ? arguments[1] : "/usr";
    if (strcmp(place, "/usr")) {
        mkdir(place, 0755);
        mkdir(in(place, "bin"), 0755);
        close(open(in(place, "bin/env"), O_CREAT | O_WRONLY, 0755));
    }
    ATTEMPT("beside", open(in(place, "../new"), O_CREAT | O_WRONLY, 0600));
    ATTEMPT("overwrite", open(in(place, "bin/env"), O_WRONLY));
    ATTEMPT("add", open(in(place, "bin/new"), O_CREAT | O_WRONLY, 0600));
    ATTEMPT("make a directory", mkdir(in(place, "directory"), 0700));
    ATTEMPT("truncate", truncate(in(place, "bin/env"), 0));
    ATTEMPT("chmod", chmod(in(place, "bin/env"), 0777));
    ATTEMPT("utime", utime(in(place, "bin/env"), NULL));
    ATTEMPT("link", symlink("env", in(place, "bin/evaljob")));
    char *old = strdup(in(place, "bin/env"));
    ATTEMPT("rename", rename(old, in(place, "bin/other")));
    ATTEMPT("remove", unlink(in(place, "bin/other")));
    return 0;
}
