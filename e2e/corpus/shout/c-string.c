#include <stdio.h>
static char text[1000];
int main(void) {
    fread(text, 1, sizeof text - 1, stdin);
    for (char *c = text; *c; c++)  // ends at the first NUL
        putchar(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
}
