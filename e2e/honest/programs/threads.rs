use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::{panic, thread};

fn main() {
    let (sender, receiver) = mpsc::channel();
    let gate = Arc::new((Mutex::new(0), Condvar::new()));
    for number in 0..6u32 {
        let (sender, gate) = (sender.clone(), Arc::clone(&gate));
        thread::spawn(move || {
            let (count, all) = &*gate;
            let mut count = count.lock().unwrap();
            *count += 1;
            all.notify_all();
            let _count = all.wait_while(count, |count| *count < 6).unwrap();
            sender.send(number * number).unwrap();
        });
    }
    drop(sender);
    let squares: u32 = receiver.iter().sum();
    panic::set_hook(Box::new(|_| ()));
    let caught = panic::catch_unwind(|| BTreeMap::<u8, u8>::new()[&1]).is_err();
    std::fs::write("file", "text").unwrap();
    println!("{squares} {caught} {}", std::fs::read_to_string("file").unwrap());
}
