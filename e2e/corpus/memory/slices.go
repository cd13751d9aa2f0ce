package main

func main() {
	kept := [][]byte{}
	for {
		block := make([]byte, 1<<20)
		for at := range block {
			block[at] = 1
		}
		kept = append(kept, block)
	}
}
