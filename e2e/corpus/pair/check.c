#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
    FILE *output = fopen(argv[2], "r"), *answer = fopen(argv[3], "r");
    long n, a, b;
    char word[20] = "";
    if (argc != 4 || !output || !answer || fscanf(answer, "%ld", &n) != 1) return 3;
    int numbers = fscanf(output, "%ld%ld", &a, &b);
    if (numbers == 0 && fscanf(output, "%19s", word) == 1 && strcmp(word, "impossible") == 0) {
        if (n < 2) return 0;
        return fprintf(stderr, "there is a pair\n"), 1;
    }
    if (numbers != 2) return fprintf(stderr, "no two integers\n"), 1;
    if (fscanf(output, "%19s", word) == 1) return fprintf(stderr, "more than two integers\n"), 1;
    if (a < 1 || b < 1) return fprintf(stderr, "%ld is not positive\n", a < 1 ? a : b), 1;
    if (a + b != n) return fprintf(stderr, "the sum is %ld, not %ld\n", a + b, n), 1;
    return 0;
}
