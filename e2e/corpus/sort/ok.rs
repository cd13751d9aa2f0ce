use std::io::BufRead;
fn main() {
    let lines = std::io::stdin().lock().lines();
    let mut numbers: Vec<i64> = lines.skip(1).map(|line| line.unwrap().trim().parse().unwrap()).collect();
    numbers.sort_unstable();
    for number in numbers {
        println!("{number}");
    }
}
