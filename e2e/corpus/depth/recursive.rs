fn sum(n: u64) -> u64 {
    if n == 0 { 0 } else { n + sum(n - 1) }
}
fn main() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    println!("{}", sum(line.trim().parse().unwrap()));
}
