package main

import "os"

func main() {
	for {
		os.Stdout.WriteString("done\n")
	}
}
