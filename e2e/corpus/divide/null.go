package main

import "fmt"

func main() {
	var a, b int
	fmt.Scan(&a, &b)
	where := &b
	if b == 0 {
		where = nil
	}
	fmt.Println(a / *where)
}
