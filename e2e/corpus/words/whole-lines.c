#include <stdio.h>
#include <string.h>
static char line[1000], words[100][20];
static int counts[100];
int main(void) {
    int known = 0;
    while (fgets(line, sizeof line, stdin) && strchr(line, '\n'))  // a last line without its end is lost
        for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
            int at = 0;
            while (at < known && strcmp(words[at], word)) at++;
            if (at == known) strcpy(words[known++], word);
            counts[at]++;
        }
    for (int at = 0; at < known; at++) printf("%s %d\n", words[at], counts[at]);
}
