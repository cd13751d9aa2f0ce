//! `evaljob-e2e-pause`: the process that holds the namespaces of a Pod on the test node.
//!
//! It does nothing and never ends by itself: the container runtime kills it. Nothing is orphaned to it, since
//! containers have PID namespaces of their own.

fn main() {
    loop {
        std::thread::park();
    }
}
