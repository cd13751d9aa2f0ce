package main

import (
	"fmt"
	"sort"
)

func main() {
	var n int
	fmt.Scan(&n)
	numbers := make([]int, n)
	for i := range numbers {
		fmt.Scan(&numbers[i])
	}
	sort.Ints(numbers)
	for _, number := range numbers {
		fmt.Println(number)
	}
}
