use std::io::Read;
fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let words: Vec<i32> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    println!("{}", words[0] + words[1]); // panics on overflow
}
