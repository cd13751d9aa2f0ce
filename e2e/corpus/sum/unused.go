package main

import "fmt"

func main() {
	unused := 3
	fmt.Println(3)
}
