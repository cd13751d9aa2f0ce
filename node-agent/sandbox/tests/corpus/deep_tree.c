/* R6: directories within directories, with the longest names, far beyond what a path can say. Whoever cleans up by
 * walking the tree fails or takes minutes. Source: path_resolution(7), PATH_MAX.
 *
 *   deep_tree MOST */
#include "attempt.h"
#include <sys/stat.h>

int main(int count, char **arguments)
{
    char name[256];
    long most = count > 1 ? atol(arguments[1]) : 0, depth = 0;
    memset(name, 'n', 255);
    name[255] = 0;
    while (depth < most && !mkdir(name, 0) && !chmod(name, 0700) && !chdir(name))
        depth++;
    if (depth == most)
        found("depth", "reached");
    else
        attempt_tell("depth", errno);
    printf("deeper than a path %d\n", depth * 256 > 4096);
    char path[4096];
    fflush(stdout);
    ATTEMPT("name of it", getcwd(path, sizeof path) ? 0 : -1);
    chmod(".", 0);
    return 0;
}
