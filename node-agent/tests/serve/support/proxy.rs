//! A way to the operator that can become a hole: connections stay open and nothing comes through.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A proxy to one address. Dropping it closes its connections.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    holes: Arc<watch::Sender<usize>>,
    _serving: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let holes = Arc::new(watch::Sender::new(0));
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, to, holes.clone()));
        Self {
            address,
            holes,
            _serving: serving,
        }
    }

    /// Swallows whatever comes on the connections that are open now.
    pub(crate) fn swallow(&self) {
        self.holes.send_modify(|holes| *holes += 1);
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, holes: Arc<watch::Sender<usize>>) {
    let mut connections = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(to).await.unwrap();
        let mut hole = holes.subscribe();
        connections.spawn(async move {
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                _ = hole.changed() => {}
            }
            // Both ends stay open for as long as the proxy does.
            std::future::pending::<()>().await;
            drop((near, far));
        });
    }
}
