#include <stdio.h>
int main(void) {
    double sum = 0, number;
    int count = 0;
    for (; scanf("%lf", &number) == 1; count++) sum += number;
    printf("%.2f\n", sum / count);
}
